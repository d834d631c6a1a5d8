"""Times for people."""

from collections.abc import Callable

import pytest

from jitctl.render import times


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (-5, "0s"),
        (0, "0s"),
        (1, "1s"),
        (9000, "9s"),
        (59_001, "1m 00s"),
        (845_000, "14m 05s"),
        (7_199_000, "1h 59m"),
        (7_200_000, "2h 00m"),
        (273_600_000, "3d 4h"),
    ],
)
def test_time_left_is_rounded_up(ms: int, shown: str) -> None:
    """It shows 0 only when it is over."""
    assert times.left(ms) == shown


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (-60_000, "just now"),
        (4999, "just now"),
        (5000, "5 seconds ago"),
        (60_000, "1 minute ago"),
        (300_000, "5 minutes ago"),
        (3_600_000, "1 hour ago"),
        (172_800_000, "2 days ago"),
    ],
)
def test_how_long_ago(passed: int, shown: str) -> None:
    """The biggest unit, and a clock that is a little ahead shows no negative time."""
    assert times.ago(1_790_000_000_000 - passed, 1_790_000_000_000) == shown


def test_local_times_name_their_zone(zone: Callable[[str], None]) -> None:
    """With the date unless it is today there, and in the zone of whoever looks."""
    at = 1_790_000_000_000
    for name, today, other in (
        ("UTC", "14:13:20 UTC", "2026-09-21 14:13:20 UTC"),
        ("Asia/Tokyo", "23:13:20 JST", "2026-09-21 23:13:20 JST"),
    ):
        zone(name)
        assert times.local(at, at) == today
        assert times.local(at) == other
        assert times.local(at, at + 86_400_000) == other
