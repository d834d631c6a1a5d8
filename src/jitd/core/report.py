"""What a report says of a time: sums, medians, and who asks so regularly that another rule would fit. Pure.

Durations are milliseconds. The store counts waits in classes (`WAITS`), so that a report of a million requests does not
have to bring them all here.
"""

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jitd.core import durations, principals, settings
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Network

#: (below, step): a wait below this is rounded down to a multiple of the step; what is longer, to whole hours. Nothing is
#: wrong by more than a twentieth, but for waits of less than 20 seconds.
WAITS: Final = (
    (5 * durations.MINUTE, durations.SECOND),
    (2 * durations.HOUR, 10 * durations.SECOND),
    (2 * durations.DAY, 5 * durations.MINUTE),
)
LONGEST_STEP: Final = durations.HOUR
#: A report shows at most so many marks, each for one of these times.
MOST_MARKS: Final = 40
MARKS: Final = tuple(
    hours * durations.HOUR for hours in (1, 2, 3, 6, 12, 24, 72, 168, 336, 672, 1344, 2688, 5376)
)
#: Maxima and defaults that people choose.
_ROUND: Final = tuple(
    minutes * durations.MINUTE
    for minutes in (5, 10, 15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 4320, 10_080)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over the requests of a time.

    `asked` are all of them. `granted` and `denied` were decided by people who were asked, `automatic` were granted by a
    rule, `break_glass` by their users, `direct` by an administrator without being asked; `lapsed` were decided by nobody.
    Of the `grants` that gave access, `given_ms` is how long they were to last, `open_ms` how long they have lasted so far,
    `used_ms` in how much of that something came from the client; `unused` of them are over and were never used.
    """

    asked: int = 0
    granted: int = 0
    denied: int = 0
    automatic: int = 0
    break_glass: int = 0
    direct: int = 0
    lapsed: int = 0
    cancelled: int = 0
    pending: int = 0
    grants: int = 0
    given_ms: int = 0
    open_ms: int = 0
    used_ms: int = 0
    unused: int = 0


def wait_class(wait_ms: int) -> int:
    """The class that a wait is counted in: itself, rounded down. The store's SQL does the same."""
    step = next((step for below, step in WAITS if wait_ms < below), LONGEST_STEP)
    return wait_ms // step * step


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The smallest of the counted values that at least this share (0 to 1) of all does not exceed; None of nothing."""
    total = sum(counts.values())
    wanted = max(1, math.ceil(share * total))
    reached = 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= wanted:
            return value
    return None


def mark_of(span_ms: int) -> int:
    """For how long each mark of a chart stands, so that MOST_MARKS are enough for the whole span."""
    return next((size for size in MARKS if -(-span_ms // size) <= MOST_MARKS), -(-span_ms // MOST_MARKS))


# --- who asks so regularly that another rule would fit ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How somebody asked for a network: what people granted of it, in how many weeks and on how many days."""

    user: str
    network: str
    granted: int
    weeks: int
    days: int
    usual_ms: int  # nine of ten of its grants were no longer
    open_ms: int
    used: int  # grants of which something was used


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What another rule would spare, and what to type for it."""

    why: str
    command: str


#: Fewer weeks are no habit, and in so many of the weeks it has to show.
_LEAST_WEEKS: Final = 3
_SHARE_OF_WEEKS: Final = 0.75
LEAST_GRANTED: Final = 6
#: Who works with it nearly every day, for so long a week, has it nearly standing.
_DAYS_A_WEEK: Final = 4
_OPEN_A_WEEK: Final = 20 * durations.HOUR
_MOST_A_WEEK: Final = 20
_MOST_NAMES: Final = 8
#: What is open and not used, lapses, or is opened in an emergency: how often before a word is worth it.
_LEAST_GRANTS: Final = 10
_LITTLE_USED: Final = 0.2
_LEAST_LAPSED: Final = 5
_LEAST_EMERGENCIES: Final = 3


def suggest(
    habits: Iterable[Habit],
    tallies: Mapping[str, Tally],
    networks: Mapping[str, Network],
    span_ms: int,
) -> list[Suggestion]:
    """Rules that would fit better, for the networks of these names; each command can be typed as it is, but for a NAME.

    `habits` are of people whom no rule spares the asking yet; `span_ms` is how long the time was that they are from.
    """
    weeks = max(1.0, span_ms / durations.WEEK)
    regular = [
        habit
        for habit in habits
        if habit.network in networks
        and _can_be_named(habit.user)
        and habit.granted >= LEAST_GRANTED
        and habit.weeks >= max(_LEAST_WEEKS, _SHARE_OF_WEEKS * weeks)
    ]
    daily = [one for one in regular if _is_daily(one, weeks)]
    found = [_exempt(one) for one in daily]
    for name, network in networks.items():
        # A rule would open alone what several have to agree on.
        if network.approvals == 1:
            often = [one for one in regular if one.network == name and one not in daily]
            found += _automatic(often, network, weeks)
    for name, tally in tallies.items():
        if name in networks:
            found += _of_network(networks[name], tally)
    return [one for one in found if _is_possible(one, networks)]


def _is_daily(habit: Habit, weeks: float) -> bool:
    return (
        habit.days >= _DAYS_A_WEEK * weeks
        and habit.open_ms >= _OPEN_A_WEEK * weeks
        and habit.used * 2 >= habit.granted
    )


def _exempt(habit: Habit) -> Suggestion:
    return Suggestion(
        f"{habit.user} asked for {habit.network} on {habit.days} days and got it each time: it was open for"
        f" {_hours(habit.open_ms)}, and used. Standing access would have saved {_times(habit.granted)} of "
        "requesting",
        _set(habit.network, "jit.exempt+=", principals.as_value(habit.user)),
    )


def _automatic(habits: Sequence[Habit], network: Network, weeks: float) -> list[Suggestion]:
    """One rule for those who ask often enough and were never denied."""
    most = sorted(habits, key=lambda one: (-one.granted, one.user))[:_MOST_NAMES]
    if not most:
        return []
    names = sorted({one.user for one in most})
    up_to = min(_rounded_up(max(one.usual_ms for one in most)), network.max_duration_ms)
    often = min(_MOST_A_WEEK, max(math.ceil(one.granted / weeks * 1.25) for one in most))
    who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    granted = sum(one.granted for one in most)
    return [
        Suggestion(
            f"{who} asked for {network.name} nearly every week and got it each time, {_times(granted)}. An "
            "automatic approval rule would save the wait, and keep the record",
            _set(
                network.name,
                "jit.auto_approve+=",
                f"{principals.join(map(principals.of_user, names))} up to {durations.show(up_to)}, {often} a week",
            ),
        )
    ]


def _of_network(network: Network, tally: Tally) -> list[Suggestion]:
    found = []
    name = network.name
    if tally.grants >= _LEAST_GRANTS and 0 < tally.used_ms < _LITTLE_USED * tally.open_ms:
        shorter = max(network.min_duration_ms, _rounded_up(2 * tally.used_ms // tally.grants))
        if shorter < network.default_duration_ms:
            found.append(
                Suggestion(
                    f"{name} was open for {_hours(tally.open_ms)} and used in {_hours(tally.used_ms)} of "
                    "that. A shorter default would leave less unused access open "
                    f"({durations.show(network.default_duration_ms)} now)",
                    _set(name, "default_duration=", durations.show(shorter)),
                )
            )
    if tally.lapsed >= _LEAST_LAPSED and tally.lapsed * 5 >= tally.asked:
        found.append(
            Suggestion(
                f"{tally.lapsed} of {tally.asked} requests for {name} lapsed because nobody decided. Another "
                "approver would help",
                _set(name, "approvers+=", "NAME"),
            )
        )
    elif tally.break_glass >= _LEAST_EMERGENCIES and tally.break_glass * 20 >= tally.asked:
        found.append(
            Suggestion(
                f"{name} was opened by break-glass {_times(tally.break_glass)}. An approver for such times "
                "would help",
                _set(name, "approvers+=", "NAME"),
            )
        )
    return found


def _can_be_named(user: str) -> bool:
    """Whether a rule can name this user."""
    return settings.principals([f"jit.exempt+={principals.as_value(user)}"]) == {principals.of_user(user)}


def _is_possible(suggestion: Suggestion, networks: Mapping[str, Network]) -> bool:
    """Whether its command would be taken, with the network's other settings."""
    try:
        _, _, _, name, change = shlex.split(suggestion.command)
        settings.check(settings.with_changes(networks[name], [settings.parse_change(change)]))
    except (JitError, ValueError):
        return False
    return True


def _set(network: str, what: str, value: str) -> str:
    return command("network set", network, what + value)


def _rounded_up(ms: int) -> int:
    return next((size for size in _ROUND if size >= ms), -(-ms // durations.DAY) * durations.DAY)


def _hours(ms: int) -> str:
    return f"{ms // durations.HOUR} h" if ms >= durations.HOUR else durations.show(ms)


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
