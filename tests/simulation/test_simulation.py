"""The simulation runs: seeds that are kept, new ones, and one twice. Each in a process of its own, which fixes its hashes."""

import subprocess
import sys
from pathlib import Path

import pytest

from simulation import schedule
from simulation.planted import PLANTED, Planted
from simulation.schedule import Process, Scheduler, Stuck

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1]
#: How long `make test` looks for seeds that nobody has tried.
NEW_SECONDS = 120
#: So many seeds are tried for each fault that was planted.
WITHIN = 20


def simulate(*arguments: str, seconds: float = 600) -> str:
    """What a run prints; it has to end well, and in time."""
    with subprocess.Popen(
        [sys.executable, "-m", "simulation.run", *arguments],
        cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as running:  # fmt: skip
        try:
            said, _ = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            said, _ = running.communicate()
            pytest.fail(f"it had not ended after {seconds:.0f} s, and said:\n{said}")
    print(said)
    assert running.returncode == 0, said
    return said


def test_a_seed_is_the_same_to_the_byte() -> None:
    """Two runs of one seed, each in a process of its own, do the same things at the same moments."""
    first, second = (simulate("--seed", "5").splitlines()[0] for _ in range(2))
    assert "trace" in first
    assert first == second


def test_kept_seeds() -> None:
    """What failed once does not fail any more."""
    simulate("--kept")


def test_new_seeds() -> None:
    """Two minutes of seeds that nobody has tried. One that fails is printed, kept in seeds/, and blocks."""
    simulate("--seconds", str(NEW_SECONDS), "--keep")


def test_the_document_lists_what_is_planted() -> None:
    """README.md names each planted fault."""
    said = (TESTS / "simulation/README.md").read_text()
    assert [line[2:] for line in said.partition("## Planted faults")[2].splitlines() if line[:2] == "- "] == [
        one.name for one in PLANTED
    ]


def test_a_seed_that_hangs_is_named() -> None:
    """The watchdog prints the seed and the stacks, and ends the process, which is stuck."""
    program = """
import time
from simulation import run
run.HANGS_SECONDS = 1
run.Watchdog(keep=False).begins(4711)
time.sleep(100)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=TESTS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "make simulate SEED=4711" in done.stdout
    assert "most recent call first" in done.stderr


def test_a_loop_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that go on for ever without letting time pass end the run, also where the driver waits for a later time."""
    monkeypatch.setattr(schedule, "MOST_TURNS", 500)
    scheduler = Scheduler(1)
    looping = Process("looping")

    def loop() -> None:
        while True:
            scheduler.seam()

    scheduler.spawn("one", loop, looping)
    scheduler.spawn("two", loop, looping)
    with pytest.raises(Stuck):
        scheduler.sleep(1_000_000)
    scheduler.kill(looping)
    scheduler.drain()


@pytest.mark.planted
@pytest.mark.parametrize("fault", PLANTED, ids=lambda one: one.name.replace(" ", "-"))
def test_a_planted_fault_is_found(fault: Planted) -> None:
    """The search finds a fault that was put into jitd on purpose, and names what it breaks."""
    simulate("--planted", fault.name, "--within", str(WITHIN))
