"""Values of an older jitd, or of a file that was edited, which are stored and not used."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core.commandline import shell
from jitd.core.text import clean
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken
from jitd.store import unreadable

_FIXES: Final = {
    ("network", "route"): "jitctl network set {} --route CIDR",
    ("interface", "pool"): "jitctl interface set {} --pool CIDR",
    ("interface", "endpoint"): "jitctl interface set {} --endpoint HOST:PORT",
    ("interface", "DNS server"): "jitctl interface set {} --dns ADDRESS",
    ("device", "address"): "jitctl device remove {} # and register it again",
}


def _run(one: Examination) -> Iterator[wire.Check]:
    for found in unreadable.all_(one.view.rows):
        yield broken(
            f"the {found.noun} {found.name} has a {found.what} that cannot be read, and is not used:"
            f" {clean(found.value)[:80]!r}",
            _FIXES[found.noun, found.what].format(shell(found.name)),
        )


CHECKS: Final = (Check("stored-values", "interfaces", "Stored values that cannot be read", "broken", _run),)
