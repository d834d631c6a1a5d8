"""From what happened to who is told: the events behind a mark become messages of the outbox, once each.

The event log is the first half of the outbox. Whatever is to be told stands there in the transaction that caused it;
what is made of it here has a key of its own, so that a crash between the two neither loses a message nor doubles it.
"""

from collections.abc import Iterable
from typing import Final

from jitd.core import notices
from jitd.core.model import Account, Event, Network, Now, Request, Status
from jitd.core.notices import Audience, Notice
from jitd.service.access import People
from jitd.store import accounts, events, facts, networks, outbox, requests
from jitd.store.database import Rows

#: How many events are turned into messages in one transaction.
AT_ONCE: Final = 200
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


def tell(rows: Rows, people: People, domain: str, first_ms: int, now: Now) -> None:
    """Turn the next events into messages. `domain` is that of users without an address of their own; a request that
    waits is told of again after `first_ms`.
    """
    mark = facts.get(rows, _MARK) or 0
    found = events.page(rows, after=mark, limit=AT_ONCE)
    for event in found:
        _plan(rows, event, first_ms, now)
        for notice in notices.OF_EVENT.get(event.kind, ()):
            _address(rows, people, domain, event, notice, now)
    if found:
        facts.put(rows, _MARK, found[-1].seq)
    outbox.forget(rows, now.wall_ms - _KEPT_MS)


def _plan(rows: Rows, event: Event, first_ms: int, now: Now) -> None:
    """Note when time alone makes the next notice about what has just happened."""
    request = requests.by_id(rows, event.request_id) if event.request_id is not None else None
    if request is None:
        return
    grant = request.grant
    if event.kind == "requested" and request.decision is None:
        requests.set_tell(
            rows, request.id, notices.next_reminder(request.requested_ms, first_ms, now.wall_ms)
        )
    elif (
        event.kind in ("granted", "break_glass", "extended")
        and grant is not None
        and request.extends_id is None
    ):
        at = notices.next_warning(grant.starts_ms, grant.ends_ms, now.wall_ms)
        requests.set_tell(rows, request.id, at)
    elif event.kind == "denied":
        requests.set_tell(rows, request.id, None)


def next_due(rows: Rows) -> int | None:
    """When time alone makes the next notice, milliseconds; None when nothing does."""
    return requests.next_tell(rows)


def remind(rows: Rows, people: People, domain: str, first_ms: int, now: Now) -> None:
    """Tell users that their grants end soon, and those who decide that requests wait."""
    for request in requests.to_tell(rows, now.wall_ms):
        match request.status(now):
            case Status.ACTIVE if request.grant is not None:
                grant = request.grant
                key = f"ending:{request.id}:{grant.ends_ms}:{now.wall_ms // 60_000}"
                data = _facts(rows, request, now)
                _to_user(rows, request.account, domain, notices.ENDING, key, request.id, data, now)
                at = notices.next_warning(grant.starts_ms, grant.ends_ms, now.wall_ms)
            case Status.PENDING:
                network = networks.by_id(rows, request.network_id)
                key = f"waiting:{request.id}:{now.wall_ms // 60_000}"
                data = _facts(rows, request, now)
                _to_deciders(
                    rows, people, network, request.account.name, domain, notices.WAITING, key, data, now
                )
                at = notices.next_reminder(request.requested_ms, first_ms, now.wall_ms)
            case _:
                at = None
        requests.set_tell(rows, request.id, at)


def _address(rows: Rows, people: People, domain: str, event: Event, notice: Notice, now: Now) -> None:
    request = requests.by_id(rows, event.request_id) if event.request_id is not None else None
    if request is None:
        return
    data = {**_facts(rows, request, now), **_of_event(event)}
    key = f"{event.seq}:{notice.template}"
    if notice.audience is Audience.USER:
        _to_user(rows, request.account, domain, notice, key, request.id, data, now)
    else:
        network = networks.by_id(rows, request.network_id)
        _to_deciders(rows, people, network, request.account.name, domain, notice, key, data, now)


def _to_user(
    rows: Rows,
    account: Account,
    domain: str,
    notice: Notice,
    key: str,
    request_id: int,
    data: dict[str, object],
    now: Now,
) -> None:
    _add(rows, account.name, account, domain, notice, key, request_id, data, now)


def _to_deciders(
    rows: Rows,
    people: People,
    network: Network,
    requester: str,
    domain: str,
    notice: Notice,
    key: str,
    data: dict[str, object],
    now: Now,
) -> None:
    request_id = data["id"]
    assert isinstance(request_id, int)
    for name in deciders(people, network):
        # Nobody decides on their own.
        if name != requester:
            known = accounts.of_name(rows, name)
            _add(rows, name, known, domain, notice, key, request_id, data, now)


def deciders(people: People, network: Network) -> list[str]:
    """The names of those who decide about a network, as far as they can be told; root is nobody's name."""
    found: set[str] = set()
    for one in [*network.approvers, *(f"@{group}" for group in people.admin_groups)]:
        found |= (people.directory.members(one[1:]) or frozenset()) if one.startswith("@") else {one}
    return sorted(found - {"root"})


def address_of(name: str, account: Account | None, domain: str) -> str:
    """Where somebody gets mail, "" when that is not known or he does not want any."""
    if account is not None and not account.told:
        return ""
    if account is not None and account.email:
        return account.email
    return f"{name}@{domain}" if domain and (account is None or not account.is_registered) else ""


def _add(
    rows: Rows,
    name: str,
    account: Account | None,
    domain: str,
    notice: Notice,
    key: str,
    request_id: int,
    data: dict[str, object],
    now: Now,
) -> None:
    address = address_of(name, account, domain)
    if address:
        outbox.add(
            rows,
            key=f"{key}:{name}:mail",
            way="mail",
            recipient=name,
            address=address,
            template=notice.template,
            request_id=request_id,
            data=data,
            now_ms=now.wall_ms,
        )


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
        "default": network.default_ms,
        "starts": grant.starts_ms if grant else None,
        "ends": grant.ends_ms if grant else None,
        "decided_by": request.decision.decided_by if request.decision else "",
        "comment": request.decision.comment if request.decision else "",
        "ended_by": ending.by if ending else "",
        "ended_comment": ending.comment if ending else "",
        "approvals": network.approvals,
        "origin": "",
        "duration": grant.ends_ms - grant.starts_ms if grant else None,
        "cap": "",
        "before": None,
        "at": now.wall_ms,
        "by": "",
    }


def _of_event(event: Event) -> dict[str, object]:
    """What the event itself says: it counts more than what has become of the request since."""
    told: dict[str, object] = {"at": event.at_ms, "by": event.actor.user if event.actor else ""}
    if event.actor is not None:
        told["origin"] = event.actor.origin
        if event.actor.login_user and event.actor.login_user != event.actor.user:
            told["by"] = f"{event.actor.user} ({event.actor.login_user})"
    named: Iterable[str] = ("starts", "ends", "comment", "duration", "cap", "wanted", "extends", "before")
    return told | {name: event.data[name] for name in named if name in event.data}
