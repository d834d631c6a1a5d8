"""What a report costs: its own time, and nothing else of the store."""

import dataclasses
import random
import sqlite3
from typing import get_args

import pytest

from jitd.core.choices import ReportBy
from jitd.core.report import wait_class
from jitd.store import report as store
from jitd.store.database import Params, Rows
from jitd.store.report import Span
from support.service import World

HOUR = 3_600_000
ALL = Span(since_ms=0, until_ms=10**15, now_ms=10**15)


@pytest.mark.parametrize("network_ids", [None, frozenset({1, 2})])
async def test_everything_is_found_by_its_time(office: World, network_ids: frozenset[int] | None) -> None:
    """No question scans the requests: each begins in the index of when they were made, also for some networks alone."""
    asked: list[tuple[str, Params]] = []

    class Listening(Rows):
        """Rows that note what they are asked."""

        def _execute(self, sql: str, params: Params) -> sqlite3.Cursor:
            asked.append((sql, params))
            return super()._execute(sql, params)

    plain = office.service._state.rows
    rows = Listening(plain._database)
    span = dataclasses.replace(ALL, network_ids=network_ids)
    store.sums(rows, span, dict.fromkeys(get_args(ReportBy), 5), least=6, pairs=5)
    store.waits(rows, span)
    store.marks(rows, span, HOUR)
    store.hours(rows, span, 0)
    store.emergencies(rows, span, 10)
    store.habits(rows, span, {(1, 1)})
    for by in get_args(ReportBy):
        store.waits_by(rows, span, by, ["a", 1])
    assert len(asked) == 10
    for sql, params in asked:
        steps = [step["detail"] for step in plain.all(f"EXPLAIN QUERY PLAN {sql}", params)]
        found = [
            step for step in steps if "INDEX request_requested (requested_ms>? AND requested_ms<?)" in step
        ]
        assert found, (sql, steps)
        assert not [step for step in steps if step.startswith("SCAN r")], (sql, steps)


async def test_waits_are_counted_in_the_classes_of_the_core(office: World) -> None:
    """What SQL rounds is what `wait_class` rounds, at the edges of each step too."""
    chance = random.Random(4)
    waits = [chance.randrange(10 ** chance.randrange(1, 11)) for _ in range(400)]
    waits += [edge + by for edge in (300_000, 7_200_000, 172_800_000) for by in (-1, 0, 1)]
    with office.service._state.store.transaction() as rows:
        account = rows.value("SELECT id FROM account LIMIT 1")
        for number, wait in enumerate(waits):
            rows.insert(
                "request",
                {
                    "account_id": account,
                    "network_id": 1,
                    "reason": "x",
                    "requested_ms": number,
                    "requested_by": "alice",
                    "lapses_ms": number + HOUR,
                    "decision": "denied",
                    "decided_ms": number + wait,
                    "decided_by": "carol",
                },
            )
        expected: dict[int, int] = {}
        for wait in waits:
            expected[wait_class(wait)] = expected.get(wait_class(wait), 0) + 1
        assert store.waits(rows, ALL) == expected
        assert store.waits_by(rows, ALL, "approver", ["carol"]) == {"carol": expected}
