"""Values of an older jitd, or of a file that was edited, which are stored and not used."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core.commandline import command
from jitd.core.text import clean
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken
from jitd.store import unreadable

#: The option that sets a value anew.
_OPTIONS: Final = {
    "route": {"route": "CIDR"},
    "pool": {"pool": "CIDR"},
    "endpoint": {"endpoint": "HOST:PORT"},
    "DNS server": {"dns": "ADDRESS"},
}


def _run(one: Examination) -> Iterator[wire.Check]:
    for found in unreadable.all_(one.view.rows):
        yield broken(
            f"the {found.noun} {found.name} has a {found.what} that is not valid, and is not used:"
            f" {clean(found.value)[:80]!r}",
            command("device remove", found.name) + " # and register it again"
            if found.noun == "device"
            else command(f"{found.noun} set", found.name, **_OPTIONS[found.what]),
        )


CHECKS: Final = (Check("stored-values", "interfaces", "Stored values that cannot be read", "broken", _run),)
