"""Moments on the caller's clocks."""

import time
from collections.abc import Callable

import pytest

from jitctl.cli import moments
from jitctl.cli.moments import past_ms
from jitd.core.errors import JitError

HOUR = 3_600_000
#: 2026-11-23 12:00 UTC, a Monday.
NOON = 1_795_435_200_000


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noon in UTC, and one o'clock in Berlin."""
    monkeypatch.setattr(time, "time_ns", lambda: NOON * 1_000_000)
    monkeypatch.setenv("TZ", "Europe/Berlin")


@pytest.mark.parametrize(
    ("typed", "after_h"),
    [("14:00", 1), ("18:00", 5), ("tomorrow 09:00", 20), ("2026-11-24 00:00 UTC", 12), ("12:30", 23.5)],
)
def test_moments_are_read_in_the_callers_zone(typed: str, after_h: float) -> None:
    """$TZ says what the clocks show; a zone in the text wins."""
    assert moments.moment(typed) == NOON + after_h * HOUR


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("2026-03-29 02:30 Europe/Berlin", "not in the future"),
        ("2027-03-28 02:30", "skip"),
        ("2027-10-31 02:30", "twice"),
        ("tea time", "it is not a time"),
    ],
)
def test_times_that_cannot_be(typed: str, message: str) -> None:
    """In the past, skipped or shown twice by the clocks, or none at all: an error that says so."""
    with pytest.raises(JitError) as caught:
        moments.moment(typed)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_a_date_is_its_last_moment() -> None:
    """Until the 30th includes the 30th; a date with a time is that time."""
    assert moments.end_of("2026-11-30") == moments.moment("2026-12-01 00:00")
    assert moments.end_of("2026-11-30 10:00") == moments.moment("2026-11-30 10:00")
    assert moments.shown(moments.end_of("2026-11-30")) == "2026-12-01 00:00 CET"


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("tomorrow", "2026-11-24 00:00", "2026-11-25 00:00"),
        ("Friday", "2026-11-27 00:00", "2026-11-28 00:00"),
        ("fri", "2026-11-27 00:00", "2026-11-28 00:00"),
        ("Monday", "2026-11-30 00:00", "2026-11-24 00:00"),
        ("2026-11-30 UTC", "2026-11-30 01:00", "2026-12-01 01:00"),
    ],
)
def test_a_day_alone(typed: str, first: str, last: str) -> None:
    """What starts then starts with its first moment; until then is until its last one, and today still has one."""
    assert moments.moment(typed) == moments.moment(first)
    assert moments.end_of(typed) == moments.moment(last)


def test_a_moment_as_programs_write_it() -> None:
    """RFC 3339, with a fraction and in small letters."""
    assert moments.moment("2026-11-24T09:00:00.123456789Z") == moments.moment("2026-11-24 09:00 UTC") + 123
    assert moments.moment("2026-11-24t09:00:00z") == moments.moment("2026-11-24 09:00 UTC")


@pytest.mark.parametrize(
    "name",
    [
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+01>-1<+02>,M3.5.0,M10.5.0/3",
        ":Europe/Berlin",
        "/usr/share/zoneinfo/Europe/Berlin",
        ":/usr/share/zoneinfo/Europe/Berlin",
        "posix/Europe/Berlin",
    ],
)
def test_every_form_of_tz(zone: Callable[[str], None], name: str) -> None:
    """As libc takes it: rules, files, with a colon and without; its clocks change as those of its place do."""
    zone(name)
    assert moments.moment("14:00") == NOON + HOUR
    assert moments.moment("2027-07-01 12:00") == moments.moment("2027-07-01 10:00 UTC")
    for typed, why in (("2027-03-28 02:30", "skip"), ("2027-10-31 02:30", "twice")):
        with pytest.raises(JitError, match=why):
            moments.moment(typed)
    zone("")
    assert moments.moment("13:00") == NOON + HOUR


def test_a_zone_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """$TZ with a name that there is not is an error, and not UTC."""
    monkeypatch.setenv("TZ", "Europe/Nowhere")
    with pytest.raises(JitError, match="cannot find the time zone"):
        moments.moment("18:00")


def test_until_a_date_is_until_its_last_moment(zone: Callable[[str], None]) -> None:
    """For lists a date alone begins with its first moment and ends with its last one, also where a day has 25 hours."""
    zone("Europe/Berlin")
    first, last = past_ms("2026-10-25"), past_ms("2026-10-25", last=True)
    assert first is not None
    assert last is not None
    assert last - first == 25 * 3_600_000 - 1
    assert past_ms("2026-10-25 09:00", last=True) == past_ms("2026-10-25 09:00")
    assert past_ms(None, last=True) is None
