"""Pages and counts of requests against the plainest way to find them: every filter, every order, page by page."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitd.core.choices import Order, Status
from jitd.core.errors import JitError
from jitd.core.model import Denial, Ending, Grant, Now, Request, Review
from jitd.store import accounts, listing, requests
from jitd.store.database import FILE_NAME, Rows, Store
from jitd.store.listing import Filter, Whose

BOOT = "boot"
NOW = Now(wall_ms=1_000_000_000, boot_ms=5_000_000, boot_id=BOOT)
HOUR = 3_600_000
MANY = 240
NAMES = ("alice", "bob", "carol")
DECIDERS = ("dave", "erin")
REASONS = ("ticket 42: logs", "Ticket-42 again", "grün ist gut", "backup", "ticket 421: disk")
ENDED = (Status.EXPIRED, Status.REVOKED, Status.RELEASED)


def fill(store: Store, many: int) -> None:
    """Two networks, three people and so many requests of every kind."""
    with store.transaction() as rows:
        _bare(rows, "interface", name="wg0", pool4="10.9.0.0/24")
        for name in ("office", "lab"):
            _bare(rows, "network", name=name, interface_id=1)
        ids = [accounts.ensure(rows, 1000 + place, name, 0).id for place, name in enumerate(NAMES)]
        for number in range(many):
            _one(rows, number, ids)


def _bare(rows: Rows, table: str, **known: object) -> None:
    """A row with just enough in it: what it means is of no matter here."""
    columns = rows.all(f"SELECT * FROM pragma_table_info('{table}')")
    values = {
        one["name"]: known.get(one["name"], 1 if one["type"] == "INTEGER" else "[]")
        for one in columns
        if one["name"] in known or (one["notnull"] and one["dflt_value"] is None and one["name"] != "id")
    }
    rows.insert(table, values)


def _one(rows: Rows, number: int, ids: list[int]) -> None:
    """A request whose fate its number decides; the wall clock stood back for a while in between."""
    at_ms = NOW.wall_ms - (MANY - number) * 60_000 - (1_200_000 if 100 <= number < 110 else 0)
    fate = number % 12
    account, network = ids[number * 7 % 3], 1 + number * 5 % 2
    # One pending request of a user on a network at a time: the one before is taken back.
    rows.run(
        "UPDATE request SET ended_how = 'cancelled', ended_ms = 1, ended_by = '' WHERE account_id = ?"
        " AND network_id = ? AND state = 'pending'",
        (account, network),
    )
    asked = requests.add(
        rows,
        account_id=account,
        network_id=network,
        reason=REASONS[number % len(REASONS)],
        wanted_ms=HOUR,
        requested_ms=at_ms,
        requested_by="somebody",
        lapses_ms=NOW.wall_ms + (HOUR if number % 5 else -1),
        urgent=number % 7 == 0,
        break_glass=fate == 6 and number < MANY - 6,
    )
    by = DECIDERS[number % 2]
    if fate in (0, 3) or number >= MANY - 6:
        return
    if fate in (1, 2):
        assert requests.deny(rows, asked, Denial(decided_ms=at_ms, decided_by=by, comment="not today, zebra"))
        return
    starts = at_ms if fate != 4 else NOW.wall_ms + HOUR
    ends = starts + HOUR if fate not in (5, 7) else NOW.wall_ms + number * 1_000
    grant = Grant(
        decided_ms=at_ms,
        decided_by=by,
        comment="",
        starts_ms=starts,
        ends_ms=ends,
        boot_id="" if fate == 4 else BOOT,
        ends_boot_ms=0 if fate == 4 else NOW.boot_ms + ends - NOW.wall_ms,
    )
    assert requests.grant(rows, asked, grant, [])
    if fate == 6 and number % 24 == 6:
        requests.review(rows, asked, Review(at_ms=at_ms, by=by, comment="seen"))
    if fate >= 8:
        how = ENDED[number % 3]
        other = DECIDERS[(number + 1) % 2] if how is Status.REVOKED else ""
        assert requests.end(rows, asked, Ending(how=how, at_ms=at_ms, by=other, comment="lost laptop"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rows, list[Request]]]:
    """A store with requests of every kind, and all of them."""
    store = Store(tmp_path_factory.mktemp("listing") / FILE_NAME)
    fill(store, MANY)
    numbers = [row["id"] for row in store.rows.all("SELECT id FROM request")]
    yield store.rows, list(requests.by_ids(store.rows, numbers).values())
    store.close()


def manager(one: Request) -> str:
    """Who decided about it, or revoked it."""
    if one.ending is not None and one.ending.how is Status.REVOKED and one.ending.by:
        return one.ending.by
    return one.decision.decided_by if one.decision else ""


def state(one: Request) -> str:
    """What has happened to it."""
    if one.ending is not None:
        return str(one.ending.how)
    return "pending" if one.decision is None else "denied" if isinstance(one.decision, Denial) else "granted"


def words_of(one: Request) -> list[str]:
    """Its words as they are looked for."""
    parts = [one.reason, one.account.name]
    parts += [one.decision.comment] if one.decision else []
    parts += [one.ending.comment] if one.ending else []
    plain = " ".join(parts).lower().replace("ü", "u")
    return "".join(char if char.isalnum() else " " for char in plain).split()


def matches(one: Request, wanted: Filter, words: tuple[str, ...] = (), *, whole: bool = True) -> bool:
    """The plainest way to say whether a request is wanted."""
    whose = wanted.whose
    found = words_of(one)
    return (
        (wanted.statuses is None or one.status(NOW) in wanted.statuses)
        and (wanted.account_ids is None or one.account.id in wanted.account_ids)
        and (wanted.network_ids is None or one.network_id in wanted.network_ids)
        and (wanted.not_account_id is None or one.account.id != wanted.not_account_id)
        and (wanted.manager is None or manager(one) == wanted.manager)
        and (wanted.since_ms is None or one.requested_ms >= wanted.since_ms)
        and (wanted.until_ms is None or one.requested_ms <= wanted.until_ms)
        and (whose is None or one.account.id == whose.account_id or one.network_id in whose.network_ids)
        and all(any(other == word if whole else other.startswith(word) for other in found) for word in words)
    )


def tier(one: Request) -> int:
    """What is listed first: emergencies, what is urgent, what waits, the rest."""
    if one.break_glass and one.review is None:
        return 0
    if one.decision is None and one.ending is None:
        return 1 if one.urgent else 2
    return 3


def in_order(order: str, found: list[Request]) -> list[int]:
    """Their numbers, in the order of a list."""
    match order:
        case "left":
            live = [(one.grant.ends_ms, one.id) for one in found if one.grant and one.ending is None]
            return [number for _, number in sorted(live)]
        case "oldest":
            return sorted(one.id for one in found)
        case "newest":
            return sorted((one.id for one in found), reverse=True)
        case _:
            return [one.id for one in sorted(found, key=lambda one: (tier(one), -one.id))]


def filter_of(statuses: frozenset[Status] | None, **more: object) -> Filter:
    """A filter as the service makes it of statuses."""
    states = {"granted" if one in (Status.ACTIVE, Status.SCHEDULED) else str(one) for one in statuses or ()}
    states |= {"granted"} if Status.EXPIRED in (statuses or ()) else set()
    states |= {"pending"} if Status.LAPSED in (statuses or ()) else set()
    return Filter(statuses=statuses, states=frozenset(states), now=NOW, **more)  # type: ignore[arg-type]  # filters by name


TIMES = st.none() | st.integers(NOW.wall_ms - (MANY + 30) * 60_000, NOW.wall_ms + 60_000)
WORDS = [
    "ticket",
    "42",
    "TICK",
    "grun",
    "grün",
    "alice",
    "zebra",
    "laptop",
    "nowhere",
    "back",
    "b",
    "ticket-42",
]
FILTERS = st.builds(
    filter_of,
    statuses=st.none() | st.frozensets(st.sampled_from(list(Status)), min_size=1, max_size=3),
    whose=st.none() | st.builds(Whose, st.integers(0, 3), st.frozensets(st.integers(1, 2))),
    account_ids=st.none() | st.frozensets(st.integers(1, 3)),
    not_account_id=st.none() | st.integers(1, 3),
    network_ids=st.none() | st.frozensets(st.integers(1, 2)),
    manager=st.none() | st.sampled_from([*DECIDERS, "nobody"]),
    since_ms=TIMES,
    until_ms=TIMES,
)


@settings(max_examples=300, deadline=None)
@given(
    wanted=FILTERS,
    typed=st.lists(st.sampled_from(WORDS), max_size=2),
    order=st.sampled_from(sorted(listing.ORDERS)),
    limit=st.integers(1, 60),
)
def test_pages_hold_what_is_wanted_in_order(
    filled: tuple[Rows, list[Request]], wanted: Filter, typed: list[str], order: Order, limit: int
) -> None:
    """All pages together are just what matches, each once, in the order of the list; and the count says how many."""
    rows, everything = filled
    asked = replace(wanted, search=" ".join(typed) or None)
    words = tuple(part for word in typed for part in word.lower().replace("ü", "u").split("-"))
    whole = any(matches(one, Filter(), words) for one in everything)
    if not whole:
        # A single letter is no beginning.
        whole = "b" in words
    expected = [one for one in everything if matches(one, wanted, words, whole=whole)]
    found: list[int] = []
    after = ""
    while True:
        page = listing.page(
            rows,
            asked,
            order=order,
            after=after,
            limit=limit,
            keep=lambda one: wanted.statuses is None or one.status(NOW) in wanted.statuses,
        )
        found += [one.id for one in page.requests]
        after = page.next
        if not after:
            break
        assert len(page.requests) == limit
    assert found == in_order(order, expected)
    assert listing.count(rows, asked) == len(expected)


def test_what_is_counted_beforehand_is_what_there_is(filled: tuple[Rows, list[Request]]) -> None:
    """The kept sums are the numbers of requests by state, of everybody's and of what somebody may see."""
    rows, everything = filled
    for whose in [
        None,
        *(Whose(own, nets) for own in range(4) for nets in map(frozenset, ([], [1], [1, 2]))),
    ]:
        seen = [state(one) for one in everything if matches(one, Filter(whose=whose))]
        assert listing.counts(rows, whose) == {name: seen.count(name) for name in set(seen)}


def test_the_words_are_kept_as_they_are(tmp_path: Path) -> None:
    """SQLite's own check agrees that the index has the words of every request, also after they have changed."""
    store = Store(tmp_path / FILE_NAME)
    fill(store, 36)
    with store.transaction() as rows:
        rows.run("INSERT INTO request_text (request_text, rank) VALUES ('integrity-check', 1)")
    store.close()


@pytest.mark.parametrize("after", ["x1", "d", "d-1", "dx", "d1.2", "d" + "9" * 30])
def test_a_page_that_nobody_gave_is_refused(filled: tuple[Rows, list[Request]], after: str) -> None:
    """It is not taken for another one."""
    with pytest.raises(JitError, match="cannot continue after"):
        listing.page(filled[0], Filter(), order="default", after=after, limit=1, keep=lambda _: True)
