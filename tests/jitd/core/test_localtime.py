"""Moments as people type them, on the clocks of a zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitd.core.errors import JitError
from jitd.core.localtime import parse_moment, show_moment, weekday, zone_of

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Santiago",
    "UTC",
)


def ms(text: str) -> int:
    """A time with its offset, in milliseconds UTC."""
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def moment(typed: str, now: str, zone: str) -> str:
    """What is read, in UTC."""
    return show_moment(parse_moment(typed, ms(now), ZoneInfo(zone)), UTC)


def refusal(typed: str, now: str = "2026-06-01T12:00+00:00", zone: str = "UTC") -> JitError:
    """The error that a text gets."""
    with pytest.raises(JitError) as caught:
        parse_moment(typed, ms(now), ZoneInfo(zone))
    assert caught.value.code == "bad_request"
    assert caught.value.message.startswith("cannot ")
    assert caught.value.hint
    return caught.value


# 2026-11-30 is a Monday; now is 14:00 in Berlin.
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("18:00", "2026-11-30 17:00:00 UTC"),
        ("14:00", "2026-12-01 13:00:00 UTC"),
        ("14:00:01", "2026-11-30 13:00:01 UTC"),
        ("9:00", "2026-12-01 08:00:00 UTC"),
        ("00:00", "2026-11-30 23:00:00 UTC"),
        ("today 18:00", "2026-11-30 17:00:00 UTC"),
        ("tomorrow 09:00", "2026-12-01 08:00:00 UTC"),
        ("Tomorrow  09:00", "2026-12-01 08:00:00 UTC"),
        ("Mon 18:00", "2026-11-30 17:00:00 UTC"),
        ("Mon 09:00", "2026-12-07 08:00:00 UTC"),
        ("monday 09:00", "2026-12-07 08:00:00 UTC"),
        ("SUN 09:00", "2026-12-06 08:00:00 UTC"),
        ("Wednesday 09:00", "2026-12-02 08:00:00 UTC"),
        ("2026-12-01 09:00", "2026-12-01 08:00:00 UTC"),
        ("2026-12-01 09:00:30", "2026-12-01 08:00:30 UTC"),
        ("2026-12-01T09:00", "2026-12-01 08:00:00 UTC"),
        ("2026-12-01T09:00:30Z", "2026-12-01 09:00:30 UTC"),
        ("2026-12-01T09:00+02:00", "2026-12-01 07:00:00 UTC"),
        ("2026-12-01", "2026-11-30 23:00:00 UTC"),
        ("2026-12-01 UTC", "2026-12-01 00:00:00 UTC"),
        ("2026-12-01 +05:30", "2026-11-30 18:30:00 UTC"),
        ("2027-07-01 09:00", "2027-07-01 07:00:00 UTC"),
        ("2028-02-29 09:00", "2028-02-29 08:00:00 UTC"),
        ("2026-12-01 09:00 Europe/Berlin", "2026-12-01 08:00:00 UTC"),
        ("2026-12-01 09:00 America/Argentina/Buenos_Aires", "2026-12-01 12:00:00 UTC"),
        ("2026-12-01 09:00 UTC", "2026-12-01 09:00:00 UTC"),
        ("2026-12-01 09:00 Z", "2026-12-01 09:00:00 UTC"),
        ("2026-12-01 09:00 +02:00", "2026-12-01 07:00:00 UTC"),
        ("2026-12-01 09:00 -0330", "2026-12-01 12:30:00 UTC"),
        ("2026-12-01 09:00 +14", "2026-11-30 19:00:00 UTC"),
        ("2026-12-01 09:00:00 CET", "2026-12-01 08:00:00 UTC"),
        ("2027-07-01 09:00:00 CEST", "2027-07-01 07:00:00 UTC"),
        ("2026-12-01 09:00 EST5EDT", "2026-12-01 14:00:00 UTC"),
        # What is today depends on the zone in the text: in Kiritimati the first of December has begun.
        ("today 09:00 Pacific/Kiritimati", "2026-11-30 19:00:00 UTC"),
        ("tomorrow 09:00 +14:00", "2026-12-01 19:00:00 UTC"),
        ("18:00 America/New_York", "2026-11-30 23:00:00 UTC"),
    ],
)
def test_reads_what_people_type(typed: str, expected: str) -> None:
    """Times, days and dates are read on the clocks of the caller's zone, or of the zone in the text."""
    assert moment(typed, "2026-11-30T14:00:00+01:00", "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("zone", "now", "typed", "expected"),
    [
        # Forward in Berlin: 02:00 CET to 03:00 CEST on 2026-03-29.
        ("Europe/Berlin", "2026-03-28T12:00+01:00", "2026-03-29 01:59", "2026-03-29 00:59:00 UTC"),
        ("Europe/Berlin", "2026-03-28T12:00+01:00", "tomorrow 03:00", "2026-03-29 01:00:00 UTC"),
        ("Europe/Berlin", "2026-03-29T03:10+02:00", "02:30", "2026-03-30 00:30:00 UTC"),
        # Back in Berlin: 03:00 CEST to 02:00 CET on 2026-10-25.
        ("Europe/Berlin", "2026-10-24T12:00+02:00", "tomorrow 01:59", "2026-10-24 23:59:00 UTC"),
        ("Europe/Berlin", "2026-10-24T12:00+02:00", "tomorrow 03:00", "2026-10-25 02:00:00 UTC"),
        ("Europe/Berlin", "2026-10-24T12:00+02:00", "2026-10-25 02:30 +02:00", "2026-10-25 00:30:00 UTC"),
        ("Europe/Berlin", "2026-10-24T12:00+02:00", "2026-10-25 02:30 +01:00", "2026-10-25 01:30:00 UTC"),
        ("Europe/Berlin", "2026-10-24T12:00+02:00", "2026-10-25 02:30:00 CEST", "2026-10-25 00:30:00 UTC"),
        ("Europe/Berlin", "2026-10-24T12:00+02:00", "2026-10-25 02:30:00 CET", "2026-10-25 01:30:00 UTC"),
        ("Europe/Berlin", "2026-10-25T02:30+01:00", "02:30", "2026-10-26 01:30:00 UTC"),
        ("America/New_York", "2026-03-07T12:00-05:00", "tomorrow 03:00", "2026-03-08 07:00:00 UTC"),
        ("America/New_York", "2026-10-31T12:00-04:00", "tomorrow 02:00", "2026-11-01 07:00:00 UTC"),
        # Half an hour on Lord Howe: forward at 02:00 on 2026-10-04, back at 02:00 on 2026-04-05.
        ("Australia/Lord_Howe", "2026-10-03T12:00+10:30", "tomorrow 02:30", "2026-10-03 15:30:00 UTC"),
        ("Australia/Lord_Howe", "2026-04-04T12:00+11:00", "tomorrow 01:29", "2026-04-04 14:29:00 UTC"),
        ("Australia/Lord_Howe", "2026-04-04T12:00+11:00", "tomorrow 02:00", "2026-04-04 15:30:00 UTC"),
        (
            "Australia/Lord_Howe",
            "2026-04-04T12:00+11:00",
            "2026-04-05 01:45 +1030",
            "2026-04-04 15:15:00 UTC",
        ),
        ("Asia/Kolkata", "2026-03-28T12:00+05:30", "tomorrow 02:30", "2026-03-28 21:00:00 UTC"),
        ("UTC", "2026-03-28T12:00+00:00", "tomorrow 02:30", "2026-03-29 02:30:00 UTC"),
    ],
)
def test_days_on_which_the_clocks_change(zone: str, now: str, typed: str, expected: str) -> None:
    """Around a change of the clocks, times with one reading get it, and an offset or abbreviation picks one of two."""
    assert moment(typed, now, zone) == expected


