"""Shifts: weekly hours on the clocks of a zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jitd.core.errors import JitError
from jitd.core.hours import Shift, Window, is_open, next_open, parse_hours, shift_at
from jitd.core.localtime import show_moment

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana", "UTC")


def ms(text: str) -> int:
    """A time with its offset, in milliseconds UTC."""
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def windows(*typed: str) -> list[Window]:
    """Several windows."""
    return [parse_hours(one) for one in typed]


def shown(at_ms: int | None) -> str | None:
    """A moment in UTC, to the minute."""
    return None if at_ms is None else show_moment(at_ms, UTC)[:16]


@pytest.mark.parametrize(
    ("typed", "days", "start", "end", "canonical"),
    [
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "01234", 480, 1080, None),
        ("Sat,Sun 10:00-14:00 UTC", "56", 600, 840, None),
        ("Fri 22:00-06:00 Europe/London", "4", 1320, 1800, None),
        ("daily 00:00-24:00 UTC", "0123456", 0, 1440, None),
        ("Fri-Mon 00:00-00:01 Asia/Kolkata", "4560", 0, 1, None),
        ("Sun,Mon 23:59-23:58 UTC", "60", 1439, 2878, None),
        ("Mon,Wed,Fri-Sun 08:00-09:00 UTC", "02456", 480, 540, "Wed,Fri-Mon 08:00-09:00 UTC"),
        ("Tue,Thu-Sat 08:00-09:00 UTC", "1345", 480, 540, None),
        ("monday-FRIDAY 8:00-9:30 UTC", "01234", 480, 570, "Mon-Fri 08:00-09:30 UTC"),
        ("Sun, Sat  10:00-14:00  UTC", "56", 600, 840, "Sat,Sun 10:00-14:00 UTC"),
        ("Mon-Tue 08:00-09:00 UTC", "01", 480, 540, "Mon,Tue 08:00-09:00 UTC"),
        ("Mon,Tue,Wed,Tue 08:00-09:00 UTC", "012", 480, 540, "Mon-Wed 08:00-09:00 UTC"),
        ("Mon-Sun 08:00-09:00 UTC", "0123456", 480, 540, "daily 08:00-09:00 UTC"),
        ("Thu-Wed 08:00-09:00 UTC", "0123456", 480, 540, "daily 08:00-09:00 UTC"),
        ("Daily 22:00-0:00 UTC", "0123456", 1320, 1440, "daily 22:00-24:00 UTC"),
    ],
)
def test_reads_what_people_type(typed: str, days: str, start: int, end: int, canonical: str | None) -> None:
    """Days, hours and zone are read, and shown in one spelling."""
    window = parse_hours(typed)
    assert window.days == {int(day) for day in days}
    assert (window.start, window.end) == (start, end)
    assert str(window) == (canonical or typed)


@pytest.mark.parametrize(
    ("typed", "why", "hinted"),
    [
        ("", "not days and hours", "Mon-Fri 08:00-18:00 Europe/Berlin"),
        ("Mon-Fri", "not days and hours", "for example"),
        ("08:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon-Fri 08:00 UTC", "not days and hours", "for example"),
        ("Mon-Fri 0800-1800 UTC", "not days and hours", "for example"),
        ("Mon-Fri 8-18 UTC", "not days and hours", "for example"),
        ("Mon-Fri 08:00:00-18:00:00 UTC", "not days and hours", "for example"),
        ("Mon-Fri 08:00 - 18:00 UTC", "not days and hours", "for example"),
        ("Mon\u2013Fri 08:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon-Wed-Fri 08:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon,,Tue 08:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon-Fri 08:00-18:00 UTC UTC", "not days and hours", "for example"),
        (" Mon-Fri 08:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon-Fri 08:00-18:00 ", "not days and hours", "for example"),
        ("Mon-Fri \u0660\u0668:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon 08:00-18:00 " + "A" * 300, "not days and hours", "for example"),
        ("Mon," * 50_000 + "Mon 08:00-18:00 UTC", "not days and hours", "for example"),
        ("Mon-Fri 08:00-18:00", "they name no time zone", '"Mon-Fri 08:00-18:00 Europe/Berlin"'),
        ("Mo-Fr 08:00-18:00 UTC", "'Mo' is not a day", "Days are Mon, Tue, Wed"),
        ("Mon,daily 08:00-18:00 UTC", "'daily' is not a day", "or daily"),
        ("weekdays 08:00-18:00 UTC", "'weekdays' is not a day", "Days are Mon"),
        ("Mon-Mon 08:00-18:00 UTC", "begins and ends with the same day", "that day alone"),
        ("Mon 08:00-08:00 UTC", "they end when they begin", "00:00-24:00"),
        ("Mon 00:00-00:00 UTC", "they end when they begin", "00:00-24:00"),
        ("Mon 24:00-24:00 UTC", "they end when they begin", "00:00-24:00"),
        ("Mon 24:00-06:00 UTC", "a time cannot begin at 24:00", "the next day"),
        ("Mon 08:00-24:01 UTC", "there is no time of day 24:01", "for example"),
        ("Mon 08:60-18:00 UTC", "there is no time of day 08:60", "for example"),
        ("Mon 99:00-18:00 UTC", "there is no time of day 99:00", "for example"),
        ("Mon 08:00-18:00 Europe/Berln", "cannot find the time zone 'Europe/Berln'", "Europe/Berlin"),
        ("Mon 08:00-18:00 +02:00", "cannot find the time zone '+02:00'", "Europe/Berlin"),
        ("Mon 08:00-18:00 ../../etc/passwd", "cannot find the time zone", "such as"),
        ("Mon 08:00-18:00 UTC\n", "cannot find the time zone 'UTC'", "UTC"),
    ],
)
def test_refuses_everything_else(typed: str, why: str, hinted: str) -> None:
    """Hours that cannot be read are refused; the error says why and what to type."""
    with pytest.raises(JitError) as caught:
        parse_hours(typed)
    assert caught.value.code == "bad_request"
    assert caught.value.message.startswith("cannot ")
    assert why in caught.value.message
    assert hinted in caught.value.hint
    assert len(caught.value.message) < 200


OFFICE = ("Mon-Fri 08:00-18:00 Europe/Berlin",)
NIGHT = ("Fri 22:00-06:00 Europe/London",)
SPLIT = ("Fri 22:00-24:00 UTC", "Sat 00:00-06:00 UTC")
MIXED = ("Mon-Fri 08:00-12:00 Europe/Berlin", "Mon-Fri 12:00-18:00 Europe/Berlin", "Sat 10:00-12:00 UTC")
WRAPPED = ("Fri-Mon 00:00-24:00 UTC",)
HANDOVER = ("Mon 08:00-16:00 Europe/Berlin", "Mon 10:00-18:00 America/New_York")


# 2026-06-01 is a Monday. Berlin is at +02:00, London at +01:00, New York at -04:00 in June.
@pytest.mark.parametrize(
    ("typed", "at", "start", "end", "following"),
    [
        (OFFICE, "2026-06-01T07:59:59+02:00", None, None, "2026-06-01 06:00"),
        (OFFICE, "2026-06-01T08:00+02:00", "2026-06-01 06:00", "2026-06-01 16:00", None),
        (OFFICE, "2026-06-01T17:59:59+02:00", "2026-06-01 06:00", "2026-06-01 16:00", None),
        (OFFICE, "2026-06-01T18:00+02:00", None, None, "2026-06-02 06:00"),
        (OFFICE, "2026-06-05T18:00+02:00", None, None, "2026-06-08 06:00"),
        (OFFICE, "2026-06-06T12:00+02:00", None, None, "2026-06-08 06:00"),
        (NIGHT, "2026-06-05T21:59+01:00", None, None, "2026-06-05 21:00"),
        (NIGHT, "2026-06-05T22:00+01:00", "2026-06-05 21:00", "2026-06-06 05:00", None),
        (NIGHT, "2026-06-06T05:59+01:00", "2026-06-05 21:00", "2026-06-06 05:00", None),
        (NIGHT, "2026-06-06T06:00+01:00", None, None, "2026-06-12 21:00"),
        (NIGHT, "2026-06-05T02:00+01:00", None, None, "2026-06-05 21:00"),
        (SPLIT, "2026-06-05T23:00+00:00", "2026-06-05 22:00", "2026-06-06 06:00", None),
        (SPLIT, "2026-06-06T00:00+00:00", "2026-06-05 22:00", "2026-06-06 06:00", None),
        (MIXED, "2026-06-01T09:00+02:00", "2026-06-01 06:00", "2026-06-01 16:00", None),
        (MIXED, "2026-06-05T20:00+02:00", None, None, "2026-06-06 10:00"),
        (MIXED, "2026-06-06T11:00+00:00", "2026-06-06 10:00", "2026-06-06 12:00", None),
        (WRAPPED, "2026-06-08T12:00+00:00", "2026-06-05 00:00", "2026-06-09 00:00", None),
        (WRAPPED, "2026-06-09T00:00+00:00", None, None, "2026-06-12 00:00"),
        (("Sun 22:00-06:00 UTC",), "2026-06-08T05:00+00:00", "2026-06-07 22:00", "2026-06-08 06:00", None),
        (
            ("daily 18:00-06:00 Asia/Kolkata",),
            "2026-06-01T00:00+05:30",
            "2026-05-31 12:30",
            "2026-06-01 00:30",
            None,
        ),
        (("daily 12:00-11:59 UTC",), "2026-06-01T12:00+00:00", "2026-06-01 12:00", "2026-06-02 11:59", None),
        # Berlin hands over to New York at the same moment in summer; in March, New York is an hour early.
        (HANDOVER, "2026-06-01T09:00+02:00", "2026-06-01 06:00", "2026-06-01 22:00", None),
        (HANDOVER, "2026-11-02T14:30+01:00", "2026-11-02 07:00", "2026-11-02 23:00", None),
        (HANDOVER, "2026-10-26T14:30+01:00", "2026-10-26 07:00", "2026-10-26 22:00", None),
        ((), "2026-06-01T12:00+00:00", None, None, None),
    ],
)
def test_shifts(
    typed: tuple[str, ...], at: str, start: str | None, end: str | None, following: str | None
) -> None:
    """A shift is known by its start and its end, which is closed already; outside, the next start is."""
    given_windows, at_ms = windows(*typed), ms(at)
    shift = shift_at(given_windows, at_ms)
    assert is_open(given_windows, at_ms) is (start is not None)
    if shift is None:
        assert start is None
        assert shown(next_open(given_windows, at_ms)) == following
    else:
        assert (shown(shift.start_ms), shown(shift.end_ms)) == (start, end)
        assert next_open(given_windows, at_ms) == at_ms


@pytest.mark.parametrize(
    ("typed", "at", "start", "end"),
    [
        # Forward: a day of 23 hours, hours that lose one, a start and an end that are skipped.
        ("Sun 00:00-24:00 Europe/Berlin", "2026-03-29T12:00+02:00", "2026-03-28 23:00", "2026-03-29 22:00"),
        ("Sat 22:00-06:00 Europe/Berlin", "2026-03-29T00:00+01:00", "2026-03-28 21:00", "2026-03-29 04:00"),
        ("Sun 02:30-06:00 Europe/Berlin", "2026-03-29T03:00+02:00", "2026-03-29 01:00", "2026-03-29 04:00"),
        ("Sun 00:00-02:30 Europe/Berlin", "2026-03-29T01:59+01:00", "2026-03-28 23:00", "2026-03-29 01:00"),
        ("Sun 02:00-03:00 Europe/Berlin", "2026-03-29T03:00+02:00", None, None),
        (
            "Sun 02:30-06:00 America/New_York",
            "2026-03-08T03:00-04:00",
            "2026-03-08 07:00",
            "2026-03-08 10:00",
        ),
        (
            "Sun 02:15-06:00 Australia/Lord_Howe",
            "2026-10-04T02:30+11:00",
            "2026-10-03 15:30",
            "2026-10-03 19:00",
        ),
        # Back: a day of 25 hours, hours that gain one, a start (the later) and an end (the earlier) shown twice.
        ("Sun 00:00-24:00 Europe/Berlin", "2026-10-25T12:00+01:00", "2026-10-24 22:00", "2026-10-25 23:00"),
        ("Sat 22:00-06:00 Europe/Berlin", "2026-10-25T00:00+02:00", "2026-10-24 20:00", "2026-10-25 05:00"),
        ("Sun 02:30-06:00 Europe/Berlin", "2026-10-25T02:30+02:00", None, None),
        ("Sun 02:30-06:00 Europe/Berlin", "2026-10-25T02:30+01:00", "2026-10-25 01:30", "2026-10-25 05:00"),
        ("Sun 00:00-02:30 Europe/Berlin", "2026-10-25T02:29+02:00", "2026-10-24 22:00", "2026-10-25 00:30"),
        ("Sun 00:00-02:30 Europe/Berlin", "2026-10-25T02:00+01:00", None, None),
        ("Sun 02:15-02:45 Europe/Berlin", "2026-10-25T02:30+02:00", None, None),
        ("Sun 02:15-02:45 Europe/Berlin", "2026-10-25T02:30+01:00", None, None),
        (
            "Sun 00:00-01:30 America/New_York",
            "2026-11-01T01:00-04:00",
            "2026-11-01 04:00",
            "2026-11-01 05:30",
        ),
        (
            "Sun 01:45-06:00 Australia/Lord_Howe",
            "2026-04-05T01:45+10:30",
            "2026-04-04 15:15",
            "2026-04-04 19:30",
        ),
        # The whole first hour of the day twice: Havana goes from 01:00 back to 00:00.
        ("Sat 12:00-24:00 America/Havana", "2026-10-31T23:59-04:00", "2026-10-31 16:00", "2026-11-01 04:00"),
        ("Sun 00:00-12:00 America/Havana", "2026-11-01T00:00-04:00", None, None),
        ("Sun 00:00-12:00 America/Havana", "2026-11-01T00:00-05:00", "2026-11-01 05:00", "2026-11-01 17:00"),
    ],
)
def test_days_on_which_the_clocks_change(typed: str, at: str, start: str | None, end: str | None) -> None:
    """Wall times hold on these days too, and where they have two readings or none, nothing is open longer for it."""
    shift = shift_at(windows(typed), ms(at))
    assert (shown(shift.start_ms), shown(shift.end_ms)) == (start, end) if shift else start is None


def test_windows_that_adjoin_in_a_doubled_hour_have_no_hole() -> None:
    """Hours that go on at the very wall time at which others end are one shift when the clocks show it twice."""
    halves = windows("Sun 00:00-02:30 Europe/Berlin", "Sun 02:30-06:00 Europe/Berlin")
    assert shift_at(halves, ms("2026-10-25T02:45+02:00")) == Shift(
        ms("2026-10-25T00:00+02:00"), ms("2026-10-25T06:00+01:00")
    )


@pytest.mark.parametrize(
    "typed",
    [
        ("daily 00:00-24:00 Europe/Berlin",),
        ("daily 00:00-24:00 America/Havana",),
        ("daily 06:00-18:00 America/New_York", "daily 18:00-06:00 America/New_York"),
        ("Mon-Fri 00:00-24:00 UTC", "Sat,Sun 00:00-24:00 UTC"),
        ("daily 00:00-13:00 UTC", "daily 08:00-20:00 America/New_York", "daily 20:00-02:00 UTC"),
    ],
)
def test_around_the_clock_never_ends(typed: tuple[str, ...]) -> None:
    """Windows that leave no hole have no end and no start, on whatever day."""
    for at in ("2026-06-01T12:00+00:00", "2026-03-29T01:00+00:00", "2026-11-01T04:30+00:00"):
        assert shift_at(windows(*typed), ms(at)) == Shift(None, None)


def test_zones_that_part_later_are_seen_to_part() -> None:
    """Two zones that cover the day together until one of them changes its clocks have their end on that day."""
    both = windows("daily 00:00-12:00 Europe/Berlin", "daily 06:00-18:00 America/New_York")
    shift = shift_at(both, ms("2026-06-01T12:00+00:00"))
    assert shift == Shift(ms("2026-03-28T23:00+00:00"), ms("2026-10-25T22:00+00:00"))


# Hypothesis

spans = st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda span: span[0] != span[1] % 1440)
whole = st.just((0, 1440))


@st.composite
def any_window(draw: st.DrawFn) -> Window:
    """A window as it can be typed; often with full hours, so that windows adjoin and meet changes of the clocks."""
    full_hours = st.tuples(st.integers(0, 5), st.integers(0, 6)).map(
        lambda span: (span[0] * 60, span[1] * 60)
    )
    start, end = draw(spans | whole | full_hours.filter(lambda span: span[0] != span[1]))
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return Window(days, start, end if end > start else end + 1440, ZoneInfo(draw(st.sampled_from(ZONES))))


def wall_is_in(window: Window, wall: datetime) -> bool:
    """Whether the window names this wall time."""
    minute = wall.hour * 60 + wall.minute
    today, yesterday = wall.weekday(), (wall.weekday() - 1) % 7
    return (today in window.days and window.start <= minute < window.end) or (
        yesterday in window.days and window.start <= minute + 1440 < window.end
    )


def model_is_open(some: list[Window], at: datetime) -> bool:
    """The same, minute by minute, from what the clocks show.

    In an hour that is shown twice, what is open the first time has been open since before it, and what is open the
    second time stays open until after it.
    """
    for zone in {window.zone for window in some}:
        ours = [window for window in some if window.zone == zone]
        local = at.astimezone(zone)
        step = timedelta(minutes=1 if local.fold else -1)
        wall = local.replace(tzinfo=None, fold=0)
        good = True
        while (
            good
            and wall.replace(tzinfo=zone, fold=0).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset()
        ):
            good = any(wall_is_in(window, wall) for window in ours)
            wall += step
        # After the hour, the last minute within it was looked at; before it, this is the one that leads to it.
        if good and (local.fold or any(wall_is_in(window, wall) for window in ours)):
            return True
    return False


#: Days around changes of the clocks in the zones, and an ordinary week.
near_changes = st.sampled_from(
    ["2026-03-08", "2026-03-29", "2026-04-05", "2026-06-03", "2026-10-04", "2026-10-25", "2026-11-01"]
).flatmap(lambda day: st.integers(-1800, 3 * 1440).map(lambda more: ms(f"{day}T00:00+00:00") + more * MINUTE))
some_windows = st.lists(any_window(), min_size=1, max_size=4)


@given(any_window())
@settings(deadline=None)  # the machine may be busy
def test_reads_what_it_shows(window: Window) -> None:
    """Every window survives being shown and read again."""
    assert parse_hours(str(window)) == window


@given(some_windows, near_changes)
@settings(deadline=None)  # the machine may be busy
def test_open_as_the_clocks_show(some: list[Window], at_ms: int) -> None:
    """Open is what a walk over the clocks' minutes finds open; no part of a minute differs from its beginning."""
    expected = model_is_open(some, datetime.fromtimestamp(at_ms // 1000, UTC))
    assert is_open(some, at_ms) is expected
    assert is_open(some, at_ms + MINUTE - 1) is expected
    assert (shift_at(some, at_ms) is not None) is expected


@given(some_windows, near_changes)
@settings(max_examples=30, deadline=None)
def test_ends_at_the_first_closed_minute(some: list[Window], at_ms: int) -> None:
    """A shift is open from its start, which follows a closed minute, through every minute up to the first closed one."""
    shift = shift_at(some, at_ms)
    assume(shift is not None)
    assert shift is not None
    start, end = shift.start_ms, shift.end_ms
    assert start is None or start <= at_ms
    assert end is None or end > at_ms
    assert start is None or not is_open(some, start - 1)
    assert end is None or not is_open(some, end)
    last = min(at_ms + 2 * DAY, end or at_ms + 2 * DAY)
    minutes = range(at_ms, last, MINUTE)
    assert all(model_is_open(some, datetime.fromtimestamp(one // 1000, UTC)) for one in minutes)


@given(some_windows, near_changes)
@settings(max_examples=30, deadline=None)
def test_opens_at_the_first_open_minute(some: list[Window], at_ms: int) -> None:
    """The next opening is the first open minute, and nothing is open before it."""
    found = next_open(some, at_ms)
    assert found is not None
    assert is_open(some, found)
    minutes = range(at_ms, min(found, at_ms + 2 * DAY), MINUTE)
    assert not any(model_is_open(some, datetime.fromtimestamp(one // 1000, UTC)) for one in minutes)


@given(some_windows, any_window(), near_changes)
@settings(deadline=None)  # the machine may be busy
def test_a_window_less_opens_nothing(some: list[Window], more: Window, at_ms: int) -> None:
    """Taking a window away opens nothing that was closed."""
    assert is_open([*some, more], at_ms) or not is_open(some, at_ms)


@given(
    st.text(max_size=30) | st.from_regex(r"[A-Za-z,-]{0,12} ?[0-9:-]{0,12} ?[A-Za-z/+]{0,12}", fullmatch=True)
)
@settings(deadline=None)  # the machine may be busy
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes it fail in another way."""
    try:
        parse_hours(text)
    except JitError as error:
        assert error.code == "bad_request"
        assert error.message.isprintable()
