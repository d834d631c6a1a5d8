"""Pages of events against the plainest way to find them: every filter, forward and backward, page by page."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitd.core.events import Cause, Comment, EventKind
from jitd.core.model import Actor, Event
from jitd.core.policyfile import usual
from jitd.store import events, networks
from jitd.store.database import FILE_NAME, Rows, Store, open_reader
from jitd.store.events import Concerns, Filter, Recorder

ACTOR = Actor(uid=1000, user="alice")
KINDS = ("requested", "granted", "paused", "frozen")
MANY = 300
#: Two networks had the same name, one after the other.
NETWORKS = {1: "office", 2: "lab", 3: "office"}


def _network_of(request_id: int) -> int:
    return request_id % 3 + 1


def _requests(rows: Rows) -> None:
    """The requests that the events are about."""
    rows.insert("account", {"id": 1, "uid": 1000, "name": "alice", "created_ms": 1})
    interface = {"name": "wg0", "adopted": 0, "enforced": 1, "private_key": "x", "public_key": "x", "port": 1}
    rows.insert("interface", {**interface, "endpoint": "", "dns": "[]", "mtu": 0, "created_ms": 1})
    for number, name in NETWORKS.items():
        added = networks.add(rows, replace(usual(name, 1), interface_id=1))
        assert added.id == number
        if number == 1:
            networks.remove(rows, number, 2)
    made = {"account_id": 1, "reason": "x", "requested_ms": 1, "requested_by": "alice", "lapses_ms": 2}
    denied = {"decision": "denied", "decided_ms": 1, "decided_by": "carol", "comment": ""}
    for number in range(20):
        rows.insert("request", {"id": number, "network_id": _network_of(number), **made, **denied})


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """A store with events of two people called alice, of bob, and of nobody."""
    store = Store(tmp_path_factory.mktemp("events") / FILE_NAME)
    with store.transaction() as writing:
        for number in range(MANY):
            acted = {"actor_uid": ACTOR.uid, "actor_user": ACTOR.user} if number % 3 else {}
            writing.insert(
                "event",
                {
                    "kind": KINDS[number * 7 % 11 % 4],
                    "at_ms": 1_000 + number * 10 - (900 if 100 <= number < 120 else 0),
                    **acted,
                    "request_id": number % 20 if number % 4 else None,
                    "user": ("alice", "alice", "bob", None)[number % 4],
                    "user_uid": (1000, 1000, 1001, None)[number % 4] if number < 200 else 2000,
                    "network": NETWORKS[_network_of(number % 20)]
                    if number % 4
                    else ("office", None, "lab")[number % 3],
                    "data": "{}",
                },
            )
        _requests(writing)
    yield store.rows
    store.close()


def _filters() -> st.SearchStrategy[Filter]:
    networks = st.frozensets(st.sampled_from([1, 2, 3])).map(lambda ids: {one: NETWORKS[one] for one in ids})
    return st.builds(
        Filter,
        since_ms=st.none() | st.integers(0, 4_500),
        until_ms=st.none() | st.integers(0, 4_500),
        user=st.none() | st.sampled_from(["alice", "bob", "nosuch"]),
        concerns=st.none() | st.builds(Concerns, user=st.just("alice"), uid=st.just(1000), networks=networks),
        network=st.none() | st.sampled_from(["office", "lab", "nosuch"]),
        request_id=st.none() | st.integers(1, 21),
        kind=st.none() | st.sampled_from([*KINDS, "nosuch"]),
    )


def _plainly(rows: Rows, wanted: Filter) -> list[int]:
    """SEQ of each event that is wanted, by looking at every one."""
    uids = {row["seq"]: row["user_uid"] for row in rows.all("SELECT seq, user_uid FROM event")}

    def concerned(event: Event) -> bool:
        concerns = wanted.concerns
        if concerns is None:
            return True
        own = event.user == concerns.user and uids[event.seq] == concerns.uid
        decides = event.request_id is not None and _network_of(event.request_id) in concerns.networks
        return own or decides or (event.kind in ("frozen", "thawed") and wanted.request_id is None)

    return [
        event.seq
        for event in events.page(rows, Filter(), limit=MANY).events
        if (wanted.since_ms is None or event.at_ms >= wanted.since_ms)
        and (wanted.until_ms is None or event.at_ms < wanted.until_ms)
        and wanted.user in (None, event.user)
        and wanted.network in (None, event.network)
        and wanted.request_id in (None, event.request_id)
        and wanted.kind in (None, event.kind)
        and concerned(event)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wanted=_filters(), limit=st.integers(1, 40), scanned=st.sampled_from([1, 7, 50, 20_000]))
def test_pages_hold_each_wanted_event_once(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, wanted: Filter, limit: int, scanned: int
) -> None:
    """Page by page, forward and backward, however little one page may look at: what is wanted, once, in order."""
    monkeypatch.setattr(events, "SCANNED", scanned)
    expected = _plainly(rows, wanted)
    forward, after = list[int](), 0
    while after < MANY:
        page = events.page(rows, wanted, after=after, limit=limit)
        assert len(page.events) <= limit
        assert page.reached > after
        forward += [event.seq for event in page.events]
        after = page.reached
    assert forward == expected
    backward, before = list[int](), MANY + 1
    while before:
        page = events.page_back(rows, wanted, before=before, limit=limit)
        assert len(page.events) <= limit
        assert page.reached < before
        backward = [event.seq for event in page.events] + backward
        before = page.reached
    assert backward == expected


def test_the_newest_page_is_the_end(rows: Rows) -> None:
    """Without a SEQ to begin at, the page back holds the newest events."""
    page = events.page_back(rows, Filter(), limit=3)
    assert [event.seq for event in page.events] == [MANY - 2, MANY - 1, MANY]


def test_a_long_history_has_its_beginning_and_its_newest_end(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a request with many events there are the first ones and the last, and the number of those between."""
    monkeypatch.setattr(events, "FIRST", 2)
    monkeypatch.setattr(events, "LAST", 3)
    whole = [event.seq for event in events.page(rows, Filter(request_id=5)).events]
    found, left_out = events.of_request(rows, 5)
    assert [event.seq for event in found] == [*whole[:2], *whole[-3:]]
    assert left_out == len(whole) - 5 > 0
    monkeypatch.setattr(events, "LAST", 300)
    assert ([event.seq for event in events.of_request(rows, 5)[0]], 0) == (whole, 0)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("concerns", [None, Concerns("alice", 1000, {1: "office", 2: "lab"})])
