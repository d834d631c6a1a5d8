"""kill -9 at any moment: nothing acknowledged is lost, and the interface agrees with the store after the restart."""

from pathlib import Path

import pytest

from support.deployment import Deployment, Say

pytestmark = pytest.mark.root

TESTS = Path(__file__).resolve().parents[1]


def test_fifty_kills_during_a_stream_of_verbs(lone: Deployment, say: Say) -> None:
    """Fifty seeded kills of a real jitd with a real interface, each followed by a comparison of everything."""
    lone.world.user("alice")
    python = lone.world.path("/usr/local/bin/jitd").read_text().splitlines()[0].removeprefix("#!")
    source = f"{TESTS}:/usr/local/lib/jitctl/src"
    done = lone.world.run(
        ["env", f"PYTHONPATH={source}", python, "-m", "support.crash_recovery_inside", "50"],
        check=False,
        seconds=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    say(done.stdout.strip())