@pytest.mark.parametrize(
    ("zone", "now", "typed", "parts", "hinted"),
    [
        (
            "Europe/Berlin",
            "2026-03-28T12:00+01:00",
            "02:30",
            [
                "does not exist in Europe/Berlin",
                "+01:00 it would be 2026-03-29 03:30:00 CEST",
                "01:30:00 CET",
            ],
            '"2026-03-29 02:30 +01:00" or "2026-03-29 02:30 +02:00"',
        ),
        (
            "Europe/Berlin",
            "2026-03-28T12:00+01:00",
            "2026-03-29 02:00",
            ["does not exist", "2026-03-29 03:00:00 CEST", "2026-03-29 01:00:00 CET"],
            '"2026-03-29 02:00 +01:00"',
        ),
        (
            "Europe/Berlin",
            "2026-10-24T12:00+02:00",
            "2026-10-25 02:30",
            ["exists twice in Europe/Berlin", "02:30:00 CEST (+02:00)", "02:30:00 CET (+01:00)"],
            '"2026-10-25 02:30 +02:00" or "2026-10-25 02:30 +01:00"',
        ),
        # One of the two is over already, which the typist may not know.
        ("Europe/Berlin", "2026-10-25T02:45+02:00", "02:30", ["exists twice"], '"2026-10-25 02:30 +01:00"'),
        (
            "UTC",
            "2026-10-24T12:00+00:00",
            "2026-10-25 02:30 Europe/Berlin",
            ["exists twice in Europe/Berlin"],
            "+02:00",
        ),
        (
            "America/New_York",
            "2026-10-31T12:00-04:00",
            "Sun 01:30",
            ["exists twice", "01:30:00 EDT (-04:00)", "01:30:00 EST (-05:00)"],
            '"2026-11-01 01:30 -04:00"',
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-03T12:00+10:30",
            "tomorrow 02:15:30",
            ["does not exist", "2026-10-04 02:45:30 +11", "2026-10-04 01:45:30 +1030"],
            '"2026-10-04 02:15:30 +10:30" or "2026-10-04 02:15:30 +11:00"',
        ),
        # A midnight that is skipped.
        (
            "America/Santiago",
            "2026-09-01T12:00-04:00",
            "2026-09-06",
            ["2026-09-06 00:00 does not exist"],
            "-04:00",
        ),
    ],
)
def test_never_guesses_between_two_readings(
    zone: str, now: str, typed: str, parts: list[str], hinted: str
) -> None:
    """A time that is skipped or shown twice is refused with both readings, and the hint tells how to pick one."""
    error = refusal(typed, now, zone)
    for part in parts:
        assert part in error.message
    assert hinted in error.hint


