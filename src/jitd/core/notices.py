"""Who is told what, and when: from events to notices. Pure."""

from collections.abc import Container
from typing import Final

from jitd.core import durations
from jitd.core.choices import Status
from jitd.core.events import Audience, EventKind, Notice
from jitd.core.model import Message, Now, Request

#: Notices that time alone makes.
ENDING: Final = Notice("ending", Audience.USER)
WAITING: Final = Notice("waiting", Audience.DECIDERS)
#: Notices that ask for a decision.
ASKING: Final = frozenset({"requested", WAITING.template})
#: Every template there is.
TEMPLATES: Final = frozenset(
    notice.template
    for notices in (*(kind.notices for kind in EventKind), (ENDING, WAITING))
    for notice in notices
)

#: Notices that say that somebody has access, or will have.
_OPEN: Final = frozenset({"granted", "opened", "extended", ENDING.template})

#: What somebody has to read at once: it never waits for others, nor hides among them.
EMERGENCIES: Final = frozenset({"break_glass", "device_lost"})

#: What `jitctl notify test` sends: it is about nothing, and is not tried again.
TEST: Final = "test"
#: Asks to agree to a change of rules.
PROPOSED: Final = "change_proposed"

#: So long before its end a user is told, milliseconds, as far as the grant lasts longer than twice that.
WARNINGS_MS: Final = (10 * durations.MINUTE, 2 * durations.MINUTE)


def of_event(code: str, *, own: bool, acted: bool, rule: bool) -> tuple[Notice, ...]:
    """The notices that an event makes, by the code of its kind.

    `own`: the user whom it concerns did it themselves; `acted`: somebody did it, and not time; `rule`: a rule has granted
    at once what was asked for, so that nobody has to decide.
    """
    kind = EventKind.of(code)
    if kind is None or (own and kind.row.unless_own) or (rule and kind is EventKind.REQUESTED):
        return ()
    # What lapses because its network was taken away did not wait for too long.
    return (EventKind.CANCELLED if kind is EventKind.LAPSED and acted else kind).notices


def outdated(message: Message, request: Request | None, voters: Container[str], now: Now) -> str:
    """Why a message is not true any more when it is about to go out, "": it still is.

    `request` is what it is about as it stands now, and `voters` are who has agreed to it. What has happened is told
    however late; what was to be decided, or to end, is not when that is over.
    """
    if request is None or message.template in EMERGENCIES:
        return ""
    status = request.status(now)
    if message.template in ASKING | {"received"} and status is not Status.PENDING:
        return f"not sent: it is {status} meanwhile"
    if message.template in ASKING and message.recipient in voters:
        return "not sent: they have agreed meanwhile"
    if message.template in _OPEN:
        if status not in (Status.ACTIVE, Status.SCHEDULED):
            return f"not sent: it is {status} meanwhile"
        told, grant = message.data.get("ends"), request.grant
        if message.template == ENDING.template and grant is not None and told != grant.ends_ms:
            return "not sent: it ends at another time"
    return ""


def outdated_proposal(
    message: Message, ended: str, lapses_ms: int, voters: Container[str], now_ms: int
) -> str:
    """The same of a change of rules that several have to agree to; `ended` is what became of it, "" while it waits."""
    if ended:
        return f"not sent: it is {ended} meanwhile"
    if lapses_ms <= now_ms:
        return "not sent: nobody can agree to it any more"
    return "not sent: they have agreed meanwhile" if message.recipient in voters else ""


def next_warning(starts_ms: int, ends_ms: int, now_ms: int) -> int | None:
    """When the user of a grant is to be told next that it ends, milliseconds UTC; None: not any more."""
    lasts_ms = ends_ms - starts_ms
    at = [ends_ms - before for before in WARNINGS_MS if lasts_ms >= 2 * before]
    return min((one for one in at if one > now_ms), default=None)


def next_reminder(requested_ms: int, first_ms: int, now_ms: int) -> int:
    """When those who decide are to be told again that a request waits: first after `first_ms`, then after twice as long
    each time. Milliseconds UTC.
    """
    wait_ms = first_ms
    at = requested_ms + wait_ms
    while at <= now_ms:
        wait_ms *= 2
        at += wait_ms
    return at


def next_attempt(attempts: int, now_ms: int) -> int:
    """When delivery is tried again after so many failures, milliseconds UTC: a minute, twice that, …, at most a day."""
    doubled: int = durations.MINUTE << min(max(0, attempts - 1), 20)
    return now_ms + min(doubled, durations.DAY)
