"""The outbox: what is to be told to whom, and what became of it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jitd.core import notices
from jitd.core.model import Message, Now
from jitd.store import changes, requests
from jitd.store.database import Rows

_WAITING: Final = "sent_ms IS NULL AND dropped_ms IS NULL"
# The sign in ORDER BY +id keeps SQLite from going through all that was ever delivered, in the order of its ids.
_COLUMNS: Final = (
    "id, key, way, recipient, address, template, request_id, data, created_ms, next_ms, attempts, error"
)


#: What is said of messages that wait to be told together.
COLLECTED: Final = "many messages at once: it is sent together with others"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages wait to be delivered, and how many of them are not tried by themselves any more."""

    waiting: int
    stuck: int


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message: delivered, given up, or neither yet; and what was said against it last."""

    address: str
    sent_ms: int | None
    dropped_ms: int | None
    error: str


def _message(row: dict[str, Any]) -> Message:
    return Message(**{**row, "data": json.loads(row["data"])})


def add(
    rows: Rows,
    *,
    key: str,
    way: str,
    recipient: str,
    address: str,
    template: str,
    request_id: int | None,
    data: dict[str, object],
    now_ms: int,
) -> int:
    """Put a message into the outbox, once: one with the same key is there already. Returns its id."""
    rows.run(
        "INSERT OR IGNORE INTO message (key, way, recipient, address, template, request_id, data, created_ms, next_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            way,
            recipient,
            address,
            template,
            request_id,
            json.dumps(data, ensure_ascii=False, sort_keys=True),
            now_ms,
            now_ms,
        ),
    )
    found: int = rows.value("SELECT id FROM message WHERE key = ?", (key,))
    return found


def due(rows: Rows, way: str, now_ms: int, limit: int) -> list[Message]:
    """What is to be delivered now by one way, oldest first."""
    found = rows.all(
        f"SELECT {_COLUMNS} FROM message WHERE {_WAITING} AND next_ms <= ? AND way = ? ORDER BY +id LIMIT ?",
        (now_ms, way, limit),
    )
    return [_message(row) for row in found]


def waiting_for(rows: Rows, recipient: str, way: str, now_ms: int) -> list[Message]:
    """All that is due for one recipient by one way, oldest first."""
    found = rows.all(
        f"SELECT {_COLUMNS} FROM message WHERE {_WAITING} AND next_ms <= ? AND recipient = ? AND way = ? ORDER BY +id",
        (now_ms, recipient, way),
    )
    return [_message(row) for row in found]


def sent_since(rows: Rows, recipient: str, way: str, since_ms: int) -> tuple[int, int | None]:
    """How many mails one recipient got by one way since a time, and when the last; many messages may go as one."""
    row = rows.one(
        "SELECT count(DISTINCT sent_ms) AS mails, max(sent_ms) AS last FROM message"
        " WHERE recipient = ? AND way = ? AND sent_ms > ?",
        (recipient, way, since_ms),
    )
    assert row is not None
    return row["mails"], row["last"]


def next_due(rows: Rows, way: str) -> int | None:
    """When the next delivery by one way is to be tried, milliseconds; None when nothing waits."""
    found: int | None = rows.value(f"SELECT min(next_ms) FROM message WHERE {_WAITING} AND way = ?", (way,))
    return found


def sent(rows: Rows, ids: Iterable[int], now_ms: int) -> None:
    """Keep that messages were delivered."""
    for number in ids:
        rows.run(
            "UPDATE message SET sent_ms = ?, next_ms = NULL, error = '', attempts = attempts + 1 WHERE id = ?",
            (now_ms, number),
        )


def failed(rows: Rows, ids: Iterable[int], error: str, next_ms: int | None) -> None:
    """Keep that a delivery failed, and when it is tried again (None: when somebody says so)."""
    for number in ids:
        rows.run(
            f"UPDATE message SET error = ?, next_ms = ?, attempts = attempts + 1 WHERE id = ? AND {_WAITING}",
            (error, next_ms, number),
        )


def give_up(rows: Rows, number: int, error: str, now_ms: int) -> None:
    """Keep that a message was not delivered, and will not be."""
    rows.run(
        f"UPDATE message SET error = ?, dropped_ms = ?, attempts = attempts + 1 WHERE id = ? AND {_WAITING}",
        (error, now_ms, number),
    )


def outdated(rows: Rows, messages: Iterable[Message], now: Now) -> dict[int, str]:
    """The messages that are not true any more, by id, and why."""
    found: dict[int, str] = {}
    for one in messages:
        if one.template == notices.PROPOSED:
            why = _outdated_proposal(rows, one, now.wall_ms)
            if why:
                found[one.id] = why
            continue
        request = requests.by_id(rows, one.request_id) if one.request_id is not None else None
        voters = {vote.name for vote in requests.votes(rows, request.id)} if request is not None else set()
        why = notices.outdated(one, request, voters, now)
        if why:
            found[one.id] = why
    return found


def _outdated_proposal(rows: Rows, message: Message, now_ms: int) -> str:
    number = message.data.get("change")
    change = changes.by_id(rows, number) if isinstance(number, int) else None
    if change is None:
        return ""
    voters = {vote.name for vote in changes.votes(rows, change.id)}
    lapses_ms = change.proposed_ms + changes.WAITS_MS
    return notices.outdated_proposal(message, change.ended_how, lapses_ms, voters, now_ms)


def fate(rows: Rows, number: int) -> Fate | None:
    """What became of a message; None: there is none, or it was forgotten."""
    row = rows.one("SELECT address, sent_ms, dropped_ms, error FROM message WHERE id = ?", (number,))
    return Fate(**row) if row else None


def hold(rows: Rows, ids: Iterable[int], next_ms: int) -> None:
    """Let messages wait, to be told together."""
    for number in ids:
        rows.run(
            f"UPDATE message SET next_ms = ?, error = ? WHERE id = ? AND {_WAITING}",
            (next_ms, COLLECTED, number),
        )


def waiting(rows: Rows, limit: int) -> list[Message]:
    """What was not delivered yet, oldest first."""
    return [
        _message(row)
        for row in rows.all(f"SELECT {_COLUMNS} FROM message WHERE {_WAITING} ORDER BY +id LIMIT ?", (limit,))
    ]


def chosen(rows: Rows, ids: Sequence[int] | None) -> list[Message]:
    """What was not delivered yet: all of it, or some."""
    if ids is None:
        return waiting(rows, -1)
    found = (
        rows.one(f"SELECT {_COLUMNS} FROM message WHERE id = ? AND {_WAITING}", (number,)) for number in ids
    )
    return [_message(row) for row in found if row is not None]


def waits(rows: Rows, number: int) -> bool:
    """Whether a message was neither delivered nor given up."""
    return bool(rows.value(f"SELECT 1 FROM message WHERE id = ? AND {_WAITING}", (number,)))


def counts(rows: Rows) -> Counts:
    """How much waits."""
    row = rows.one(
        f"SELECT count(*) AS waiting, count(*) FILTER (WHERE next_ms IS NULL) AS stuck FROM message WHERE {_WAITING}"
    )
    assert row is not None
    return Counts(row["waiting"], row["stuck"])


def oldest_ms(rows: Rows) -> int | None:
    """When the oldest message that waits was made, milliseconds UTC; None where none does."""
    found: int | None = rows.value(f"SELECT min(created_ms) FROM message WHERE {_WAITING}")
    return found


def retry(rows: Rows, ids: Iterable[int], now_ms: int) -> None:
    """Try messages again at once."""
    for number in ids:
        rows.run(f"UPDATE message SET next_ms = ? WHERE id = ? AND {_WAITING}", (now_ms, number))


def readdress(rows: Rows, recipient: str, address: str, now_ms: int) -> None:
    """Send the mails that somebody waits for to another address, at once."""
    rows.run(
        f"UPDATE message SET address = ?, next_ms = ? WHERE {_WAITING} AND recipient = ? AND way = 'mail'",
        (address, now_ms, recipient),
    )


def drop(rows: Rows, ids: Sequence[int] | None, now_ms: int) -> int:
    """Give messages up, all that wait or some. Returns how many there were."""
    return _each(rows, f"UPDATE message SET dropped_ms = ? WHERE {_WAITING}", ids, now_ms)


def _each(rows: Rows, sql: str, ids: Sequence[int] | None, now_ms: int) -> int:
    if ids is None:
        return rows.run(sql, (now_ms,))
    return sum(rows.run(f"{sql} AND id = ?", (now_ms, number)) for number in ids)


def forget(rows: Rows, before_ms: int) -> None:
    """Forget what was delivered or given up before a time: the events tell what happened."""
    rows.run("DELETE FROM message WHERE coalesce(sent_ms, dropped_ms) < ?", (before_ms,))
