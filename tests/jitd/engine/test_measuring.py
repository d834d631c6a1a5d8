"""What monitoring is told of a service: what it costs, and what it says while something is wrong."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from jitd.core.metrics import Histogram, Metric, Sample
from jitd.engine import measuring
from jitd.engine.readers import Reader
from jitd.engine.worker import Worker
from jitd.queries import metrics
from jitd.store import metrics as stored_metrics
from jitd.store.database import FILE_NAME, Params, Rows
from jitd.verbs import freezing, grants, holding, networks, requests
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key, passes


async def told(world: World) -> dict[tuple[str, ...], Any]:
    """Every value, by the name of its metric and the values of its labels."""
    samples: list[Sample] = await world.service.measure(metrics.metrics, ROOT, {})
    found = {(one.metric.name, *one.labels): one.value for one in samples}
    assert len(found) == len(samples)
    return found


def count(histogram: object) -> int:
    """How many values were observed."""
    assert isinstance(histogram, Histogram)
    return sum(histogram.counts)


async def test_decisions_are_counted_by_outcome(office: World) -> None:
    """Each way for a request to end counts once; only what somebody was asked for has a time to the decision."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.break_glass=bob"])
    await office.do(requests.cancel, ALICE, id=await office.asked())
    await office.do(grants.deny, CAROL, id=await office.asked())
    await office.do(grants.grant, ROOT, user="alice", network="office", duration=HOUR)
    await office.do(requests.request, BOB, network="office", reason="it is on fire", break_glass=True)
    found = await told(office)
    outcomes = {labels[1]: value for labels, value in found.items() if labels[0] == "DECISIONS" and value}
    assert outcomes == {"cancelled": 1, "denied": 1, "granted": 1, "break_glass": 1}
    assert count(found["DECISION_SECONDS",]) == 1


async def test_a_rule_that_grants_is_no_decision_of_anybody(office: World) -> None:
    """What is granted automatically has an outcome of its own, and no time to a decision."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.auto_approve=alice up to 1h, 5 a week"])
    await office.do(requests.request, ALICE, network="office", reason="x", duration=HOUR)
    found = await told(office)
    assert (found["DECISIONS", "automatic"], found["DECISIONS", "granted"]) == (1, 0)
    assert count(found["DECISION_SECONDS",]) == 0


async def test_grants_by_network_and_state(office: World) -> None:
    """A grant is active, paused or scheduled, and each network is told with 0 as well: a graph shows no gap."""
    await office.do(networks.add, ROOT, name="lab", interface="wg0", routes=["10.2.0.0/16"])
    await office.granted(ALICE)
    await office.do(holding.pause, ALICE, id=1)
    await office.granted(BOB)
    found = await told(office)
    assert [found["GRANTS", "office", state] for state in ("active", "paused", "scheduled")] == [1, 1, 0]
    assert found["GRANTS", "lab", "active"] == found["PENDING", "lab"] == 0
    await office.do(freezing.freeze, ROOT, reason="intruder")
    assert (await told(office))["FROZEN",] == 1


async def test_the_lateness_of_a_cut(office: World) -> None:
    """The end of a grant is observed once the kernel was seen to agree; counters begin anew with the next start."""
    await office.granted(ALICE)
    await office.advance(HOUR)
    found = await told(office)
    assert count(found["LATENESS",]) == 1
    assert found["ENDED", "expired"] == 1
    await office.restart()
    found = await told(office)
    assert count(found["LATENESS",]) == 0
    assert found["ENDED", "expired"] == 0


async def test_what_ended_while_jitd_was_away_counts(office: World) -> None:
    """A cut that came an hour late, because jitd was not there, is the first that monitoring is to hear of."""
    await office.granted(ALICE)
    await office.stop()
    office.clock.advance(2 * HOUR)
    await office.start_anew()
    found = await told(office)
    assert found["ENDED", "expired"] == 1
    assert found["LATENESS",].sum == pytest.approx(3600)


async def test_traffic_of_an_interface(office: World) -> None:
    """Bytes add up over peers that begin anew or go; a handshake makes a peer a connected one, for three minutes."""
    await office.granted(ALICE)
    await office.service.check()
    passes(office, 1000, 2000, office.clock.now_ms())
    await office.service.check()
    found = await told(office)
    assert (found["RECEIVED", "wg0"], found["SENT", "wg0"]) == (1000, 2000)
    assert (found["PEERS", "wg0"], found["PEERS_CONNECTED", "wg0"]) == (1, 1)
    passes(office, 10, 20, office.clock.now_ms())  # its counters began anew
    await office.service.check()
    office.clock.advance(200_000)
    found = await told(office)
    assert (found["RECEIVED", "wg0"], found["SENT", "wg0"]) == (1010, 2020)
    assert found["PEERS_CONNECTED", "wg0"] == 0


async def test_drift_and_repairs(office: World) -> None:
    """A stranger on the interface is removed, and that counts; nothing differs then."""
    await office.granted(ALICE)
    peer = office.wireguard._links["wg0"].peers[key("alice")]
    stranger = replace(peer, public_key=key("mallory"))
    state = office.wireguard._links["wg0"]
    office.wireguard._links["wg0"] = replace(state, peers={**state.peers, stranger.public_key: stranger})
    await office.service.check()
    found = await told(office)
    assert found["REPAIRS", "stranger_removed"] == 1
    assert [found["DRIFT", what] for what in ("interfaces", "peers", "unrecorded")] == [0, 0, 0]


async def test_a_store_that_hangs_hides_nothing_else(office: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory is told in time; what was counted stands still; and no second reading waits behind the first."""
    await office.do(grants.deny, CAROL, id=await office.asked())
    assert (await told(office))["STORE_READABLE",] == 1
    monkeypatch.setattr(measuring, "STORE_SECONDS", 0.05)
    hangs = threading.Event()
    office.service._readers._threads[Reader.METRICS].submit(hangs.wait)
    try:
        for _ in range(3):
            found = await told(office)
            assert found["STORE_READABLE",] == 0
            assert found["DECISIONS", "denied"] == 1
            assert found["WORKER_QUEUE",] >= 0
            assert ("PENDING", "office") not in found
    finally:
        hangs.set()
    monkeypatch.setattr(measuring, "STORE_SECONDS", 10)
    assert (await told(office))["STORE_READABLE",] == 1


