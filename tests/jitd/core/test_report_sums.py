"""Medians, classes of waits, and which rules are suggested to whom."""

import shlex
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import durations, principals, settings
from jitd.core.policyfile import usual
from jitd.core.report import (
    MARKS,
    MOST_MARKS,
    Habit,
    Tally,
    mark_of,
    percentile,
    suggest,
    wait_class,
)

HOUR, DAY, WEEK = durations.HOUR, durations.DAY, durations.WEEK
OFFICE = replace(usual("office", 0), id=1, routes=(ip_network("10.0.0.0/8"),))
#: Once a week, four weeks long.
WEEKLY = Habit(
    user="alice",
    network="office",
    granted=8,
    weeks=4,
    days=8,
    usual_ms=90 * durations.MINUTE,
    open_ms=8 * HOUR,
    used=8,
)


@given(st.lists(st.integers(0, 1000), min_size=1), st.sampled_from([0.5, 0.9, 1.0]))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values: list[int], share: float) -> None:
    """At least the share is at most the percentile, and less than the share is below it."""
    counts = {value: values.count(value) for value in values}
    found = percentile(counts, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_nothing_has_no_median() -> None:
    """Where nobody decided anything there is none."""
    assert percentile({}, 0.5) is None


@given(st.integers(0, 400 * DAY))
def test_a_wait_is_told_within_a_twentieth(wait_ms: int) -> None:
    """Rounded down, by at most a twentieth or a second."""
    found = wait_class(wait_ms)
    assert found <= wait_ms
    assert wait_ms - found <= max(durations.SECOND, wait_ms / 20)


@given(st.integers(0, 400 * DAY), st.integers(0, 400 * DAY))
def test_longer_waits_are_in_no_lower_class(one: int, other: int) -> None:
    """The order of waits is that of their classes, so that a median of classes is the class of the median."""
    assert (wait_class(one) <= wait_class(other)) or one > other


@given(st.integers(1, 2**54))
def test_a_chart_has_few_marks(span_ms: int) -> None:
    """However long the time is, MOST_MARKS are enough; within twenty years they are of a size that has a name."""
    assert -(-span_ms // mark_of(span_ms)) <= MOST_MARKS
    assert mark_of(span_ms) in MARKS or span_ms > 20 * 365 * DAY


def test_who_asks_every_week_gets_a_rule() -> None:
    """What is usual rounded up, a quarter more than the habit; the command is what people type."""
    assert [one.command for one in suggest([WEEKLY], {}, {"office": OFFICE}, 4 * WEEK)] == [
        "jitctl network set office 'jit.auto_approve+=alice up to 1h30m, 3 a week'"
    ]


def test_those_of_one_network_share_a_rule() -> None:
    """One rule for all of them, as wide as the widest needs."""
    bob = replace(WEEKLY, user="bob", granted=16, usual_ms=HOUR)
    assert [one.command for one in suggest([WEEKLY, bob], {}, {"office": OFFICE}, 4 * WEEK)] == [
        "jitctl network set office 'jit.auto_approve+=alice,bob up to 1h30m, 5 a week'"
    ]


def test_who_works_there_every_day_gets_standing_access() -> None:
    """On 20 days of four weeks, 80 hours, and used: exempt; the same without use only gets a rule."""
    daily = replace(WEEKLY, granted=20, days=20, open_ms=80 * HOUR, used=20)
    assert [one.command for one in suggest([daily], {}, {"office": OFFICE}, 4 * WEEK)] == [
        "jitctl network set office jit.exempt+=alice"
    ]
    (other,) = suggest([replace(daily, used=2)], {}, {"office": OFFICE}, 4 * WEEK)
    assert "jit.auto_approve+=" in other.command


@pytest.mark.parametrize(
    "habit",
    [replace(WEEKLY, weeks=2), replace(WEEKLY, granted=5), replace(WEEKLY, network="removed")],
)
def test_what_is_no_habit(habit: Habit) -> None:
    """Two weeks of four, five times, a network that is not there any more: nothing is suggested."""
    assert suggest([habit], {}, {"office": OFFICE}, 4 * WEEK) == []


def test_a_rule_never_replaces_several_who_have_to_agree() -> None:
    """Where two have to agree, nothing is suggested that would open it with none."""
    assert suggest([WEEKLY], {}, {"office": replace(OFFICE, approvals=2)}, 4 * WEEK) == []


@pytest.mark.parametrize(
    ("tally", "command"),
    [
        (
            Tally(asked=20, grants=20, open_ms=40 * HOUR, used_ms=2 * HOUR),
            "jitctl network set office default_duration=15m",
        ),
        (Tally(asked=20, lapsed=6), "jitctl network set office approvers+=NAME"),
        (Tally(asked=20, break_glass=3), "jitctl network set office approvers+=NAME"),
    ],
)
def test_what_fits_a_network(tally: Tally, command: str) -> None:
    """Little of what is open is used: a shorter default. Many lapse, or are opened in an emergency: more who decide."""
    assert [one.command for one in suggest([], {"office": tally}, {"office": OFFICE}, 4 * WEEK)] == [command]


def test_what_is_not_used_at_all_tells_nothing() -> None:
    """Nothing used may mean that nothing can be counted; a few grants, or much use, are no reason either."""
    for tally in (
        Tally(asked=20, grants=20, open_ms=40 * HOUR),
        Tally(asked=9, grants=9, open_ms=40 * HOUR, used_ms=HOUR),
        Tally(asked=20, grants=20, open_ms=40 * HOUR, used_ms=20 * HOUR),
    ):
        assert suggest([], {"office": tally}, {"office": OFFICE}, 4 * WEEK) == []


def test_a_rule_for_somebody_with_an_odd_name_names_nobody_else() -> None:
    """Attack: somebody is called so that a suggestion, when it is pasted, would let somebody else in."""
    for name in ("ali,bob", "a b", "x;y", "@staff", "DOM\\anna lee"):
        (found,) = suggest([replace(WEEKLY, user=name)], {}, {"office": OFFICE}, 4 * WEEK)
        change = settings.parse_change(shlex.split(found.command)[-1])
        assert settings.with_changes(OFFICE, [change]).principals == {principals.of_user(name)}


def test_a_name_that_no_rule_can_hold_gets_none() -> None:
    """What would be read as another name than the system has is not suggested."""
    for name in (" bob", 'a"b', ""):
        assert suggest([replace(WEEKLY, user=name)], {}, {"office": OFFICE}, 4 * WEEK) == []


habits = st.builds(
    Habit,
    user=st.text("abM .,;@-'", max_size=8),
    network=st.just("office"),
    granted=st.integers(0, 500),
    weeks=st.integers(0, 60),
    days=st.integers(0, 400),
    usual_ms=st.integers(0, 400 * DAY),
    open_ms=st.integers(0, 400 * DAY),
    used=st.integers(0, 500),
)
tallies = st.builds(
    Tally,
    **{name: st.integers(0, 500) for name in ("asked", "lapsed", "break_glass", "grants")},
    open_ms=st.integers(0, 400 * DAY),
    used_ms=st.integers(0, 400 * DAY),
)


@given(st.lists(habits, max_size=5), tallies, st.integers(1, 400 * DAY), st.integers(1, 365 * DAY // HOUR))
def test_every_suggestion_can_be_typed(
    habits_: list[Habit], tally: Tally, span_ms: int, most_hours: int
) -> None:
    """Whatever people are called and did, a suggested command is one that the network takes."""
    network = replace(
        OFFICE,
        max_duration_ms=most_hours * HOUR,
        default_duration_ms=min(OFFICE.default_duration_ms, most_hours * HOUR),
    )
    for one in suggest(habits_, {"office": tally}, {"office": network}, span_ms):
        words = shlex.split(one.command)
        assert words[:4] == ["jitctl", "network", "set", "office"]
        changed = settings.with_changes(network, [settings.parse_change(words[4])])
        settings.check(changed)
        assert changed != network
        named = changed.principals - network.principals - {"NAME"}
        assert named <= {principals.of_user(habit.user) for habit in habits_}