@pytest.mark.parametrize(
    ("typed", "was"),
    [
        ("today 11:00", "2026-06-01 11:00:00 UTC"),
        ("today 12:00", "2026-06-01 12:00:00 UTC"),
        ("2026-06-01", "2026-06-01 00:00:00 UTC"),
        ("2025-12-01 09:00 Europe/Berlin", "2025-12-01 09:00:00 CET"),
        ("2025-10-26 02:30 Europe/Berlin", "2025-10-26 02:30:00 CET"),
        ("1970-01-01 00:00 +14:00", "1970-01-01 00:00:00 UTC+14:00"),
    ],
)
def test_refuses_what_is_over(typed: str, was: str) -> None:
    """A moment that is not in the future is refused, with what it was and what time it is now."""
    error = refusal(typed)
    assert f"it is not in the future, it was {was}" in error.message
    assert "It is 2026-06-01 12:00:00" in refusal("today 11:00").hint


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "it is not a time"),
        ("now", "it is not a time"),
        ("tomorrow at noon", "it is not a time"),
        ("Monda", "it is not a time"),
        ("8", "it is not a time"),
        ("9am", "it is not a time"),
        ("18.00", "it is not a time"),
        ("1800", "it is not a time"),
        ("18:0", "it is not a time"),
        ("18:00.5", "it is not a time"),
        ("18:00:00.", "it is not a time"),
        (" 18:00", "it is not a time"),
        ("18:00 ", "it is not a time"),
        ("18:00\n", "it is not a time"),
        ("18:00\t+02:00", "it is not a time"),
        ("\u0661\u0668:\u0660\u0660", "it is not a time"),
        ("2026-12-01x09:00", "it is not a time"),
        ("2026-12-0109:00", "it is not a time"),
        ("2026-12-01+02:00", "it is not a time"),
        ("26-12-01 09:00", "it is not a time"),
        ("01.12.2026 09:00", "it is not a time"),
        ("12/01/2026 09:00", "it is not a time"),
        ("2026-12-01 09:00 +02:00 Europe/Berlin", "it is not a time"),
        ("18:00 +2", "it is not a time"),
        ("18:00 ../../etc/passwd", "it is not a time"),
        ("18:00 " + "A" * 200, "it is not a time"),
        ("9" * 100_000, "it is not a time"),
        ("24:00", "there is no such time of day"),
        ("25:00", "there is no such time of day"),
        ("12:60", "there is no such time of day"),
        ("12:00:60", "there is no such time of day"),
        ("2026-02-29 09:00", "there is no such day"),
        ("2026-13-01", "there is no such day"),
        ("0000-01-01", "there is no such day"),
        ("0001-01-01 00:00 +14:00", "the year is not between 1970 and 2199"),
        ("9999-12-31 23:59 -14:00", "the year is not between 1970 and 2199"),
        ("yesterday 09:00", "'yesterday' is not a day"),
        ("Mo 09:00", "'Mo' is not a day"),
        ("next 09:00", "'next' is not a day"),
        ("18:00 +15:00", "there is no offset +15:00"),
        ("18:00 +14:01", "there is no offset +14:01"),
        ("18:00 +02:60", "there is no offset +02:60"),
        ("18:00 Mars/Base", "cannot find the time zone 'Mars/Base'"),
        ("18:00 right/UTC", "cannot find the time zone 'right/UTC'"),
        ("18:00 CEST", "cannot find the time zone 'CEST'"),
        ("2026-07-01 09:00 CET", "CET is not in force then"),
    ],
)
def test_refuses_everything_else(typed: str, why: str) -> None:
    """Nothing else is taken for a time, and the error says why."""
    assert why in refusal(typed).message


