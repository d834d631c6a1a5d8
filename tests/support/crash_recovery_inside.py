"""Runs inside a world: kill -9 at seeded moments of a stream of verbs, with real interfaces. Arguments: seeds."""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

from support.crash_recovery import change_until_killed, compare, settle
from support.daemon import Daemon
from support.wait import until

KEY = base64.b64encode(bytes(range(1, 33))).decode()


def passing() -> bool:
    """Whether WireGuard itself has the laptop's address."""
    shown = subprocess.run(
        ["wg", "show", "wg0", "allowed-ips"], capture_output=True, text=True, check=True
    ).stdout
    return f"{KEY}\t10.9.0.2/32" in shown


def agrees(granted: bool, seed: int) -> None:
    """Wait until the interface is as the store says."""
    until(lambda: passing() is granted, f"the interface agrees (seed {seed})", seconds=5)


def main(seeds: int) -> None:
    """Play it `seeds` times, and say how much was acknowledged."""
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(Path(directory))
        text = daemon.config.read_text().replace('backend = "memory"', 'backend = "userspace"')
        daemon.config.write_text(text)
        daemon.start()
        for path, body in (
            ("/v1/interface/add", {"name": "wg0", "pools": ["10.9.0.0/24"]}),
            ("/v1/network/add", {"name": "office", "routes": ["10.0.0.0/8"]}),
            ("/v1/device/add", {"name": "laptop", "public_key": KEY, "user": "alice"}),
        ):
            status, reply = daemon.post(path, **body)
            assert status == 200, reply
        requests = unanswered = 0
        for seed in range(seeds):
            told = change_until_killed(daemon, "alice", seed)
            requests += len(told.status)
            unanswered += len(told.open)
            daemon.start()
            compare(daemon, told)
            _, listed = daemon.get("/v1/list?status=active")
            granted = bool(listed["requests"])
            agrees(granted, seed)
            settle(daemon, "alice")
            assert not passing()
        _, health = daemon.get("/v1/health")
        daemon.stop()
        print(f"{seeds} kills, {requests} requests, {unanswered} verbs cut short, {health['seq']} events")


if __name__ == "__main__":
    main(int(sys.argv[1]))
