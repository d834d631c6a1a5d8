"""What is asked before every verb costs what is due, not what is granted."""

from typing import Any

from jitd.store.database import Params, Rows
from support.service import World


async def test_no_question_before_a_verb_looks_at_every_live_grant(office: World) -> None:
    """Each query for what is due, what waits and what comes next is a search in an index, not a scan."""
    from jitd.store import accounts, requests
    from jitd.store import devices as stored_devices

    asked: list[tuple[str, Params]] = []

    class Listening(Rows):
        """Rows that note what they are asked."""

        def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
            asked.append((sql, params))
            return super().all(sql, params)

        def value(self, sql: str, params: Params = ()) -> Any:
            asked.append((sql, params))
            return super().value(sql, params)

    plain = office.service._state.rows
    rows = Listening(plain._database)
    requests.due(rows, 0, "boot-1", 0)
    requests.waiting(rows, "boot-1", 0)
    requests.next_end(rows, "boot-1")
    requests.next_start(rows, "boot-1")
    accounts.next_end(rows)
    stored_devices.next_end(rows)
    assert len(asked) == 10
    for sql, params in asked:
        steps = [step["detail"] for step in plain.all(f"EXPLAIN QUERY PLAN {sql}", params)]
        assert not [step for step in steps if step.startswith("SCAN")], (sql, steps)