async def test_events_are_read_once_and_in_pages(office: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is counted, whatever a page holds, and a scrape looks at no event that an earlier one counted."""
    monkeypatch.setattr(stored_metrics, "_PAGE", 2)
    for _ in range(5):
        await office.do(requests.cancel, ALICE, id=await office.asked())
    assert (await told(office))["DECISIONS", "cancelled"] == 5
    afters = list[int]()
    happened = stored_metrics.happened

    def listening(rows: Rows, after: int, until: int) -> Any:
        afters.append(after)
        return happened(rows, after, until)

    monkeypatch.setattr(stored_metrics, "happened", listening)
    assert (await told(office))["DECISIONS", "cancelled"] == 5
    assert afters == []


async def test_no_scrape_looks_at_what_is_over(office: World) -> None:
    """Each statement is a search in an index of what is open, but for networks and single rows: a million old requests cost
    nothing.
    """
    asked: list[tuple[str, Params]] = []

    class Listening(Rows):
        """Rows that note what they are asked."""

        def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
            asked.append((sql, params))
            return super().one(sql, params)

        def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
            asked.append((sql, params))
            return super().all(sql, params)

        def value(self, sql: str, params: Params = ()) -> Any:
            asked.append((sql, params))
            return super().value(sql, params)

    plain = office.service._state.rows
    rows = Listening(plain._database)
    stored_metrics.stored(rows, office.config.daemon.state_dir / FILE_NAME, office.service._state.now())
    stored_metrics.happened(rows, 0, 1)
    assert len(asked) >= 7
    small = (
        "SCAN n",
        "SCAN freeze",
        "SCAN message USING INDEX message_due",
        "SCAN r USING INDEX request_end",
    )
    for sql, params in asked:
        steps = [step["detail"] for step in plain.all(f"EXPLAIN QUERY PLAN {sql}", params)]
        scans = [step for step in steps if step.startswith("SCAN") and not step.startswith(small)]
        assert not scans, (sql, scans)


def test_the_longest_turn_is_that_of_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of 3 s is told for five minutes and then no more; one that still runs counts as long as it has run."""
    now = 1000.0
    monkeypatch.setattr("jitd.engine.worker.time.monotonic", lambda: now)
    worker = Worker()
    for seconds in (0.1, 3.0, 0.2):
        worker._note(int(now // 60), seconds)
    assert worker.longest_turn() == 3.0
    now += 240
    worker._note(int(now // 60), 1.0)
    assert worker.longest_turn() == 3.0
    now += 61
    assert worker.longest_turn() == 1.0
    worker._begun = now - 7
    assert worker.longest_turn() == 7.0


def test_a_histogram_adds_up() -> None:
    """A value on a bound is in its bucket, early is 0, and the last bucket has everything."""
    found = Histogram.of(Metric.LATENESS)
    for value in (-0.05, 0.0, 0.01, 0.011, 1e6):
        found.observe(value)
    cumulative = dict(found.cumulative())
    assert (cumulative["0.0"], cumulative["0.01"], cumulative["0.025"], cumulative["+Inf"]) == (2, 3, 4, 5)
    assert found.sum == pytest.approx(1e6 + 0.021)
