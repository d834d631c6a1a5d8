"""Who may do what, for how long. Every answer names the rule that decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from jitd.core import durations
from jitd.core.errors import JitError
from jitd.core.model import Account, Actor, Grant, Network
from jitd.core.people import Answer, Person

DEFAULT_DURATION_MS: Final = 2 * durations.HOUR
DEFAULT_MAX_MS: Final = 8 * durations.HOUR
DEFAULT_PENDING_MS: Final = durations.DAY


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer and the rule that gave it, as the end of a sentence ("… because WHY")."""

    answer: Answer
    why: str

    def __bool__(self) -> bool:
        """Only a sure yes counts: what cannot be asked opens nothing."""
        return self.answer is Answer.YES

    @property
    def code(self) -> str:
        """The error code of what is refused for it: `busy` when it could not be asked, and another time it can."""
        return "busy" if self.answer is Answer.UNAVAILABLE else "refused"


def is_admin(uid: int, person: Person, admin_groups: Iterable[str], daemon_uid: int) -> Verdict:
    """Whether a uid administers this gateway: root, the uid that jitd runs as, members of the admin groups."""
    if uid == 0:
        return Verdict(Answer.YES, "root administers this gateway")
    if uid == daemon_uid:
        return Verdict(Answer.YES, "jitd runs as this user")
    unavailable = None
    for group in admin_groups:
        answer = person.in_group(group)
        if answer is Answer.YES:
            return Verdict(Answer.YES, f"members of {group} administer this gateway")
        if answer is Answer.UNAVAILABLE:
            unavailable = group
    if unavailable is not None:
        return Verdict(Answer.UNAVAILABLE, f"membership of {unavailable} cannot be looked up now")
    return Verdict(Answer.NO, "only root and members of the admin groups administer this gateway")


def is_same_account(account: Account, person: Person) -> Verdict:
    """Whether the user that the system has under this name now is the one of the account (uid and name)."""
    if person.exists is Answer.UNAVAILABLE:
        return Verdict(Answer.UNAVAILABLE, f"the user {account.name} cannot be looked up now")
    if person.exists is Answer.NO:
        return Verdict(Answer.NO, f"there is no user {account.name} any more")
    if person.uid != account.uid:
        return Verdict(
            Answer.NO, f"{account.name} is another person now: uid {person.uid}, it was {account.uid}"
        )
    if not person.can_log_in:
        return Verdict(Answer.NO, f"the account of {account.name} has expired or may not log in")
    return Verdict(Answer.YES, f"{account.name} is a user of this system")


def may_use(network: Network, person: Person) -> Verdict:
    """Whether this user may use the network at all, and so may ask for it."""
    if not network.members:
        return Verdict(Answer.YES, f"every user may ask for {network.name}")
    answer = person.matches(network.members)
    named = ", ".join(network.members)
    if answer is Answer.UNAVAILABLE:
        return Verdict(
            answer,
            f"the groups of {person.name} cannot be looked up now (members of {network.name}: {named})",
        )
    return Verdict(answer, f"the members of {network.name} are {named}")


def has_standing(network: Network, person: Person, admin: Verdict) -> Verdict:
    """Whether this user has access to the network without a grant."""
    if admin:
        return Verdict(Answer.YES, f"administrators have standing access to {network.name}")
    if network.jit:
        return Verdict(admin.answer, f"just-in-time access is on for {network.name}")
    member = may_use(network, person)
    if member:
        return Verdict(Answer.YES, f"just-in-time access is off for {network.name}, and {member.why}")
    return member


def is_own(actor: Actor, account: Account) -> bool:
    """Whether the caller is the person of the account: by uid, or by who logged in (behind sudo or su)."""
    return account.uid in (actor.uid, actor.login_uid)


def wanted_duration(network: Network, asked_ms: int | None) -> int | None:
    """Check a wished duration against the network's cap. Raises JitError refused that names the cap."""
    if asked_ms is not None:
        _check(network, asked_ms)
    return asked_ms


def granted_duration(network: Network, given_ms: int | None, wished_ms: int | None) -> int:
    """How long a grant lasts: what the decider gave, else what was wished, else the network's default.

    Milliseconds. Raises JitError bad_request or refused, naming the rule.
    """
    for duration in (given_ms, wished_ms):
        if duration is not None:
            return _check(network, duration)
    return network.default_ms


def extended_end(network: Network, grant: Grant, by_ms: int) -> int:
    """The new end of a grant that is lengthened by `by_ms`. The maximum counts from the grant's start.

    Milliseconds UTC. Raises JitError bad_request or refused, naming the maximum and what is left of it.
    """
    if by_ms < durations.SECOND:
        raise JitError(
            "bad_request",
            "cannot extend by less than a second",
            "Name a duration such as 45m or 2h; nothing is granted for ever.",
        )
    latest = grant.starts_ms + network.max_ms
    if grant.ends_ms + by_ms > latest:
        most = durations.show(network.max_ms)
        left = latest - grant.ends_ms
        hint = (
            f"Use --duration {durations.show(left)} or less."
            if left >= durations.SECOND
            else "It has all of it already."
        )
        raise JitError(
            "refused",
            f"cannot extend access to {network.name} by {durations.show(by_ms)}: its maximum is {most} from the start",
            hint,
        )
    return grant.ends_ms + by_ms


def _check(network: Network, duration_ms: int) -> int:
    if duration_ms < durations.SECOND:
        raise JitError(
            "bad_request",
            "cannot grant for less than a second",
            "Name a duration such as 45m or 8h; nothing is granted for ever.",
        )
    if duration_ms > network.max_ms:
        most = durations.show(network.max_ms)
        raise JitError(
            "refused",
            f"cannot give access to {network.name} for {durations.show(duration_ms)}: its maximum is {most}",
            f"Use --duration {most} or less.",
        )
    return duration_ms
