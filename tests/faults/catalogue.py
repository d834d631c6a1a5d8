"""All faults, in the order in which they are played and told."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults import firewall, hanging, interface, kills, life, steps, storage
from faults.adopted import adopted
from faults.outcome import Outcome
from faults.scene import stage
from support.deployment import Deployment


@dataclass(frozen=True)
class Fault:
    """`play` is a trial (or some) on a stage, which it leaves as it found it.

    `make faults` plays it `times`, or `all` in its place. Where there is a `limit`, packets may pass, and it says why.
    `make test` plays those that are played `often`, once.
    """

    name: str
    text: str
    play: Callable[[Deployment, Random], Outcome]
    times: int = 3
    all: Callable[[Deployment, Random], Outcome] | None = None
    limit: str = ""
    often: bool = True
    stage: Callable[[Path], AbstractContextManager[Deployment]] = stage


FAULTS = (
    Fault(
        "killed-before-expiry",
        "jitd killed (SIGKILL) before a grant ends, started after it",
        life.killed_before_expiry,
        6,
    ),
    Fault(
        "stopped-across-expiry",
        "jitd stopped (SIGSTOP) before a grant ends, continued after it",
        life.stopped_across_expiry,
        6,
    ),
    Fault("boot-clock-back", "started under a boot clock that is behind", life.boot_clock_back),
    Fault("boot-clock-ahead", "started under a boot clock that is ahead", life.boot_clock_ahead, often=False),
    Fault("run-directory-gone", "the run directory removed, before a revoke", life.run_directory_gone),
    Fault("log-pipe-full", "the pipe for the log full, with no reader; a revoke", life.log_pipe_full),
    Fault(
        "killed-at-steps",
        "jitd killed at each write, sync and message of a grant and of a revoke",
        steps.some_steps,
        1,
        steps.all_steps,
    ),
    Fault(
        "killed-at-random",
        "jitd killed at a random moment of a stream of verbs",
        kills.few_kills,
        20,
        kills.many_kills,
    ),
    Fault("interface-deleted", "the interface deleted with grants live", interface.deleted, often=False),
    Fault(
        "interface-renamed", "the interface renamed with grants live, one of them revoked", interface.renamed
    ),
    Fault(
        "interface-renamed-alone",
        "the interface renamed after jitd was killed, before a grant ends",
        interface.renamed_without_jitd,
        often=False,
    ),
    Fault("wireguard-go-killed", "wireguard-go killed before a grant ends", interface.process_killed),
    Fault("nft-failing", "nft fails after the table was flushed; a revoke meanwhile", firewall.refusing),
    Fault("flushed", "`nft flush ruleset` with jitd alive, with a grant and without", firewall.flushed, 6),
    Fault(
        "flushed-at-the-end",
        "`nft flush ruleset` in the last half second of a grant, with jitd alive",
        firewall.flushed_at_the_end,
        6,
        limit="the flush deletes the kernel's timeout; jitd blocks the peer in WireGuard, which is as late as its own timer"
        " if the flush comes within milliseconds of the end",
    ),
    Fault("element-added", "a set entry added by hand for a user without a grant", firewall.element_added),
    Fault("element-lengthened", "a set entry lengthened by hand", firewall.element_lengthened),
    Fault(
        "peers-by-hand",
        "`wg set`: a peer without a grant, wider addresses, an unknown peer",
        interface.peers_by_hand,
        often=False,
    ),
    Fault("disk-full-at-expiry", "the disk full when a grant ends", storage.disk_full_at_expiry, often=False),
    Fault("disk-full-at-revoke", "the disk full when a grant is revoked", storage.disk_full_at_revoke),
    Fault(
        "locked-at-expiry",
        "the database locked by another process when a grant ends",
        storage.locked_at_expiry,
    ),
    Fault("locked-at-revoke", "the database locked when a grant is revoked", storage.locked_at_revoke),
    Fault(
        "corrupted-at-expiry",
        "the database overwritten with invalid data when a grant ends",
        storage.corrupted_at_expiry,
        often=False,
    ),
    Fault(
        "corrupted-at-revoke",
        "the database overwritten with invalid data when a grant is revoked",
        storage.corrupted_at_revoke,
        often=False,
    ),
    Fault("disk-hangs", "each sync takes 20 s, and the writer hangs; a revoke", hanging.disk_at_revoke),
    Fault(
        "disk-frozen",
        "the file system frozen (fsfreeze: writes block, too), and the writer hangs; a revoke",
        hanging.frozen_at_revoke,
    ),
    Fault("disk-errors", "EIO in each sync when a grant is revoked", hanging.errors_at_revoke, often=False),
    Fault("no-inodes", "no inodes left when a grant is revoked", storage.no_inodes_at_revoke, often=False),
    Fault(
        "wireguard-go-hangs",
        "another interface's wireguard-go stopped (SIGSTOP) when a grant is revoked",
        hanging.wireguard_go_at_revoke,
    ),
    Fault(
        "wg-quick-restarted",
        "wg-quick restarted on an adopted interface, with peers in its file",
        interface.quick_restarted,
        stage=adopted,
        often=False,
    ),
    Fault("syncconf", "`wg syncconf` on an adopted interface", interface.file_loaded, stage=adopted),
)
