"""Requests and grants. Each change is guarded by the state it changes: a stale one changes no row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from jitd.core.choices import Status
from jitd.core.model import Denial, Ending, Grant, Request, Review, Vote
from jitd.store import accounts
from jitd.store.database import Rows

_SELECT: Final = f"SELECT r.*, {accounts.SELECTED} FROM request r JOIN account a ON a.id = r.account_id"
#: SQLite takes a limited number of parameters.
IN_ONE_QUESTION: Final = 1000
_PENDING: Final = "r.decision IS NULL AND r.ended_how IS NULL"
#: What gives access: a request for more time of a grant lengthens that and gives none of its own.
LIVE: Final = "r.decision = 'granted' AND r.ended_how IS NULL AND r.extends_id IS NULL"
UNREVIEWED: Final = "(r.break_glass = 1 OR r.unreviewed IS NOT NULL) AND r.reviewed_ms IS NULL"


def _request(row: Mapping[str, Any]) -> Request:
    decision: Grant | Denial | None = None
    if row["decision"] == "granted":
        decision = Grant(
            decided_ms=row["decided_ms"],
            decided_by=row["decided_by"],
            comment=row["comment"] or "",
            starts_ms=row["starts_ms"],
            ends_ms=row["ends_ms"],
            boot_id=row["boot_id"],
            ends_boot_ms=row["ends_boot_ms"],
            paused_ms=row["paused_ms"],
        )
    elif row["decision"] == "denied":
        decision = Denial(
            decided_ms=row["decided_ms"], decided_by=row["decided_by"], comment=row["comment"] or ""
        )
    ending = None
    if row["ended_how"] is not None:
        ending = Ending(
            how=Status(row["ended_how"]),
            at_ms=row["ended_ms"],
            by=row["ended_by"],
            comment=row["ended_comment"] or "",
        )
    return Request(
        id=row["id"],
        account=accounts.of_row(row),
        network_id=row["network_id"],
        reason=row["reason"],
        wanted_ms=row["wanted_ms"],
        requested_ms=row["requested_ms"],
        requested_by=row["requested_by"],
        lapses_ms=row["lapses_ms"],
        wanted_start_ms=row["wanted_start_ms"],
        wanted_until_ms=row["wanted_until_ms"],
        urgent=bool(row["urgent"]),
        break_glass=bool(row["break_glass"]),
        review=Review(at_ms=row["reviewed_ms"], by=row["reviewed_by"], comment=row["reviewed_comment"])
        if row["reviewed_ms"] is not None
        else None,
        extends_id=row["extends_id"],
        unreviewed=row["unreviewed"] or "",
        decision=decision,
        ending=ending,
    )


def by_id(rows: Rows, request_id: int) -> Request | None:
    """The request of this id, or None."""
    row = rows.one(f"{_SELECT} WHERE r.id = ?", (request_id,))
    return _request(row) if row else None


def open_of(rows: Rows, account_id: int, network_id: int | None = None) -> list[Request]:
    """The pending and granted requests of an account that have not ended, on one network or on all, oldest first."""
    sql = (
        f"{_SELECT} WHERE r.account_id = ? AND r.ended_how IS NULL AND r.decision IS NOT 'denied'"
        " AND r.state IN ('pending', 'granted')"
    )
    params: list[object] = [account_id]
    if network_id is not None:
        sql += " AND r.network_id = ?"
        params.append(network_id)
    return [_request(row) for row in rows.all(f"{sql} ORDER BY r.id", params)]


def pending_on(rows: Rows, network_id: int) -> list[Request]:
    """The pending requests of a network, oldest first."""
    found = rows.all(f"{_SELECT} WHERE r.network_id = ? AND r.state = 'pending' ORDER BY r.id", (network_id,))
    return [_request(row) for row in found]


def live(rows: Rows, *, network_ids: Iterable[int]) -> list[Request]:
    """The grants of these networks that have not ended."""
    wanted = list(network_ids)
    marks = ", ".join("?" * len(wanted))
    return [
        _request(row) for row in rows.all(f"{_SELECT} WHERE {LIVE} AND r.network_id IN ({marks})", wanted)
    ]


def live_of_devices(
    rows: Rows, interface_id: int, device_ids: Iterable[int] | None
) -> list[tuple[int, Request]]:
    """(device id, grant) for each live grant behind an interface; `device_ids` None means all devices."""
    # CROSS JOIN fixes the order: from the few devices to their grants, or from the live grants to their devices.
    if device_ids is None:
        source = "request r CROSS JOIN grant_device g ON g.request_id = r.id"
        narrowed, params = "", list[object]([interface_id])
    else:
        wanted = list(device_ids)
        source = "grant_device g CROSS JOIN request r ON r.id = g.request_id"
        narrowed, params = f" AND g.device_id IN ({', '.join('?' * len(wanted))})", [interface_id, *wanted]
    sql = (
        f"SELECT g.device_id AS granted_device, r.*, {accounts.SELECTED}"
        f" FROM {source} JOIN account a ON a.id = r.account_id JOIN network n ON n.id = r.network_id"
        f" WHERE {LIVE} AND n.interface_id = ?{narrowed}"
    )
    return [(row["granted_device"], _request(row)) for row in rows.all(sql, params)]


def due(rows: Rows, wall_ms: int, boot_id: str, boot_ms: int) -> list[Request]:
    """The grants that are over by either clock and have not been ended, earliest end first."""
    # One search in an index for each clock: an OR of both would look at every live grant, before every verb.
    found = {
        row["id"]: _request(row)
        for condition, params in (
            ("r.ends_ms <= ?", (wall_ms,)),
            ("r.boot_id = ? AND r.ends_boot_ms <= ?", (boot_id, boot_ms)),
        )
        for row in rows.all(f"{_SELECT} WHERE {LIVE} AND {condition}", params)
    }
    return sorted(
        found.values(), key=lambda request: (request.grant.ends_ms if request.grant else 0, request.id)
    )


def next_end(rows: Rows, boot_id: str) -> tuple[int | None, int | None]:
    """The earliest end of a live grant by wall clock and by boot clock, milliseconds; None when there is none."""
    wall = rows.value(f"SELECT min(r.ends_ms) FROM request r WHERE {LIVE}")
    boot = rows.value(
        f"SELECT r.ends_boot_ms FROM request r WHERE {LIVE} AND r.boot_id = ? ORDER BY r.ends_boot_ms LIMIT 1",
        (boot_id,),
    )
    return wall, boot


def next_lapse(rows: Rows) -> int | None:
    """When the next pending request lapses, milliseconds; None when nothing is pending."""
    found: int | None = rows.value(f"SELECT min(r.lapses_ms) FROM request r WHERE {_PENDING}")
    return found


def lapsed(rows: Rows, wall_ms: int) -> list[Request]:
    """The pending requests that nobody needs to decide any more."""
    return [_request(row) for row in rows.all(f"{_SELECT} WHERE {_PENDING} AND r.lapses_ms <= ?", (wall_ms,))]


def add(
    rows: Rows,
    *,
    account_id: int,
    network_id: int,
    reason: str,
    wanted_ms: int | None,
    requested_ms: int,
    requested_by: str,
    lapses_ms: int,
    wanted_start_ms: int | None = None,
    wanted_until_ms: int | None = None,
    urgent: bool = False,
    break_glass: bool = False,
    extends_id: int | None = None,
) -> int:
    """Store a pending request and return its id. A second pending one of the pair violates a unique index."""
    return rows.insert(
        "request",
        {
            "account_id": account_id,
            "network_id": network_id,
            "reason": reason,
            "wanted_ms": wanted_ms,
            "requested_ms": requested_ms,
            "requested_by": requested_by,
            "lapses_ms": lapses_ms,
            "wanted_start_ms": wanted_start_ms,
            "wanted_until_ms": wanted_until_ms,
            "urgent": int(urgent),
            "break_glass": int(break_glass),
            "extends_id": extends_id,
        },
    )


def grant(
    rows: Rows, request_id: int, grant: Grant, device_ids: Iterable[int], auto_rule: str | None = None
) -> bool:
    """Turn a pending request into a grant for these devices. False: it is not pending any more.

    `auto_rule` is the rule that did it without waiting for somebody.
    """
    changed = rows.run(
        "UPDATE request SET decision = 'granted', decided_ms = :decided_ms, decided_by = :decided_by,"
        " comment = :comment, starts_ms = :starts_ms, ends_ms = :ends_ms, boot_id = :boot_id,"
        " ends_boot_ms = :ends_boot_ms, auto_rule = :auto_rule WHERE id = :id AND state = 'pending'",
        {
            "id": request_id,
            "auto_rule": auto_rule,
            "decided_ms": grant.decided_ms,
            "decided_by": grant.decided_by,
            "comment": grant.comment,
            "starts_ms": grant.starts_ms,
            "ends_ms": grant.ends_ms,
            "boot_id": grant.boot_id,
            "ends_boot_ms": grant.ends_boot_ms,
        },
    )
    if changed:
        for device_id in device_ids:
            rows.insert("grant_device", {"request_id": request_id, "device_id": device_id})
    return changed == 1


def deny(rows: Rows, request_id: int, denial: Denial) -> bool:
    """Deny a pending request. False: it is not pending any more."""
    changed = rows.run(
        "UPDATE request SET decision = 'denied', decided_ms = ?, decided_by = ?, comment = ?"
        " WHERE id = ? AND state = 'pending'",
        (denial.decided_ms, denial.decided_by, denial.comment, request_id),
    )
    return changed == 1


def end(rows: Rows, request_id: int, ending: Ending) -> bool:
    """End a pending request (cancelled, lapsed) or a live grant (the others). False: it is in another state."""
    needed = "pending" if ending.how in (Status.CANCELLED, Status.LAPSED) else "granted"
    changed = rows.run(
        "UPDATE request SET ended_how = ?, ended_ms = ?, ended_by = ?, ended_comment = ? WHERE id = ? AND state = ?",
        (str(ending.how), ending.at_ms, ending.by, ending.comment, request_id, needed),
    )
    if changed:
        # Those who asked for more of it: what was given ends with it, what waits lapses.
        rows.run(
            "UPDATE request SET ended_how = ?, ended_ms = ?, ended_by = ?, ended_comment = ?"
            " WHERE extends_id = ? AND state = 'granted'",
            (str(ending.how), ending.at_ms, ending.by, ending.comment, request_id),
        )
        rows.run(
            "UPDATE request SET lapses_ms = min(lapses_ms, ?) WHERE extends_id = ? AND state = 'pending'",
            (ending.at_ms, request_id),
        )
    return changed == 1


def review(rows: Rows, request_id: int, review: Review) -> bool:
    """Keep that a grant was looked at by somebody else. False: it was already, or does not need it."""
    changed = rows.run(
        "UPDATE request SET reviewed_ms = ?, reviewed_by = ?, reviewed_comment = ?"
        " WHERE id = ? AND (break_glass = 1 OR unreviewed IS NOT NULL) AND reviewed_ms IS NULL",
        (review.at_ms, review.by, review.comment, request_id),
    )
    return changed == 1


def leave_unreviewed(rows: Rows, request_id: int, why: str) -> None:
    """Somebody else has to look at a grant, also where somebody did before."""
    rows.run(
        "UPDATE request SET unreviewed = ?, reviewed_ms = NULL, reviewed_by = NULL, reviewed_comment = NULL WHERE id = ?",
        (why, request_id),
    )


def vote(rows: Rows, request_id: int, vote: Vote) -> None:
    """Keep that one of several agrees."""
    rows.insert(
        "vote",
        {
            "request_id": request_id,
            "uid": vote.uid,
            "name": vote.name,
            "login_uid": vote.login_uid,
            "at_ms": vote.at_ms,
            "duration_ms": vote.duration_ms,
            "comment": vote.comment,
        },
    )


def forget_vote(rows: Rows, request_id: int, vote: Vote) -> None:
    """Take back the vote of somebody who may not decide any more."""
    rows.run(
        "DELETE FROM vote WHERE request_id = ? AND uid = ? AND name = ? AND login_uid IS ?",
        (request_id, vote.uid, vote.name, vote.login_uid),
    )


def votes(rows: Rows, request_id: int) -> list[Vote]:
    """Who has agreed, in the order in which they did."""
    found = rows.all(
        "SELECT uid, name, login_uid, at_ms, duration_ms, comment FROM vote WHERE request_id = ? ORDER BY id",
        (request_id,),
    )
    return [Vote(**row) for row in found]


def break_glass_since(rows: Rows, account_id: int, network_id: int, since_ms: int) -> int:
    """How often an account has opened a network by break-glass since a time."""
    found: int = rows.value(
        "SELECT count(*) FROM request WHERE account_id = ? AND network_id = ? AND break_glass = 1"
        " AND requested_ms > ?",
        (account_id, network_id, since_ms),
    )
    return found


def auto_approved_since(rows: Rows, account_id: int, network_id: int, since_ms: int) -> dict[str, int]:
    """How often each rule has granted something to an account on a network since a time, by the rule's text."""
    found = rows.all(
        "SELECT auto_rule, count(*) AS number FROM request WHERE account_id = ? AND network_id = ?"
        " AND auto_rule IS NOT NULL AND decided_ms > ? GROUP BY auto_rule",
        (account_id, network_id, since_ms),
    )
    return {row["auto_rule"]: row["number"] for row in found}


