"""From what happened to who is told: the events behind a mark become messages of the outbox, once each.

The event log is the first half of the outbox. Whatever is to be told stands there in the transaction that caused it;
what is made of it here has a key of its own, so that a crash between the two neither loses a message nor doubles it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from jitd.core import changed, notices, policy
from jitd.core.choices import Status
from jitd.core.configuration import Config
from jitd.core.events import GIVES, Audience, EventKind, Notice
from jitd.core.model import Account, Event, Message, Now, Request
from jitd.notify.recipients import Deciders, address_of, decider
from jitd.reconcile.access import People
from jitd.store import events, facts, networks, outbox, requests
from jitd.store.database import Rows

#: How many events, or requests whose time it is, are turned into messages in one transaction: an ending may wait for it.
AT_ONCE: Final = 50
#: The channel of a message to a group of which nobody could say who is in it: it waits until somebody can.
GROUP: Final = "group"
_MARK: Final = "noticed_seq"
_KEPT_MS: Final = 30 * 86_400_000


def begin(rows: Rows) -> None:
    """Start telling with what happens from now on, where nothing was ever told."""
    if facts.get(rows, _MARK) is None:
        facts.put(rows, _MARK, events.last_seq(rows))


def leave(rows: Rows) -> None:
    """Nobody is told anything: who turns it on later is not told what happened until then."""
    facts.remove(rows, _MARK)


def waits(rows: Rows) -> bool:
    """Whether something happened that was not looked at yet."""
    return (facts.get(rows, _MARK) or 0) < events.last_seq(rows)


@dataclass(frozen=True, slots=True)
class Channels:
    """How people can be told: by mail, at destinations of [chat], and after how long once more."""

    mail: bool
    domain: str  # of users without an address of their own, "" for none
    destinations: tuple[str, ...]
    about: frozenset[str]  # templates that go to those destinations
    first_ms: int  # when those who decide are told again that a request waits

    @classmethod
    def of(cls, config: Config) -> "Channels":
        """As the configuration says."""
        return cls(
            mail=bool(config.mail.server),
            domain=config.mail.email_domain,
            destinations=tuple(config.chat.urls),
            about=frozenset(config.chat.about),
            first_ms=config.mail.remind_minutes * 60_000,
        )


@dataclass(slots=True)
class _Planner:
    """Puts into the outbox what one event, or time, makes."""

    rows: Rows
    people: People
    channels: Channels
    now: Now

    def plan(self, request: Request | None, notice: Notice, key: str, data: dict[str, object]) -> None:
        """Address a notice, about a request or none, once for each key."""
        if self.channels.mail:
            if notice.audience is Audience.USER:
                if request is not None:
                    self._mail(request.account.name, request.account, notice.template, key, data)
            else:
                about = None
                if notice.audience is Audience.DECIDERS and request is not None:
                    about = networks.by_id(self.rows, request.network_id)
                elif notice.audience is Audience.DECIDERS and isinstance(data.get("network"), str):
                    about = networks.by_name(self.rows, str(data["network"]))
                found = Deciders.of(self.people, about)
                self._mail_all(found.names, request, notice.template, key, data)
                for group in found.unknown:
                    self._add(GROUP, group, "", notice.template, f"{key}:@{group}:{GROUP}", data)
        if notice.template in self.channels.about:
            for destination in self.channels.destinations:
                self._add("chat", destination, "", notice.template, f"{key}:{destination}:chat", data)

    def plan_for_group(self, owed: Message) -> None:
        """Tell those who are in a group of which nobody knew that; where nobody knows yet, it is tried again."""
        request = requests.by_id(self.rows, owed.request_id) if owed.request_id is not None else None
        names = self.people.directory.members(owed.recipient)
        if names is None:
            at_ms = notices.next_attempt(owed.attempts + 1, self.now.wall_ms)
            outbox.failed(self.rows, [owed.id], f"nobody can say who is in {owed.recipient}", at_ms)
            return
        key = owed.key.removesuffix(f":@{owed.recipient}:{GROUP}")
        self._mail_all(names, request, owed.template, key, owed.data)
        outbox.sent(self.rows, [owed.id], self.now.wall_ms)

    def _mail_all(
        self, names: Iterable[str], request: Request | None, template: str, key: str, data: dict[str, object]
    ) -> None:
        """But not whom a request concerns: nobody decides on their own. Nor is asked again who has agreed."""
        left_out = {"root"}
        if request is not None:
            agreed = requests.votes(self.rows, request.id) if template in notices.ASKING else ()
            left_out |= {request.account.name, *(vote.name for vote in agreed)}
        for name in sorted({*names} - left_out):
            known, account = decider(self.rows, self.people, name)
            if known:
                self._mail(name, account, template, key, data)

    def _mail(
        self, name: str, account: Account | None, template: str, key: str, data: dict[str, object]
    ) -> None:
        address = address_of(name, account, self.channels.domain)
        if address:
            self._add("mail", name, address, template, f"{key}:{name}:mail", data)

    def _add(
        self, channel: str, recipient: str, address: str, template: str, key: str, data: dict[str, object]
    ) -> None:
        number = data["id"]
        assert number is None or isinstance(number, int)
        outbox.add(
            self.rows,
            key=key,
            way=channel,
            recipient=recipient,
            address=address,
            template=template,
            request_id=number,
            data=data,
            now_ms=self.now.wall_ms,
        )


def plan(rows: Rows, people: People, channels: Channels, now: Now) -> None:
    """Turn the next events into messages."""
    mark = facts.get(rows, _MARK) or 0
    found = events.page(rows, events.Filter(), after=mark, limit=AT_ONCE).events
    planner = _Planner(rows, people, channels, now)
    for event in found:
        _plan(rows, event, channels.first_ms, now)
        request = requests.by_id(rows, event.request_id) if event.request_id is not None else None
        for notice in notices.of_event(
            event.kind,
            own=_is_own(event, request),
            acted=event.actor is not None,
            rule=bool(event.data.get("rule")),
        ):
            about = (
                _facts(rows, request, now)
                if request
                else {"id": None, "user": event.user, "network": event.network or event.interface}
            )
            data = {**about, **_of_event(event)}
            if notice.template in changed.TEMPLATES:
                data |= {"what": changed.what(event), "reason": event.data.get("reason") or ""}
            if notice.template == notices.PROPOSED:
                data["change"] = event.data.get("change")
            planner.plan(request, notice, f"{event.seq}:{notice.template}", data)
    if found:
        facts.put(rows, _MARK, found[-1].seq)
    outbox.forget(rows, now.wall_ms - _KEPT_MS)


def _is_own(event: Event, request: Request | None) -> bool:
    if request is None:
        return changed.is_own(event)
    return event.actor is not None and policy.is_own(event.actor, request.account)


def _plan(rows: Rows, event: Event, first_ms: int, now: Now) -> None:
    """Note when time alone makes the next notice about what has just happened."""
    request = requests.by_id(rows, event.request_id) if event.request_id is not None else None
    if request is None:
        return
    grant = request.grant
    if event.kind == EventKind.REQUESTED and request.decision is None:
        requests.set_reminder(
            rows, request.id, notices.next_reminder(request.requested_ms, first_ms, now.wall_ms)
        )
    elif event.kind in GIVES and grant is not None and request.extends_id is None:
        at = notices.next_warning(grant.starts_ms, grant.ends_ms, now.wall_ms)
        requests.set_reminder(rows, request.id, at)
    elif event.kind == EventKind.DENIED:
        requests.set_reminder(rows, request.id, None)


def next_due(rows: Rows) -> int | None:
    """When time alone makes the next notice, milliseconds; None when nothing does."""
    dues = (requests.next_reminder(rows), outbox.next_due(rows, GROUP))
    return min((at for at in dues if at is not None), default=None)


def remind(rows: Rows, people: People, channels: Channels, now: Now) -> None:
    """Tell users that their grants end soon, those who decide that requests wait, and whom nobody could find before."""
    planner = _Planner(rows, people, channels, now)
    for owed in outbox.due(rows, GROUP, now.wall_ms, AT_ONCE):
        planner.plan_for_group(owed)
    for request in requests.to_remind(rows, now.wall_ms, AT_ONCE):
        at: int | None = None
        minute = now.wall_ms // 60_000
        data = _facts(rows, request, now)
        match request.status(now):
            case Status.ACTIVE if request.grant is not None:
                grant = request.grant
                planner.plan(request, notices.ENDING, f"ending:{request.id}:{grant.ends_ms}:{minute}", data)
                at = notices.next_warning(grant.starts_ms, grant.ends_ms, now.wall_ms)
            case Status.PENDING:
                planner.plan(request, notices.WAITING, f"waiting:{request.id}:{minute}", data)
                at = notices.next_reminder(request.requested_ms, channels.first_ms, now.wall_ms)
        requests.set_reminder(rows, request.id, at)


def _facts(rows: Rows, request: Request, now: Now) -> dict[str, object]:
    """What every template may use. Plain values: they are kept until the message is delivered."""
    network = networks.by_id(rows, request.network_id)
    grant, ending = request.grant, request.ending
    return {
        "id": request.id,
        "user": request.account.name,
        "network": network.name,
        "reason": request.reason,
        "requested_by": request.requested_by,
        "requested": request.requested_ms,
        "wanted": request.wanted_ms,
        "until": request.wanted_until_ms,
        "start": request.wanted_start_ms,
        "lapses": request.lapses_ms,
        "urgent": request.urgent,
        "break_glass": request.break_glass,
        "extends": request.extends_id,
        "default": network.default_duration_ms,
        "starts": grant.starts_ms if grant else None,
        "ends": grant.ends_ms if grant else None,
        "decided_by": request.decision.decided_by if request.decision else "",
        "comment": request.decision.comment if request.decision else "",
        "ended_by": ending.by if ending else "",
        "ended_comment": ending.comment if ending else "",
        "approvals": network.approvals,
        "agreed": ", ".join(vote.name for vote in requests.votes(rows, request.id)),
        "origin": "",
        "duration": grant.ends_ms - grant.starts_ms if grant else None,
        "cap": "",
        "before": None,
        "device": None,
        "networks": None,
        "what": None,
        "at": now.wall_ms,
        "by": "",
    }


def _of_event(event: Event) -> dict[str, object]:
    """What the event itself says: it counts more than what has become of the request since."""
    told: dict[str, object] = {
        "at": event.at_ms,
        "by": event.actor.shown if event.actor else "",
        "device": event.device,
    }
    if event.actor is not None:
        told["origin"] = event.actor.origin or "a program without a terminal"
    named: Iterable[str] = (
        "starts",
        "ends",
        "comment",
        "duration",
        "cap",
        "wanted",
        "extends",
        "before",
        "networks",
    )
    return told | {name: event.data[name] for name in named if name in event.data}
