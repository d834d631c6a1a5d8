"""Whether those who administer, and those who decide, are there."""

import shlex
from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core.commandline import command, shell
from jitd.core.people import Answer
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken, ok, warning
from jitd.store import networks
from jitd.verbs import deciding


def _groups(one: Examination) -> Iterator[wire.Check]:
    """Whether those who administer can."""
    groups, missing = one.view.config.daemon.admin_groups, False
    if not groups:
        yield warning(
            "only root administers this gateway: [daemon] admin_groups is empty",
            'set admin_groups = ["GROUP"] in jitd.toml, then type: systemctl reload jitd',
        )
        return
    for group in groups:
        answer = one.view.people.directory.group_exists(group)
        missing |= answer is not Answer.YES
        if answer is Answer.NO:
            yield broken(
                f"[daemon] admin_groups: there is no group {group}", f"groupadd --system {shlex.quote(group)}"
            )
        elif answer is Answer.UNAVAILABLE:
            yield broken(
                f"the admin group {group} cannot be looked up: its administrators are not known",
                f"{shell('getent', 'group', group)} # succeeds when the look-up works again",
            )
    if not missing:
        yield ok(f"the admin groups exist: {', '.join(groups)}")


def _deciders(one: Examination) -> Iterator[wire.Check]:
    """The networks where too few people are left who may decide."""
    for network in networks.all_(one.view.rows):
        why = deciding.shortage(one.view.rows, one.view.people, network)
        if why:
            yield broken(why, command("network set", network.name, "approvers+=@GROUP"))


CHECKS: Final = (
    Check("admin-groups", "config", "Groups of administrators", "broken", _groups),
    Check("deciders", "config", "Enough approvers for each network", "broken", _deciders),
)