def last_reason(rows: Rows, account_id: int, network_id: int) -> str | None:
    """The reason of the newest request of an account for a network, None when there was none."""
    found: str | None = rows.value(
        "SELECT reason FROM request WHERE account_id = ? AND network_id = ? ORDER BY id DESC LIMIT 1",
        (account_id, network_id),
    )
    return found


def pause(rows: Rows, request_id: int, paused_ms: int | None) -> bool:
    """Switch a live grant off (a time) or on (None). False: nothing to change."""
    changed = rows.run(
        "UPDATE request SET paused_ms = ? WHERE id = ? AND state = 'granted' AND (paused_ms IS NULL) <> (? IS NULL)",
        (paused_ms, request_id, paused_ms),
    )
    return changed == 1


def extend(rows: Rows, request_id: int, before_ms: int, by_ms: int) -> bool:
    """Move the end of a live grant, on both clocks. False: it has ended, or its end is not `before_ms` any more."""
    changed = rows.run(
        "UPDATE request SET ends_ms = ends_ms + :by, ends_boot_ms = ends_boot_ms + :by"
        " WHERE id = :id AND state = 'granted' AND ends_ms = :before",
        {"id": request_id, "before": before_ms, "by": by_ms},
    )
    return changed == 1


def set_reminder(rows: Rows, request_id: int, tell_ms: int | None) -> None:
    """When somebody is to be told next that a request waits, or that a grant ends."""
    rows.run("UPDATE request SET tell_ms = ? WHERE id = ?", (tell_ms, request_id))


