"""What single steps cost without jitd."""

import sqlite3
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

from bench import fill
from jitd.enforce.keypair import generate
from jitd.enforce.memory import MemoryWireGuard
from jitd.enforce.port import LinkSpec, RemovePeer, SetPeer
from jitd.store.database import Store


def timed(act: Callable[[], object]) -> float:
    """How long it takes, milliseconds."""
    begun = time.monotonic_ns()
    act()
    return (time.monotonic_ns() - begun) / 1e6


def sqlite_transactions(directory: Path, count: int) -> list[float]:
    """One insert, one update and one event in a transaction, written as SQL, on the filesystem of `directory`."""
    file = directory / "floor.db"
    Store(file).close()
    database = sqlite3.connect(file, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("INSERT INTO account (id, uid, name, created_ms) VALUES (1, 1, 'p', 0)")
        database.execute(
            "INSERT INTO interface (id, name, adopted, enforced, private_key, public_key, port, endpoint, dns, mtu,"
            " created_ms) VALUES (1, 'wg0', 0, 1, 'k', 'k', 1, '', '[]', 0, 0)"
        )
        database.execute(
            "INSERT INTO network (id, name, interface_id, routes, ports, jit_enabled, members, default_duration_ms,"
            " max_duration_ms, pending_ttl_ms, created_ms)"
            " VALUES (1, 'office', 1, '[]', '[]', 1, '[]', 1, 1, 1, 0)"
        )

        def once() -> None:
            database.execute("BEGIN IMMEDIATE")
            made = database.execute(
                "INSERT INTO request (account_id, network_id, reason, requested_ms, requested_by, lapses_ms)"
                " VALUES (1, 1, 'reason', 0, 'p', 1)"
            ).lastrowid
            database.execute(
                "UPDATE request SET decision = 'granted', decided_ms = 0, decided_by = 'root', starts_ms = 0,"
                " ends_ms = 1, boot_id = 'boot', ends_boot_ms = 1 WHERE id = ?",
                (made,),
            )
            database.execute(
                "INSERT INTO event (at_ms, kind, request_id, user, user_uid, network, data)"
                " VALUES (0, 'granted', ?, 'p', 1, 'office', '{}')",
                (made,),
            )
            database.execute("COMMIT")

        return [timed(once) for _ in range(count)]
    finally:
        database.close()
        for path in directory.glob("floor.db*"):
            path.unlink()


def memory_changes(peers: int, count: int) -> list[float]:
    """One peer added to, or removed from, a memory interface that has so many, and the interface read back."""
    wireguard = MemoryWireGuard()
    private, _ = generate()
    wireguard.ensure_link(LinkSpec(name="wg0", private_key=private, port=1, addresses=(), mtu=0))
    first = int(ip_network(fill.POOL).network_address)
    ips = [frozenset({ip_network((first + number, 32))}) for number in range(peers + 1)]
    # All at once is slow on this backend, which looks for each address among all of the others' again.
    wireguard.apply(
        "wg0",
        [
            SetPeer(public_key=fill.public_key(f"floor {number}"), allowed_ips=ips[number])
            for number in range(peers)
        ],
    )
    found = []
    for number in range(count):
        key = fill.public_key(f"other {number // 2}")
        change = RemovePeer(key) if number % 2 else SetPeer(public_key=key, allowed_ips=ips[peers])

        def once(change: RemovePeer | SetPeer = change) -> None:
            wireguard.apply("wg0", [change])
            wireguard.read("wg0")

        found.append(timed(once))
    return found
