"""All faults, in the order in which they are played and told."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from faults import firewall, interface, kills, life, steps, storage
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
    Fault("boot-clock-back", "started under a boot clock that is behind", life.boot_clock_back),
    Fault("boot-clock-ahead", "started under a boot clock that is ahead", life.boot_clock_ahead),
    Fault(
        "killed-at-steps",
        "jitd killed at each write, sync and message of a grant and of a revoke",
        steps.some_steps,
        1,
    ),
    Fault("killed-at-random", "jitd killed at a random moment of a stream of verbs", kills.few_kills, 1),
    Fault("interface-deleted", "the interface deleted with grants live", interface.deleted),
    Fault("wireguard-go-killed", "wireguard-go killed before a grant ends", interface.process_killed),
    Fault("nft-failing", "nft fails after the table was flushed; a revoke meanwhile", firewall.refusing),
    Fault("flushed", "`nft flush ruleset` with jitd alive, with a grant and without", firewall.flushed, 10),
    Fault("element-added", "an element added by hand for somebody without a grant", firewall.element_added),
    Fault("element-lengthened", "an element lengthened by hand", firewall.element_lengthened),
    Fault(
        "peers-by-hand",
        "`wg set`: a peer without a grant, wider addresses, a stranger",
        interface.peers_by_hand,
    ),
    Fault("disk-full-at-expiry", "the disk full when a grant ends", storage.disk_full_at_expiry),
    Fault("disk-full-at-revoke", "the disk full when a grant is revoked", storage.disk_full_at_revoke),
    Fault(
        "locked-at-expiry",
        "the database locked by another process when a grant ends",
        storage.locked_at_expiry,
    ),
    Fault("locked-at-revoke", "the database locked when a grant is revoked", storage.locked_at_revoke),
)
