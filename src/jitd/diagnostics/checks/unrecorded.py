"""What the store does not know: closings that wait for it, and what came after the copy that it was restored from."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core.commandline import command
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken
from jitd.store import restored
from jitd.verbs import restoring


def _unrecorded(one: Examination) -> Iterator[wire.Check]:
    yield from map(broken, one.view.drift.unrecorded)


def _restored(one: Examination) -> Iterator[wire.Check]:
    if (doubted := restored.current(one.view.rows)) is not None:
        yield broken(restoring.sentence(doubted))


CHECKS: Final = (
    Check(
        "unrecorded",
        "store",
        "Closings that are not recorded yet",
        "broken",
        _unrecorded,
        fix="df -h; journalctl -u jitd",
    ),
    Check(
        "restored",
        "store",
        "A store that was restored from an older copy",
        "broken",
        _restored,
        fix=command("accept-restored"),
    ),
)
