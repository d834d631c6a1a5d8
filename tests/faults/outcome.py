"""What came of one or more trials of a fault."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """`past`: packets sent after access was over that arrived all the same, of both directions.

    `early_ms`, `late_ms`: when the last packet arrived, milliseconds from the end (negative: before it), the smallest
    and the largest of several ends; None where nothing ended.
    `lost_ms`: the longest hole in the packets of somebody who was in all the time, milliseconds.
    `recovered_ms`: from when the cause was gone, or for what jitd has to find by itself from the fault, to when kernel
    and store were seen to agree; None where there was nothing to recover.
    """

    trials: int
    past: int
    early_ms: float | None
    late_ms: float | None
    lost_ms: float
    recovery: str
    recovered_ms: float | None
    note: str = ""

    def line(self, name: str) -> str:
        """One line for people."""
        late = "" if self.late_ms is None else f", the last one {self.late_ms:+.1f} ms from the end"
        mended = "" if self.recovered_ms is None else f", in {self.recovered_ms / 1000:.1f} s"
        lost = f"; others lost {self.lost_ms:.0f} ms" if self.lost_ms else ""
        note = f" ({self.note})" if self.note else ""
        return f"{name}: {self.past} packets past the end{late}; {self.recovery}{mended}{lost}{note}"


def together(outcomes: list[Outcome]) -> Outcome:
    """The worst of several trials of the same fault. There is at least one."""
    late = [one.late_ms for one in outcomes if one.late_ms is not None]
    early = [one.early_ms for one in outcomes if one.early_ms is not None]
    mended = [one.recovered_ms for one in outcomes if one.recovered_ms is not None]
    return Outcome(
        trials=sum(one.trials for one in outcomes),
        past=sum(one.past for one in outcomes),
        early_ms=min(early, default=None),
        late_ms=max(late, default=None),
        lost_ms=max(one.lost_ms for one in outcomes),
        recovery=outcomes[-1].recovery,
        recovered_ms=max(mended, default=None),
        note="; ".join(dict.fromkeys(one.note for one in outcomes if one.note)),
    )
