"""Play a gateway with users of its own, and send it what nobody would write: `make fuzz ARGS="--seconds 3600"`."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

from support.gateway import SOCKET, Gateway
from support.wait import until
from support.world import World

#: For as long in `make fuzz`, in seconds.
HOUR: Final = 3600.0
USERS: Final = ("root", "carol", "dave", "alice", "bob")
TESTS: Final = Path(__file__).resolve().parents[1]


def play(seconds: float, seed: int) -> tuple[int, str]:
    """Fuzz a fresh gateway. Returns (0 when nothing was found, what was said)."""
    with World() as world, tempfile.TemporaryDirectory(prefix="jitctl-fuzz-") as directory:
        Path(directory).chmod(0o755)
        log = Path(directory) / "jitd.log"
        gateway = Gateway(world, log)
        world.group("jit-admins")
        for user in ("alice", "bob", "dave"):
            world.user(user)
        world.user("carol", groups=["jit-admins"])
        gateway.init()
        gateway.settle("enforce", 'backend = "memory"')
        # Rates are tested elsewhere; here they would keep most requests from going further.
        for key in ("changes_per_minute", "changes_per_day", "requests_per_hour", "devices_added_per_month"):
            gateway.settle("limits", f"{key} = 1000000")
        gateway.start()
        gateway.jitctl(
            "carol", "interface", "add", "wg0", "--pool", "10.9.0.0/16", "--endpoint", "192.0.2.1:51820"
        )
        gateway.jitctl("carol", "network", "add", "office", "--route", "10.20.0.0/24")
        gateway.jitctl("carol", "network", "add", "lab", "--route", "10.30.0.0/24")
        assert gateway.daemon is not None
        # Inside, the world's own process ids are seen.
        pid = gateway.get("/v1/health")["pid"]
        argv = [
            sys.executable,
            "-m",
            "fuzz.inside",
            SOCKET,
            str(pid),
            str(log),
            str(seconds),
            str(seed),
            *USERS,
        ]
        done = world.run(argv, check=False, seconds=seconds + 300, env={"PYTHONPATH": str(TESTS)})
        until(gateway.answers, "jitd still answers", 30)
        status = gateway.stop()
        said = done.stdout + done.stderr[-4000:]
        if status != 0:
            said += f"\nFOUND jitd ended with status {status}\n{log.read_text(errors='replace')[-3000:]}"
        return done.returncode or status, said


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=HOUR)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args()
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    status, said = play(asked.seconds, seed)
    print(said)
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