def next_reminder(rows: Rows) -> int | None:
    """When the next of them is due, milliseconds; None when none is."""
    found: int | None = rows.value(
        "SELECT min(tell_ms) FROM request WHERE tell_ms IS NOT NULL AND ended_how IS NULL"
    )
    return found


def to_remind(rows: Rows, wall_ms: int, limit: int) -> list[Request]:
    """The requests that somebody is to be told of now, at most so many."""
    return [
        _request(row)
        for row in rows.all(
            f"{_SELECT} WHERE r.tell_ms IS NOT NULL AND r.ended_how IS NULL AND r.tell_ms <= ?"
            " ORDER BY r.tell_ms LIMIT ?",
            (wall_ms, limit),
        )
    ]


def set_boot_end(rows: Rows, request_id: int, boot_id: str, ends_boot_ms: int) -> None:
    """Give a live grant its end in the boot clock of this boot."""
    rows.run(
        "UPDATE request SET boot_id = ?, ends_boot_ms = ? WHERE id = ?", (boot_id, ends_boot_ms, request_id)
    )


def waiting(rows: Rows, boot_id: str, wall_ms: int) -> list[Request]:
    """The live grants that have begun and are not active in this boot: scheduled ones, and those of another boot."""
    # Below and above: "<>" would look at every live grant, before every verb.
    found = [
        _request(row)
        for than in ("<", ">")
        for row in rows.all(
            f"{_SELECT} WHERE {LIVE} AND r.boot_id {than} ? AND r.starts_ms <= ?", (boot_id, wall_ms)
        )
    ]
    return sorted(found, key=lambda request: request.id)


