"""One check of doctor: what it is about, how bad it can be, and the lines that it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitd import wire

if TYPE_CHECKING:
    from jitd.diagnostics.examination import Alone, Examination


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the gateway: all that is known of it stands in its module in `checks/`, in that one's `CHECKS`.

    `code` is stable, for programs that read doctor's answers. `severity` is the worst level of its lines. `fix` stands
    behind those that are not ok and have none of their own. `run` blocks for seconds at most. `alone` asks as much as can
    be known without a running jitd, for `jitd check`. `watched`: run by itself, too, and what is broken stands in status.
    """

    code: str
    part: wire.Part
    title: str
    severity: wire.Level
    run: Callable[[Examination], Iterable[wire.Check]]
    fix: str = ""
    alone: Callable[[Alone], Iterable[wire.Check]] | None = None
    watched: bool = False

    def lines(self, found: Iterable[wire.Check]) -> list[wire.Check]:
        """What the check has found, as it is sent."""
        return [
            {**one, "code": self.code, "fix": one["fix"] or ("" if one["level"] == "ok" else self.fix)}
            for one in found
        ]
