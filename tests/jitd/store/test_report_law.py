"""The sums of SQL are those that somebody would make by hand."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest

from jitd.core.choices import ReportBy
from jitd.core.report import Tally, wait_class
from jitd.store import report as store
from jitd.store.report import Span
from support.service import World

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 100 * DAY
PEOPLE = ("alice", "bob", "erin")
DECIDERS = ("carol", "root", "alice")

#: So many may wait: one of each user for each network.
WAITING = len(PEOPLE) * 3

Row = dict[str, Any]


def made(number: int, chance: random.Random) -> Row:
    """A request of any kind that the store's own rules allow."""
    user = number % len(PEOPLE)
    at = chance.randrange(NOW)
    row: Row = {
        "id": number,
        "account_id": user + 1,
        "network_id": number // len(PEOPLE) % 3 + 1,
        "reason": "x",
        "requested_ms": at,
        "requested_by": chance.choice([PEOPLE[user], PEOPLE[user], "root", "carol"]),
        "lapses_ms": at + chance.choice([HOUR, 200 * DAY]),
        # Some are never denied anything.
        "decision": chance.choice([None, "granted", "granted", "granted", "denied" if user else None]),
    }
    over = None
    if row["decision"] is not None:
        row |= {"decided_ms": at + chance.randrange(3 * DAY), "decided_by": chance.choice(DECIDERS)}
    if row["decision"] == "granted":
        starts = row["decided_ms"] + chance.choice([0, DAY])
        row |= {"starts_ms": starts, "ends_ms": starts + chance.randrange(1, 20 * HOUR)}
        row |= {"boot_id": "x", "ends_boot_ms": 1, "auto_rule": chance.choice([None, None, "a rule"])}
        row |= {"break_glass": 0 if row["auto_rule"] else chance.choice([0, 0, 1])}
        row |= {"extends_id": chance.choice([None, None, None, 1]) if number > 1 else None}
        over = chance.choice([None, "expired", "revoked", "released"])
    elif row["decision"] is None and number > WAITING:
        over = chance.choice(["cancelled", "lapsed"])
    if over is not None:
        row |= {"ended_how": over, "ended_by": "", "ended_ms": at + chance.randrange(5 * DAY)}
    return row


def decider(row: Row) -> str | None:
    """Who decided, where somebody did. Root is carol behind sudo for every second request."""
    if row["decision"] is None or row.get("break_glass") or row.get("auto_rule"):
        return None
    return "carol" if row["decided_by"] == "root" and row["id"] % 2 else row["decided_by"]


def is_answer(row: Row) -> bool:
    """Whether somebody who was asked decided."""
    return decider(row) is not None and row["decided_by"] != row["requested_by"]


