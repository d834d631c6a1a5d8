"""Two minutes of what nobody would write: no failure of the daemon's own, no traceback, no growth."""

import secrets

import pytest

from fuzz.run import play

#: So long in `make test`, in seconds; `make fuzz` goes on for an hour.
SECONDS = 120.0


@pytest.mark.root
def test_nothing_that_is_sent_is_a_failure_of_the_daemon() -> None:
    """An attack: anything, from anybody. Each answer is a success or a refusal, and nothing is left behind by any."""
    seed = secrets.randbelow(2**32)
    status, said = play(SECONDS, seed)
    print(said)
    assert status == 0, f"again with: make fuzz ARGS='--seconds {SECONDS:g} --seed {seed}'\n{said}"
