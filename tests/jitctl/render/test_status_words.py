"""How status tells each state of a network, at any moment after the answer came."""

import pytest

from jitctl.render import status
from support.status_reply import HOUR, NOW, reply


@pytest.mark.parametrize(
    ("passed", "left"), [(0, "1h 00m"), (999, "1h 00m"), (1000, "59m 59s"), (HOUR - 1, "1s"), (HOUR, "0s")]
)
def test_the_time_left_is_that_of_the_moment(passed: int, left: str) -> None:
    """One answer is enough for all seconds that follow it."""
    ((row,), _) = status.rows(reply(), NOW + passed)
    assert row.access == (f"* active, {left} left", "green")


def test_who_gets_no_mail_is_told_so() -> None:
    """Where nobody knows a user's address; not where there is no mail server, nor an administrator, who is told of all."""
    told = "warning: you are told nothing by mail, nobody knows your address"
    for more, warned in (({"address": ""}, True), ({"address": "a@example.org"}, False), ({}, False)):
        found = list(status.warnings({**reply(), **more}))  # type: ignore[typeddict-item]  # usual values, some replaced
        assert (
            any(line.startswith(told) and "jitctl user set alice --email" in line for line in found) is warned
        )
    assert not list(status.warnings({**reply(), "address": "", "admin": True}))


def test_each_state_has_words_and_a_next_step() -> None:
    """Frozen, paused, with more asked for: told beside the time; what can be typed then stands below."""
    for network, words, steps in (
        ({"frozen": True}, "x frozen by an administrator", []),
        ({"paused": True}, "= paused, 1h 00m left", ["jitctl resume office"]),
        (
            {"asked": 7},
            "* active, 1h 00m left, 7 asks for more time",
            ["jitctl pause office | jitctl release office"],
        ),
        ({"state": "standing"}, "* always open", []),
        ({"state": "request"}, "  request", ['jitctl request office --reason "…" --duration 2h']),
    ):
        ((row,), found) = status.rows(reply(**network), NOW)
        assert (row.access[0], found) == (words, steps)