@pytest.mark.parametrize(
    "wanted",
    [
        {"user": "alice"},
        {"network": "office"},
        {"kind": "nosuch"},
        {"request_id": 5},
        {"user": "alice", "kind": "nosuch", "since_ms": 1},
        {"since_ms": 1, "until_ms": 5},
        {},
    ],
    ids=str,
)
def test_no_filter_scans_the_log(
    tmp_path: Path, *, back: bool, concerns: Concerns | None, wanted: dict[str, object]
) -> None:
    """An attack: a user's `events --kind nosuch` went through two million events, four at a time, and a revoke waited
    behind them. Each statement searches an index, in its order; one that filters besides is bounded by its SEQ.
    """
    Store(tmp_path / FILE_NAME).close()
    asked: list[str] = []
    reader = open_reader(tmp_path / FILE_NAME)
    reader._database.conn.set_trace_callback(asked.append)
    (events.page_back if back else events.page)(reader, Filter(concerns=concerns, **wanted))  # type: ignore[arg-type]  # filters by name
    reader._database.conn.set_trace_callback(None)
    statements = [sql for sql in asked if "FROM event" in sql]
    assert statements
    for sql in statements:
        steps = [row["detail"] for row in reader.all(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in steps if "TEMP B-TREE" in step], (sql, steps)
        scans = [step for step in steps if re.match(r"SCAN event", step)]
        # Whoever may see everything and filters by time alone reads the log in its order, so many at a time.
        assert not scans or (concerns is None and "NOT INDEXED" in sql), (sql, steps)
    reader.close()


def test_an_event_carries_what_its_kind_does(tmp_path: Path) -> None:
    """What mypy cannot see: a shape of another kind, or one that is needed and left away."""
    store = Store(tmp_path / FILE_NAME)
    with store.transaction() as writing:
        record = Recorder(writing, 1, ACTOR)
        record(EventKind.STANDING_ENDED, Cause(why="no member"), network="office")
        for data in (None, Comment(comment="no member")):
            with pytest.raises(AssertionError):
                record(EventKind.STANDING_ENDED, data, network="office")
    (told,) = events.page(store.rows, Filter()).events
    assert (told.kind, told.data, told.network) == ("standing_ended", {"why": "no member"}, "office")
    store.close()