def by_hand(rows: Iterable[Row], used: dict[int, int]) -> Tally:
    """The sums, a request at a time."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums["asked"] += 1
        granted, over = row["decision"] == "granted", row.get("ended_how")
        sums["granted"] += granted and is_answer(row)
        sums["direct"] += granted and decider(row) is not None and not is_answer(row)
        sums["automatic"] += bool(row.get("auto_rule"))
        sums["break_glass"] += bool(row.get("break_glass"))
        sums["denied"] += row["decision"] == "denied"
        sums["cancelled"] += over == "cancelled"
        waits = row["decision"] is None and over is None
        sums["lapsed"] += over == "lapsed" or (waits and row["lapses_ms"] <= NOW)
        sums["pending"] += waits and row["lapses_ms"] > NOW
        if granted and row.get("extends_id") is None:
            ends = min(row.get("ended_ms", NOW), row["ends_ms"], NOW)
            open_ms = max(0, ends - row["starts_ms"])
            sums["grants"] += 1
            sums["given_ms"] += row["ends_ms"] - row["starts_ms"]
            sums["open_ms"] += open_ms
            sums["used_ms"] += min(used.get(row["id"], 0), open_ms)
            is_over = over is not None or row["ends_ms"] <= NOW
            sums["unused"] += is_over and not used.get(row["id"])
    return Tally(**sums)


@pytest.mark.parametrize("seed", range(4))
async def test_sums_are_those_that_are_made_by_hand(world: World, seed: int) -> None:
    """Of everything, of each user, network and decider, of each part of the time, and of all waits; each request is
    exactly one of granted, denied, given by a rule, by break-glass or unasked, lapsed, cancelled and pending.
    """
    chance = random.Random(seed)
    everything = [made(number, chance) for number in range(1, 400)]
    used = {row["id"]: chance.randrange(10 * HOUR) for row in everything if chance.random() < 0.5}
    span = Span(
        since_ms=10 * DAY, until_ms=90 * DAY, now_ms=NOW, network_ids=None if seed % 2 else frozenset({1, 2})
    )
    wanted = [
        row
        for row in everything
        if 10 * DAY <= row["requested_ms"] < 90 * DAY
        and (span.network_ids is None or row["network_id"] in span.network_ids)
    ]
    with world.service._state.store.transaction() as rows:
        fill(rows, everything, used)
        sums = store.sums(rows, span, dict.fromkeys(get_args(ReportBy), 100), least=3, pairs=100)
        assert sums.total == by_hand(wanted, used)
        one = sums.total
        kinds = (
            one.granted,
            one.denied,
            one.automatic,
            one.break_glass,
            one.direct,
            one.lapsed,
            one.cancelled,
        )
        assert one.asked == sum(kinds) + one.pending
        keys: dict[ReportBy, Callable[[Row], int | str | None]] = {
            "user": lambda row: row["account_id"],
            "network": lambda row: row["network_id"],
            "approver": decider,
        }
        answers = [row for row in wanted if is_answer(row)]
        for by, key in keys.items():
            named = {name for row in wanted if (name := key(row)) is not None}
            assert {group.key: group.tally for group in sums.groups[by]} == {
                name: by_hand([row for row in wanted if key(row) == name], used) for name in named
            }
            assert sums.of[by] == len(named)
            asked = [group.tally.asked for group in sums.groups[by]]
            assert asked == sorted(asked, reverse=True)
            assert store.waits_by(rows, span, by, named) == {
                name: counted
                for name in named
                if (counted := waits(row for row in answers if key(row) == name))
            }
        assert store.waits(rows, span) == waits(answers)
        parts = Counter((90 * DAY - 1 - row["requested_ms"]) // DAY for row in wanted)
        assert {mark.number: mark.asked for mark in store.marks(rows, span, DAY)} == parts
        hours = Counter(
            at.weekday() * 24 + at.hour
            for row in wanted
            if (
                at := datetime.fromtimestamp(
                    row["requested_ms"] / 1000, timezone(timedelta(hours=5, minutes=30))
                )
            )
        )
        assert store.hours(rows, span, 11 * HOUR // 2) == hours
        often = Counter(
            (row["account_id"], row["network_id"]) for row in answers if row["decision"] == "granted"
        )
        denied = {(row["account_id"], row["network_id"]) for row in wanted if row["decision"] == "denied"}
        assert sums.pairs == {pair for pair, number in often.items() if number >= 3 and pair not in denied}
        assert sums.pairs
        emergencies = [row["id"] for row in wanted if row.get("break_glass")]
        assert {one.id for one in store.emergencies(rows, span, 500)} == set(emergencies)


def waits(rows: Iterable[Row]) -> dict[int, int]:
    """How long decisions took, in classes."""
    return dict(Counter(wait_class(row["decided_ms"] - row["requested_ms"]) for row in rows))


def fill(rows: Any, everything: list[Row], used: dict[int, int]) -> None:
    """Write it all into an empty store."""
    for number, name in enumerate(PEOPLE):
        rows.insert("account", {"id": number + 1, "uid": 70000 + number, "name": name, "created_ms": 0})
    plain = {
        "routes": "[]",
        "ports": "[]",
        "jit_enabled": 1,
        "members": "[]",
        "default_duration_ms": 1,
        "max_duration_ms": 1,
        "pending_ttl_ms": 1,
    }
    keys = {"private_key": "x", "public_key": "x", "port": 1, "endpoint": "", "dns": "[]", "mtu": 0}
    rows.insert("interface", {"id": 1, "name": "wg0", "adopted": 0, "enforced": 1, "created_ms": 0, **keys})
    for number in range(1, 4):
        one = {"id": number, "name": f"n{number}", "interface_id": 1, "created_ms": 0}
        rows.insert("network", one | plain)
    for row in everything:
        rows.insert("request", row)
        if row["id"] in used:
            sums = {"used_ms": used[row["id"]], "rx_bytes": 0, "tx_bytes": 0, "handshake_ms": 0}
            rows.insert("usage", {"request_id": row["id"], **sums})
        if row.get("decided_by") == "root" and row["id"] % 2:
            who = {"actor_uid": 0, "actor_user": "root", "actor_login_user": "carol", "data": "{}"}
            rows.insert("event", {"at_ms": 0, "kind": row["decision"], "request_id": row["id"], **who})
