"""Runs inside a stage, in place of its jitd: kill -9 at moments by chance of a stream of verbs about alice.

Arguments: how many kills, the first seed, alice's public key and address, and a file for the moments on
CLOCK_MONOTONIC, in nanoseconds, after which access was opened and shut: a line `open NS` or `shut NS` for each.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from faults.agreement import TABLES, listed
from support.crash_recovery import change_until_killed, compare, settle
from support.daemon import Daemon
from support.wait import until


class Watched(Daemon):
    """The stage's own jitd, with a line in the file around each verb that opens or shuts."""

    def __init__(self, file: Path) -> None:
        super().__init__(Path("/root"), init=False)
        self.config = Path("/etc/jitd/jitd.toml")
        self.socket = Path("/run/jitd/jitd.sock")
        self.log = file.with_suffix(".log")
        self._file = file.open("w")

    def note(self, what: str) -> None:
        """Write a line: it is true from now on."""
        self._file.write(f"{what} {time.monotonic_ns()}\n")
        self._file.flush()

    def post(self, path: str, **body: object) -> tuple[int, Any]:
        """As always. What opens is noted before it is sent, and what shuts after its reply."""
        if path == "/v1/grant":
            self.note("open")
        status, reply = super().post(path, **body)
        if path == "/v1/revoke" and status == 200:
            self.note("shut")
        return status, reply


def passing(key: str, address: str) -> set[bool]:
    """What each layer says: whether alice is in."""
    peers = subprocess.run(["wg", "show", "wg0", "allowed-ips"], capture_output=True, text=True, check=True)
    said = {f"{key}\t{address}/32" in peers.stdout}
    for family in TABLES:
        table = subprocess.run(
            ["nft", "list", "table", family, "jitd"], capture_output=True, text=True, check=True
        )
        said.add(address in listed(table.stdout))
    return said


def main(kills: int, first: int, key: str, address: str, file: Path) -> None:
    """Play it, and say how much was acknowledged and how long the slowest start took."""
    daemon = Watched(file)
    daemon.start()
    requests = unanswered = 0
    slowest = 0.0
    for seed in range(first, first + kills):
        told = change_until_killed(daemon, "alice", seed)
        requests += len(told.status)
        unanswered += len(told.open)
        begun = time.monotonic()
        daemon.start()
        compare(daemon, told)
        _, found = daemon.get("/v1/list?status=active&user=alice")
        granted = bool(found["requests"])
        until(lambda: passing(key, address) == {granted}, f"the kernel agrees (seed {seed})", 20)  # noqa: B023
        slowest = max(slowest, time.monotonic() - begun)
        settle(daemon, "alice")
        assert passing(key, address) == {False}, f"seed {seed}"
        daemon.note("shut")
    daemon.stop()
    print(f"{requests} {unanswered} {slowest * 1000:.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], Path(sys.argv[5]))