def next_start(rows: Rows, boot_id: str) -> int | None:
    """When the next of those begins that are not active in this boot, milliseconds; None when there is none."""
    starts = [
        rows.value(f"SELECT min(r.starts_ms) FROM request r WHERE {LIVE} AND r.boot_id {than} ?", (boot_id,))
        for than in ("<", ">")
    ]
    return min((at for at in starts if at is not None), default=None)


def by_ids(rows: Rows, request_ids: Sequence[int]) -> dict[int, Request]:
    """Those of the requests that exist, by id."""
    found = {}
    for start in range(0, len(request_ids), IN_ONE_QUESTION):
        some = request_ids[start : start + IN_ONE_QUESTION]
        for row in rows.all(f"{_SELECT} WHERE r.id IN ({', '.join('?' * len(some))})", some):
            found[row["id"]] = _request(row)
    return found


def tunnels_of(rows: Rows, request_ids: Sequence[int]) -> set[tuple[int, int]]:
    """(interface id, device id) of everything that these grants are for."""
    found: set[tuple[int, int]] = set()
    for start in range(0, len(request_ids), IN_ONE_QUESTION):
        some = request_ids[start : start + IN_ONE_QUESTION]
        found.update(
            (row["interface_id"], row["device_id"])
            for row in rows.all(
                "SELECT n.interface_id, g.device_id FROM grant_device g JOIN request r ON r.id = g.request_id"
                " JOIN network n ON n.id = r.network_id"
                f" WHERE g.request_id IN ({', '.join('?' * len(some))})",
                some,
            )
        )
    return found


