"""A crowd of people, written straight into a stopped daemon's store in one transaction: no call for each of them."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from jitd.core.model import Grant, Interface, IPNetwork
from jitd.runtime.clock import SystemClock
from jitd.store import accounts, devices, interfaces, networks, requests
from jitd.store.database import FILE_NAME, Rows, Store

INTERFACE = "wg0"
NETWORK = "office"
POOL = "10.64.0.0/16"
FIRST_UID = 20_000
HOUR = 3_600_000  # milliseconds


@dataclass(frozen=True)
class Person:
    """Somebody of the crowd, with the public keys of their devices."""

    name: str
    uid: int
    keys: tuple[str, ...]


def crowd(count: int, *, devices_each: int = 1, first: int = 0) -> list[Person]:
    """So many people; `first` is the number of the first of them."""
    return [
        Person(
            f"p{number:05}",
            FIRST_UID + number,
            tuple(public_key(f"{number}/{device}") for device in range(devices_each)),
        )
        for number in range(first, first + count)
    ]


def public_key(name: str) -> str:
    """A public key for a name: any 32 bytes are one."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def fill(state_dir: Path, people: Sequence[Person], ends_ms: Callable[[int], int] | None = None) -> None:
    """Give each of them devices with addresses and, with `ends_ms`, a grant that has begun.

    `ends_ms` gets the place in the list and says when the grant ends, milliseconds UTC. Interface and network are
    there; people of the store get a grant only when they have none.
    """
    clock = SystemClock()
    store = Store(state_dir / FILE_NAME)
    try:
        with store.transaction() as rows:
            interface, network = interfaces.by_name(rows, INTERFACE), networks.by_name(rows, NETWORK)
            assert interface is not None
            assert network is not None
            free = _free(rows, interface)
            now_ms, boot_ms = clock.now_ms(), clock.boot_ms()
            for place, person in enumerate(people):
                account = accounts.ensure(rows, person.uid, person.name, now_ms)
                mine = devices.of_account(rows, account.id)
                if not mine:
                    for number, key in enumerate(person.keys):
                        device = devices.add(rows, account.id, f"device{number}", key, now_ms)
                        devices.add_tunnel(rows, device.id, interface.id, [next(free)], "", now_ms)
                        mine.append(device)
                if ends_ms is None:
                    continue
                asked = requests.add(
                    rows,
                    account_id=account.id,
                    network_id=network.id,
                    reason="one of a crowd",
                    wanted_ms=None,
                    requested_ms=now_ms - 1000,
                    requested_by=person.name,
                    lapses_ms=now_ms + 86_400_000,
                )
                ends = ends_ms(place)
                granted = Grant(
                    decided_ms=now_ms,
                    decided_by="root",
                    comment="",
                    starts_ms=now_ms,
                    ends_ms=ends,
                    boot_id=clock.boot_id(),
                    ends_boot_ms=boot_ms + ends - now_ms,
                )
                assert requests.grant(rows, asked, granted, [device.id for device in mine])
    finally:
        store.close()


def _free(rows: Rows, interface: Interface) -> Iterator[IPNetwork]:
    assert interface.pool4 is not None
    newest = devices.newest_address(rows, interface.id, 4)
    number = int(ip_network(newest or f"{interface.pool4.network_address + 1}/32").network_address)
    while True:
        number += 1
        yield ip_network((number, 32))
