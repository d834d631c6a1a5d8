"""All faults, in the order in which they are played and told."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from faults import firewall, life
from faults.outcome import Outcome
from support.site import Site


@dataclass(frozen=True)
class Fault:
    """`play` is one trial on a stage that it leaves as it found it; `trials` so many of them `make faults` plays."""

    name: str
    text: str
    play: Callable[[Site, Random], Outcome]
    trials: int = 5


FAULTS = (
    Fault(
        "killed-before-expiry",
        "jitd killed (SIGKILL) before a grant ends, started after it",
        life.killed_before_expiry,
        10,
    ),
    Fault(
        "stopped-across-expiry",
        "jitd stopped (SIGSTOP) before a grant ends, continued after it",
        life.stopped_across_expiry,
        10,
    ),
    Fault("flushed", "`nft flush ruleset`, with and without a grant", firewall.flushed, 10),
)
