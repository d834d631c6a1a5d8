"""What the file of an adopted interface's owner would bring back, or write down, behind jitd's back."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core.commandline import shell
from jitd.core.model import Interface
from jitd.core.text import clean
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken, warning
from jitd.enforce.owner import Owner
from jitd.store import devices, interfaces
from jitd.verbs.context import View

#: So many keys are named.
_NAMED = 3


def _run(one: Examination) -> Iterator[wire.Check]:
    for interface in interfaces.all_(one.view.rows):
        if interface.adopted:
            yield from _look(one.view, interface, one.view.owner_of(interface.name))


def _look(view: View, interface: Interface, owner: Owner) -> Iterator[wire.Check]:
    if owner.unreadable:
        yield warning(
            f"{interface.name}: its file cannot be read, so the peers that it restores are not known: "
            f"{clean(owner.unreadable)}",
            shell("ls", "-l", owner.path),
        )
    if owner.saves_config:
        yield broken(
            f"{owner.path} has SaveConfig = true: wg-quick saves the current peers and adds them again at "
            "its next start, until jitd removes them; while jitd is dead, they stay",
            shell("sed", "-i", "s/^[[:space:]]*SaveConfig.*/SaveConfig = false/I", owner.path),
        )
    unmanaged = {peer.public_key for peer in interfaces.unmanaged(view.rows, interface.id)}
    saved = [
        f"{clean(account.name)}'s {clean(device.name)} ({key})"
        for key in sorted(owner.keys - unmanaged)
        if (found := devices.last_of_key(view.rows, key)) is not None
        for device, account in [found]
    ]
    if saved:
        more = f" and {len(saved) - _NAMED} more" if len(saved) > _NAMED else ""
        yield warning(
            f"{owner.path} contains peers that jitd manages: {', '.join(saved[:_NAMED])}{more}. Each start of"
            f" {interface.name} adds them again, until jitd removes them",
            f"remove their [Peer] sections from {owner.path}; {interface.name} stays up",
        )


CHECKS: Final = (
    Check(
        "owner-file", "interfaces", "The file of an adopted interface's owner", "broken", _run, watched=True
    ),
)
