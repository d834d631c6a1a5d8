"""For how long, and when: durations, caps, shifts. The smallest cap wins, and the answer names it.

All times are milliseconds UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jitd.core import durations, hours
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.localtime import show_moment
from jitd.core.model import Account, Grant, Network


@dataclass(frozen=True, slots=True)
class Wish:
    """How long somebody wants access: a duration, or until a moment; neither: as long as the network's default."""

    duration_ms: int | None = None
    until_ms: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return self.duration_ms is not None or self.until_ms is not None


@dataclass(frozen=True, slots=True)
class Term:
    """From when until when. `why` names the cap that made it shorter than was wished, "" when none did."""

    starts_ms: int
    ends_ms: int
    why: str

    @property
    def duration_ms(self) -> int:
        """How long it is."""
        return self.ends_ms - self.starts_ms


@dataclass(frozen=True, slots=True)
class Cap:
    """A latest end, and what sets it."""

    latest_ms: int
    why: str


def term(
    network: Network, account: Account, starts_ms: int, wishes: Iterable[Wish], *, break_glass: bool = False
) -> Term:
    """The term of access that begins at `starts_ms`: the first wish that says something, else the default.

    A wish beyond the maximum or below the minimum is refused; one beyond the end of the shift or of the account ends
    with that. Raises JitError bad_request or refused, naming the rule.
    """
    said = next((wish for wish in wishes if wish), None)
    most_ms, most = (
        (network.jit_break_glass_max_ms, "jit.break_glass_max")
        if break_glass
        else (network.max_duration_ms, "maximum")
    )
    if said is None:
        ends_ms = starts_ms + min(network.default_duration_ms, most_ms)
    elif said.until_ms is not None:
        ends_ms = said.until_ms
    else:
        assert said.duration_ms is not None
        ends_ms = starts_ms + said.duration_ms
    if ends_ms - starts_ms < durations.SECOND:
        raise JitError(
            "bad_request",
            "cannot give access that ends before it begins"
            if said is not None and said.until_ms is not None
            else "cannot grant for less than a second",
            "Name a duration such as 45m or 8h; nothing is granted for ever.",
        )
    if ends_ms - starts_ms > most_ms:
        raise JitError(
            "refused",
            f"cannot give access to {network.name} for {durations.show(ends_ms - starts_ms)}: its {most} is"
            f" {durations.show(most_ms)}",
            f"Use --duration {durations.show(most_ms)} or less.",
        )
    if said is not None and ends_ms - starts_ms < network.min_duration_ms and not break_glass:
        least = durations.show(network.min_duration_ms)
        raise JitError(
            "refused",
            f"cannot give access to {network.name} for {durations.show(ends_ms - starts_ms)}: its minimum is {least}",
            f"Use --duration {least} or more.",
        )
    return _capped(starts_ms, ends_ms, caps(network, account, starts_ms, break_glass=break_glass))


def caps(network: Network, account: Account, starts_ms: int, *, break_glass: bool = False) -> list[Cap]:
    """What ends access that begins at `starts_ms`, beside the maximum. Raises JitError refused outside the hours.

    An emergency keeps no hours.
    """
    found = []
    if network.jit_hours and not break_glass:
        shift = hours.shift_at(network.jit_hours, starts_ms)
        if shift is None:
            raise closed(network, starts_ms)
        if shift.end_ms is not None:
            found.append(Cap(shift.end_ms, f"the shift ends at {_at(network, shift.end_ms)}"))
    if account.ends_ms is not None:
        found.append(Cap(account.ends_ms, f"the end date of {account.name} is then"))
    return found


def check_hours(network: Network, at_ms: int) -> None:
    """Whether the network may be asked for at this time. Raises JitError refused that says when it may."""
    if network.jit_hours and not hours.is_open(network.jit_hours, at_ms):
        raise closed(network, at_ms)