def devices_of(rows: Rows, request_id: int) -> list[tuple[int, str]]:
    """(id, name) of the devices of a grant, removed ones included, by name."""
    found = rows.all(
        "SELECT d.id, d.name FROM grant_device g JOIN device d ON d.id = g.device_id WHERE g.request_id = ?"
        " ORDER BY d.name",
        (request_id,),
    )
    return [(row["id"], row["name"]) for row in found]


def keys_of(rows: Rows, request_id: int) -> set[tuple[int, str]]:
    """(interface id, public key) of the devices of a grant, removed ones included."""
    found = rows.all(
        "SELECT n.interface_id, d.public_key FROM request r JOIN network n ON n.id = r.network_id"
        " JOIN grant_device g ON g.request_id = r.id JOIN device d ON d.id = g.device_id WHERE r.id = ?",
        (request_id,),
    )
    return {(row["interface_id"], row["public_key"]) for row in found}


def live_grants_of_device(rows: Rows, device_id: int) -> list[Request]:
    """The live grants that a device is part of."""
    found = rows.all(
        f"{_SELECT} JOIN grant_device g ON g.request_id = r.id WHERE {LIVE} AND g.device_id = ?",
        (device_id,),
    )
    return [_request(row) for row in found]


def count_since(rows: Rows, account_id: int, since_ms: int) -> tuple[int, int | None]:
    """How many requests an account made since a time, and when it made the first of them."""
    row = rows.one(
        "SELECT count(*) AS made, min(requested_ms) AS first FROM request WHERE account_id = ? AND requested_ms > ?",
        (account_id, since_ms),
    )
    assert row is not None
    return row["made"], row["first"]


def unreviewed(rows: Rows) -> list[int]:
    """The ids of grants that nobody has acknowledged and somebody else has to, newest first."""
    found = rows.all(f"SELECT r.id FROM request r WHERE {UNREVIEWED} ORDER BY r.id DESC")
    return [row["id"] for row in found]
