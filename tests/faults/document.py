"""docs/reliability.md, from what a run saw."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from faults.catalogue import Fault
from faults.outcome import Outcome

HEADER = (
    "fault",
    "trials",
    "packets past the end",
    "last packet, ms from the end",
    "others lost, ms",
    "what put it right",
    "within, s",
)

HOW = """\
Each fault is played on a gateway in network namespaces of its own: a real jitd with nftables and wireguard-go, real
clients, and numbered packets in both directions for two people. alice is the one whom the fault is about: 1,000 a
second each way (100 for the random kills). bob is in all the time: 250 a second each way (100).

- An end is the end of alice's grant, or where it was revoked, the reply that said so; where jitd was killed before it
  could reply, the moment when it answered again. Past the end is a packet of hers that was sent after it and arrived.
- The last packet is told in milliseconds from the end, from the earliest to the latest of all trials: negative is
  before it. Where the fault itself stopped the packets, that says when it did.
- Others lost: the longest time for which no packet of bob's arrived. 0 is not one packet lost.
- What put it right, within: the longest time from when the cause was gone (or for what jitd has to find by itself,
  from the fault) to when the store, WireGuard and nftables were seen to agree, `jitctl status` was waiting for nothing,
  and what had to be told was told.
- After each scene every acknowledged verb is there, SEQ has no gap, there is a peer and an element for each active
  grant and for nobody else, and no element lives longer than its grant. What is not so counts as failed.
"""

LIMITS = """\
- **A machine that is suspended, or a VM that is paused, while jitd is dead.** The timeouts in nftables stand still
  meanwhile, so that access lasts longer by that time, unless jitd is started: it cuts what has ended first.
- **Somebody flushes the ruleset while jitd is dead.** The kernel's timeouts are gone with it. Who was in stays in,
  in WireGuard, until jitd starts. The same with jitd alive is repaired, see the table; until then WireGuard guards,
  so that nobody gets in who has no grant, and jitd stops there first whose end is near. An end within milliseconds
  of the flush comes as late as jitd's own timer.
- **Root on the gateway can do anything**, to jitd, to its store and to the kernel. jitd repairs what it sees and tells
  of it; it is no wall against root.
- **Access ends a little early, never late.** The kernel counts in ticks of up to 10 ms and rounds up, so that jitd asks
  for 50 ms less: a virtual machine's ticks may come late, too.
- **An interface that is taken away takes everybody's packets with it** until jitd has made it again, and until each
  client has begun a new session.
- **Not tried here:** steps of the wall clock, the WireGuard of the kernel, and a start of the machine are tried in a
  virtual machine by `make test`; a loss of power is not tried.
"""


@dataclass(frozen=True)
class Played:
    """A fault and what came of it; `failure` is empty when all was as it has to be."""

    fault: Fault
    outcome: Outcome | None
    failure: str

    @property
    def bad(self) -> bool:
        """Whether the run has to fail for it."""
        past = self.outcome is not None and self.outcome.past > 0
        return bool(self.failure) or (past and not self.fault.limit)


def document(
    played: Sequence[Played], facts: Sequence[str], *, seed: int, seconds: float, whole: bool
) -> str:
    """The file. `whole`: nothing was left out, and nothing was played less often than usual."""
    promises = [one for one in played if not one.fault.limit]
    limits = [one for one in played if one.fault.limit]
    outcomes = [one.outcome for one in promises if one.outcome is not None]
    bad = [one for one in played if one.bad]
    lines = [
        "# What happens when something breaks",
        "",
        "Written by `make faults`, which plays each of these faults with real packets. Do not edit it: run that again.",
        "",
        f"- {dt.datetime.now(dt.UTC):%Y-%m-%d}, seed {seed}, {seconds / 60:.0f} minutes",
        *facts,
        *_less(whole),
        f"- **{sum(one.trials for one in outcomes):,} trials, {sum(one.past for one in outcomes)} packets past the"
        f" end, {len(bad)} faults that were not as they have to be**{_beside(limits)}",
        "",
        *_table(promises),
        "",
        *[f"- {one.fault.name}: {one.outcome.note}" for one in promises if one.outcome and one.outcome.note],
        *[f"- **FAILED** {one.fault.name}: {one.failure}" for one in played if one.failure],
        "",
        "## How to read it",
        "",
        HOW,
        "## Known limits",
        "",
        LIMITS,
    ]
    if limits:
        lines += ["What a limit costs, measured in the same run:", "", *_table(limits), ""]
        lines += [f"- {one.fault.text}: {one.fault.limit}" for one in limits] + [""]
    return "\n".join(lines)


def _less(whole: bool) -> list[str]:
    return (
        []
        if whole
        else ["- **not the whole run**: some faults were left out or played less often than usual"]
    )


def _beside(limits: Sequence[Played]) -> str:
    past = sum(one.outcome.past for one in limits if one.outcome is not None)
    return f"; besides, {past} packets where a known limit was tried (last table)" if limits else ""


def _table(played: Sequence[Played]) -> list[str]:
    lines = [HEADER, ("---", *["---:"] * 4, "---", "---:")]
    lines += [_row(one) for one in played]
    return [f"| {' | '.join(line)} |" for line in lines]


def _row(one: Played) -> tuple[str, ...]:
    outcome = one.outcome
    if outcome is None:
        return (one.fault.text, "", "", "", "", "**failed**, see below", "")
    return (
        one.fault.text,
        f"{outcome.trials:,}",
        str(outcome.past),
        _span(outcome),
        f"{outcome.lost_ms:,.0f}",
        "**failed**, see below" if one.failure else outcome.recovery,
        "" if outcome.recovered_ms is None else f"{outcome.recovered_ms / 1000:.1f}",
    )


def _span(outcome: Outcome) -> str:
    if outcome.late_ms is None or outcome.early_ms is None:
        return ""
    early, late = f"{outcome.early_ms:+,.0f}", f"{outcome.late_ms:+,.0f}"
    return late if early == late else f"{early} to {late}"
