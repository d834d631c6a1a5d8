"""Durations as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import durations
from jitd.core.errors import JitError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", 90 * durations.MINUTE),
        ("1h30m", 90 * durations.MINUTE),
        ("1h 30m", 90 * durations.MINUTE),
        ("3d 4h", 76 * durations.HOUR),
        ("2d", 2 * durations.DAY),
        ("1w", 7 * durations.DAY),
        ("15s", 15 * durations.SECOND),
        ("365d", durations.LONGEST_MS),
    ],
)
def test_reads_what_people_type(text: str, expected: int) -> None:
    """Numbers with units, biggest first, give milliseconds."""
    assert durations.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not a duration"),
        ("8", "it has no unit"),
        ("0h", "it is zero"),
        ("-1h", "it is not a duration"),
        ("1.5h", "it is not a duration"),
        ("8 h", "it is not a duration"),
        ("1h  30m", "it is not a duration"),
        (" 1h", "it is not a duration"),
        ("8H", "it is not a duration"),
        ("30m1h", "it is not a duration"),
        ("1h1h", "it is not a duration"),
        ("٣h", "it is not a duration"),
        ("8h\n", "it is not a duration"),
        ("for ever", "it is not a duration"),
        ("inf", "it is not a duration"),
        ("366d", "it is longer than 365 days"),
        ("999999999w", "it is longer than 365 days"),
        ("9999999999999999999h", "it is not a duration"),
    ],
)
def test_refuses_everything_else(text: str, why: str) -> None:
    """Nothing unreadable, zero, negative or endless is taken for a duration, and the error says why."""
    with pytest.raises(JitError) as caught:
        durations.parse(text)
    assert caught.value.code == "bad_request"
    assert why in caught.value.message


@given(st.integers(min_value=1, max_value=durations.LONGEST_MS // durations.SECOND))
def test_shows_what_it_reads(seconds: int) -> None:
    """Every whole second up to the longest duration survives being shown and read again."""
    assert durations.parse(durations.show(seconds * durations.SECOND)) == seconds * durations.SECOND


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes it fail in another way, and what it accepts is from a second to the longest."""
    try:
        read = durations.parse(text)
    except JitError as error:
        assert error.code == "bad_request"
    else:
        assert durations.SECOND <= read <= durations.LONGEST_MS