def closed(network: Network, at_ms: int) -> JitError:
    """The error for a time outside the hours of a network."""
    listed = "; ".join(map(str, network.jit_hours))
    opens_ms = hours.next_open(network.jit_hours, at_ms)
    when = (
        f"It opens at {_at(network, opens_ms)}: " + command("request", network.name, start="…")
        if opens_ms
        else ""
    )
    return JitError(
        "refused",
        f"cannot open {network.name} at {_at(network, at_ms)}: its hours are {listed}",
        when or "An administrator changes them: " + command("network set"),
    )


def extended(network: Network, account: Account, grant: Grant, wish: Wish) -> Term:
    """The term of a grant that is lengthened by a duration, or until a moment.

    The maximum counts from the grant's start; with extend_beyond_max from the end that it has. Raises JitError
    bad_request or refused, naming the maximum and what is left of it.
    """
    ends_ms = wish.until_ms if wish.until_ms is not None else grant.ends_ms + (wish.duration_ms or 0)
    by_ms = ends_ms - grant.ends_ms
    if by_ms < durations.SECOND:
        raise JitError(
            "bad_request",
            "cannot extend by less than a second",
            "Name a duration such as 45m or 2h; nothing is granted for ever.",
        )
    begins_ms = grant.ends_ms if network.extend_beyond_max else grant.starts_ms
    latest = min(begins_ms + network.max_duration_ms, grant.starts_ms + durations.LONGEST_MS)
    if ends_ms > latest:
        most = durations.show(network.max_duration_ms)
        left = latest - grant.ends_ms
        hint = (
            f"Use --duration {durations.show(left)} or less."
            if left >= durations.SECOND
            else "It has the whole maximum already."
        )
        from_where = "for each extension" if network.extend_beyond_max else "from the start"
        raise JitError(
            "refused",
            f"cannot extend access to {network.name} by {durations.show(by_ms)}: its maximum is {most} {from_where}",
            hint,
        )
    after = _capped(grant.starts_ms, ends_ms, caps(network, account, grant.starts_ms))
    if after.ends_ms <= grant.ends_ms:
        raise JitError(
            "refused",
            f"cannot extend access to {network.name}: {after.why}",
            "It ends at that time already.",
        )
    return after


def tolerance_ms(wanted_ms: int) -> int:
    """How much of a duration may be missing without anybody asking for it: a tenth, at most five minutes.

    Never less than a second, which is the least that can be asked for.
    """
    return max(durations.SECOND, min(wanted_ms // 10, 5 * durations.MINUTE))


def enough(
    network: Network, account: Account, grant: Grant, wanted_ms: int, left_ms: int, now_ms: int
) -> str | None:
    """Whether a grant that goes on for `left_ms` is what somebody who wants `wanted_ms` from now on could get.

    None: it is not. Else what makes it shorter than that, "" when nothing does.
    """
    if left_ms >= wanted_ms - tolerance_ms(wanted_ms):
        return ""
    first = min(
        caps(network, account, grant.starts_ms),
        key=lambda cap: cap.latest_ms,
        default=Cap(now_ms + wanted_ms, ""),
    )
    if first.latest_ms < now_ms + wanted_ms and grant.ends_ms >= first.latest_ms - durations.SECOND:
        return first.why
    return None


def _capped(starts_ms: int, ends_ms: int, caps: Iterable[Cap]) -> Term:
    first = min(caps, key=lambda cap: cap.latest_ms, default=None)
    if first is None or ends_ms <= first.latest_ms:
        return Term(starts_ms, ends_ms, "")
    if first.latest_ms - starts_ms < durations.SECOND:
        raise JitError("refused", f"cannot give access: {first.why}", "No time is left before that.")
    return Term(starts_ms, first.latest_ms, first.why)


def _at(network: Network, at_ms: int) -> str:
    """A moment on the clocks of the network's hours."""
    return show_moment(at_ms, network.jit_hours[0].zone)
