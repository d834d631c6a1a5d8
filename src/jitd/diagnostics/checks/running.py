"""What the running jitd itself says is wrong: with its socket, its log, its worker, and those who read its metrics."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import ok, warning


def _problems(one: Examination) -> Iterator[wire.Check]:
    problems = one.view.drift.troubles
    for problem in problems:
        yield warning(problem, "journalctl -u jitd")
    if not problems:
        yield ok("jitd reports no problem with its socket, its log, its worker or its metrics")


CHECKS: Final = (Check("running", "socket", "Problems that jitd itself reports", "warning", _problems),)