def test_hostile_text_reaches_no_terminal() -> None:
    """Escape and bidi characters of what was typed are not in the message, and a long text is cut."""
    for hostile in ("\x1b]0;owned\x07 18:00", "18:00 \u202egnp.exe", "\x9b31m" * 1000):
        message = refusal(hostile).message
        assert message.isprintable()
        assert len(message) < 200


@pytest.mark.parametrize(
    ("name", "hinted"),
    [
        ("Europe/Berln", "Did you mean Europe/Berlin"),
        ("europe/berlin", "Did you mean Europe/Berlin"),
        ("Berlin", "Did you mean Europe/Berlin"),
        ("new_york", "America/New_York"),
        ("Europe", "such as Europe/Berlin"),
        ("IST", "such as Europe/Berlin"),
        ("", "such as Europe/Berlin"),
        ("+02:00", "such as Europe/Berlin"),
        ("/etc/passwd", "such as Europe/Berlin"),
        ("../zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("Europe/../Europe/Berlin", "Europe/Berlin"),
        ("Europe//Berlin", "Europe/Berlin"),
        ("right/Europe/Berlin", "Europe/Berlin"),
        ("posix/Europe/Berlin", "Europe/Berlin"),
        ("posixrules", "such as Europe/Berlin"),
        ("localtime", "such as Europe/Berlin"),
        ("Factory", "such as Europe/Berlin"),
        ("zone.tab", "such as Europe/Berlin"),
        ("leapseconds", "such as Europe/Berlin"),
        ("Europe/Berlin\n", "Europe/Berlin"),
        ("Europe/Berlin\0", "Europe/Berlin"),
        ("Europe/B\u0435rlin", "Europe/Berlin"),  # a Cyrillic letter
        ("A" * 100_000, "such as Europe/Berlin"),
    ],
)
def test_refuses_what_is_no_zone(name: str, hinted: str) -> None:
    """Only names of zones are looked up, no paths and no other files, and similar names are suggested."""
    with pytest.raises(JitError) as caught:
        zone_of(name)
    assert caught.value.code == "bad_request"
    assert caught.value.message.startswith("cannot find the time zone ")
    assert caught.value.message.isprintable()
    assert hinted in caught.value.hint


@pytest.mark.parametrize(
    "name", [*ZONES, "America/Port-au-Prince", "Etc/GMT+12", "GMT", "CET", "EST5EDT", "W-SU"]
)
def test_finds_zones(name: str) -> None:
    """Every spelling of zones that the database knows is found."""
    assert zone_of(name).key == name


def test_says_when_the_machine_has_no_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a time zone database the hint says what to install."""
    monkeypatch.setattr("jitd.core.localtime._zone_names", dict)
    with pytest.raises(JitError) as caught:
        zone_of("Europe/Nowhere")
    assert "tzdata" in caught.value.hint


def test_days_of_the_week() -> None:
    """Short and long names count from Monday, in any case; others name no day."""
    assert [weekday(name) for name in ("Mon", "TUESDAY", "wed", "Sun")] == [0, 1, 2, 6]
    assert [weekday(name) for name in ("", "m", "Mo", "mond", "daily")] == [None] * 5


def test_shows_the_zone() -> None:
    """A moment is shown with the name that the zone's clocks have then."""
    assert show_moment(ms("2026-12-01T08:00+00:00"), ZoneInfo("Europe/Berlin")) == "2026-12-01 09:00:00 CET"
    assert (
        show_moment(ms("2026-07-01T08:00+00:00") + 999, ZoneInfo("Europe/Berlin"))
        == "2026-07-01 10:00:00 CEST"
    )


@given(
    st.sampled_from(ZONES),
    st.integers(ms("2026-01-01T00:00+00:00") // 1000, ms("2030-01-01T00:00+00:00") // 1000),
)
@settings(deadline=None)  # the machine may be busy
def test_reads_what_it_shows(name: str, at: int) -> None:
    """Every moment can be typed as it is shown, also in the hours that the clocks show twice."""
    zone = ZoneInfo(name)
    assert parse_moment(show_moment(at * 1000, zone), at * 1000 - 1, zone) == at * 1000


@given(
    st.sampled_from(ZONES),
    st.integers(ms("2026-01-01T00:00+00:00") // 60_000, ms("2028-01-01T00:00+00:00") // 60_000),
    st.times(),
    st.sampled_from(("", "Mon ", "sunday ")),
)
@settings(deadline=None)  # the machine may be busy
def test_the_next_one(name: str, now: int, clock: datetime, day: str) -> None:
    """A time of day is read as the first minute after now at which the clocks show it, or refused on a day of change."""
    zone, typed = ZoneInfo(name), f"{day}{clock:%H:%M}"
    start = datetime.fromtimestamp(now * 60, UTC)
    found = next(
        at
        for at in (start + timedelta(minutes=passed) for passed in range(1, 15 * 24 * 60))
        if f"{at.astimezone(zone):%H:%M}" == f"{clock:%H:%M}"
        and (not day or at.astimezone(zone).weekday() == weekday(day.strip()))
    )
    try:
        read = parse_moment(typed, now * 60_000, zone)
    except JitError as error:
        assert "exists twice" in error.message or "does not exist" in error.message
    else:
        assert read == int(found.timestamp()) * 1000


@given(
    st.text(max_size=30)
    | st.from_regex(r"[A-Za-z0-9]{0,10} ?[0-9:-]{0,16} ?[A-Za-z/+0-9:]{0,12}", fullmatch=True)
)
@settings(deadline=None)  # the machine may be busy
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes it fail in another way, and what it accepts is in the future."""
    now = ms("2026-06-01T12:00+00:00")
    try:
        read = parse_moment(text, now, ZoneInfo("Europe/Berlin"))
    except JitError as error:
        assert error.code == "bad_request"
        assert error.message.isprintable()
    else:
        assert read > now
