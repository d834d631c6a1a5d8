"""Lists among a million requests: every filter, every order, the last page, counts and words, over the socket."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

from bench import fill
from bench.memory import MemoryDaemon
from bench.options import Options
from bench.results import Result, Table
from jitd.store import accounts, networks
from jitd.store.database import FILE_NAME, Rows, Store

MANY = 1_000_000
QUICK = 50_000
ACCOUNTS = 1_000
NETWORKS = 12
#: Milliseconds within which each list has to be there.
WANTED_MS = 20
CALL = "GET /v1/health over the socket"
LISTS = {
    "the first page": "",
    "20 rows": "limit=20",
    "500 rows": "limit=500",
    "pending": "status=pending",
    "pending on one network": "status=pending&network=net03",
    "active": "status=active",
    "denied": "status=denied",
    "several statuses": "status=revoked&status=lapsed&status=scheduled",
    "the tab pending": "tab=pending",
    "the tab approved": "tab=approved",
    "the tab ended": "tab=ended",
    "one user": "user=p00017",
    "one user, denied": "user=p00017&status=denied",
    "one network": "network=net03",
    "a network with few": "network=net11",
    "one network, revoked": "network=net03&status=revoked",
    "one user on one network": "user=p00017&network=net03",
    "by one decider": "managed_by=approver2",
    "by one decider on a network with few": "managed_by=approver2&network=net11",
    "by somebody who decided nothing there": "managed_by=nobody&network=net03",
    "by one decider about one user": "managed_by=approver2&user=p00017",
    "the members of a group": "group=night",
    "the members of a group, revoked, by one decider": "group=night&status=revoked&managed_by=approver2",
    "before everything": "until=1000",
    "a user before everything": "until=1000&user=p00017",
    "the last hour": "since={hour}",
    "an hour long ago": "since={long_ago}&until={long_ago_end}",
    "a user an hour long ago": "user=p00017&since={long_ago}&until={long_ago_end}",
    "what I may decide": "decidable=true",
    "mine": "mine=true",
    "a word that all have": "search=ticket",
    "a word that few have": "search=zebra",
    "a word that nobody has": "search=nothing",
    "the beginning of a word": "search=zeb",
    "two words": "search=ticket%204711",
    "a common word of one user": "search=ticket&user=p00017",
    "a common word, denied, on one network": "search=ticket&status=denied&network=net03",
    "a common word long ago": "search=ticket&until={long_ago_end}",
    "a common word before everything": "search=ticket&until=1000",
    "a common word, by somebody who decided nothing": "search=ticket&managed_by=nobody",
    "a common word of a group": "search=ticket&group=night",
    "a rare word by time left": "search=zebra&sort=left",
    "newest first": "sort=newest",
    "oldest first": "sort=oldest",
    "by time left": "sort=left",
    "a page in the middle": "after=d500000",
    "the last page": "after=d40",
    "oldest first, a page in the middle": "sort=oldest&after=o500000",
    "counted: pending": "status=pending&count=true",
    "counted: the tab ended": "tab=ended&count=true",
    "counted: one network": "network=net03&count=true",
}
_STATES = (
    ("expired", 62),
    ("released", 12),
    ("denied", 14),
    ("revoked", 2),
    ("cancelled", 6),
    ("lapsed", 4),
)


def measure(options: Options, result: Result) -> None:
    """On the memory backend."""
    number = options.choose(MANY, QUICK)
    with MemoryDaemon(options.place("listing")) as daemon:
        daemon.start()
        daemon.furnish()
        daemon.stop()
        daemon.know(fill.crowd(ACCOUNTS))
        options.say(f"listing: writing {number:,} requests")
        now_ms = load(daemon.state_dir, number)
        daemon.start()
        on(daemon, number, now_ms, options.choose(20, 5), result)


def on(daemon: MemoryDaemon, number: int, now_ms: int, count: int, result: Result) -> None:
    """One row for each list, the slowest of which is told. The daemon runs, with these requests in its store."""
    table = Table(f"Lists among {number:,} requests, memory backend")
    table.add(CALL, [daemon.good("GET", "/v1/health").ms for _ in range(count * 2)])
    long_ago = now_ms - number // 2 * 1_000
    times = {"hour": now_ms - fill.HOUR, "long_ago": long_ago, "long_ago_end": long_ago + fill.HOUR}
    for what, query in LISTS.items():
        path = f"/v1/list?{query.format(**times)}"
        daemon.good("GET", path)
        table.add(what, [daemon.good("GET", path).ms for _ in range(count)], CALL)
    result.tables.append(table)
    slowest = max(table.rows, key=lambda row: row.p50)
    result.judge(
        f"every list among {number:,} requests is there within {WANTED_MS} ms; the slowest, {slowest.what}: {slowest.p50:.1f} ms",
        reached=slowest.p50 <= WANTED_MS,
    )


def load(state_dir: Path, number: int) -> int:
    """Write so many requests, one a second up to now, and return when that was, milliseconds UTC."""
    now_ms = time.time_ns() // 1_000_000
    store = Store(state_dir / FILE_NAME)
    try:
        with store.transaction() as rows:
            places = _furnish(rows, now_ms)
            kept = rows.all(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'request'"
            )
            # What the triggers keep is made in one go afterwards, as a migration does it.
            for trigger in kept:
                rows.run(f"DROP TRIGGER {trigger['name']}")
            columns = (
                "account_id, network_id, reason, requested_ms, requested_by, lapses_ms, decision, decided_ms,"
                " decided_by, comment, starts_ms, ends_ms, boot_id, ends_boot_ms, ended_how, ended_ms, ended_by,"
                " ended_comment"
            )
            marks = ", ".join("?" * len(columns.split(",")))
            insert = f"INSERT INTO request ({columns}) VALUES ({marks})"
            for values in _requests(places, number, now_ms):
                rows.run(insert, values)
            for trigger in kept:
                rows.run(trigger["sql"])
            for by, named in (("network_id", "tally_network"), ("account_id, network_id", "tally_account")):
                rows.run(f"DELETE FROM {named}")
                rows.run(
                    f"INSERT INTO {named} SELECT {by}, state, count(*) FROM request GROUP BY {by}, state"
                )
            rows.run("INSERT INTO request_text (request_text) VALUES ('rebuild')")
    finally:
        store.close()
    return now_ms


def _furnish(rows: Rows, now_ms: int) -> tuple[list[int], list[int]]:
    """(ids of accounts, ids of networks)."""
    office = networks.by_name(rows, fill.NETWORK)
    assert office is not None
    made = []
    for number in range(NETWORKS):
        row = dict(rows.one("SELECT * FROM network WHERE id = ?", (office.id,)) or {})
        del row["id"]
        made.append(
            rows.insert("network", {**row, "name": f"net{number:02}", "routes": f'["10.{number}.0.0/16"]'})
        )
    people = fill.crowd(ACCOUNTS)
    return [accounts.ensure(rows, one.uid, one.name, now_ms).id for one in people], made


def _requests(places: tuple[list[int], list[int]], number: int, now_ms: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(1)
    people, nets = places
    states = [name for name, share in _STATES for _ in range(share)]
    few = frozenset(chance.sample(range(number), min(200, number // 10)))
    for place in range(number):
        at_ms = now_ms - (number - place) * 1_000
        state = chance.choice(states)
        # The last one of the networks is asked for once in a thousand times.
        network = nets[-1] if place % 1_000 == 0 else nets[place % (len(nets) - 1)]
        reason = f"ticket {place % 90_000}: {'zebra' if place in few else 'logs'} of {chance.choice(('web', 'db', 'mail'))}"
        who = f"approver{chance.randrange(9)}"
        granted = state in ("expired", "released", "revoked")
        decision = "granted" if granted else "denied" if state == "denied" else None
        by = who if decision else None
        ended = None if state == "denied" else state
        yield (
            people[chance.randrange(len(people))],
            network,
            reason,
            at_ms,
            "somebody",
            at_ms + 86_400_000,
            decision,
            at_ms + 60_000 if decision else None,
            by,
            "fine" if decision else None,
            *((at_ms + 60_000, at_ms + fill.HOUR, "earlier", 1) if granted else (None,) * 4),
            ended,
            at_ms + fill.HOUR if ended else None,
            (who if ended == "revoked" else "") if ended else None,
            "no more" if ended == "revoked" else None,
        )
    # What is going on now: some of everybody's.
    for place in range(min(number // 100, 500)):
        for state in ("pending", "granted"):
            at_ms = now_ms - place * 10
            granted = state == "granted"
            yield (
                people[place % len(people)],
                nets[place % len(nets)],
                "ticket now",
                at_ms,
                "somebody",
                now_ms + 86_400_000,
                "granted" if granted else None,
                at_ms if granted else None,
                "approver1" if granted else None,
                None,
                *((at_ms, now_ms + 8 * fill.HOUR, "earlier", 1) if granted else (None,) * 4),
                None,
                None,
                None,
                None,
            )
