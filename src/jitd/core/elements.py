"""Which address is in the set of which network in the second layer, and for how long. Pure: facts in, changes out.

Every element has a timeout that the kernel counts: what is left of a grant, or a lease for standing access, which is
renewed at every check and runs out by itself once nobody renews it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from jitd.core import durations
from jitd.core.firewall import IPAddress
from jitd.core.model import IPNetwork
from jitd.core.peers import Reason

#: How long standing access goes on when jitd is dead: time for whoever comes in that way to start it again.
LEASE_MS: Final = durations.HOUR
#: A lease is renewed when less than this is left of it.
RENEW_MS: Final = LEASE_MS // 2
#: An element may be so far from what it should be: the kernel counts in ticks, and to read it back takes time.
EARLY_MS: Final = 500
LATE_MS: Final = 50
#: Most addresses that one tunnel may have as entries: each is a single address.
MOST_ADDRESSES: Final = 256


class SetEntry(NamedTuple):
    """A tunnel address in the sets of a network."""

    network_id: int
    ip: IPAddress


class Lease(NamedTuple):
    """An entry that may pass for so many milliseconds from now; none or fewer: it may not."""

    network_id: int
    ip: IPAddress
    timeout_ms: int


class Element(NamedTuple):
    """A living entry as read back: how many milliseconds it has left.

    It has several copies in the kernel. They agree unless somebody else changed one: `least_ms` is 0 when a copy is
    missing, and a `most_ms` that is too large passes too long in one of them.
    """

    network_id: int
    ip: IPAddress
    least_ms: int
    most_ms: int


@dataclass(frozen=True, slots=True)
class Right:
    """How long an entry may pass from now, in milliseconds; a lease is renewed, a grant ends."""

    left_ms: int
    is_lease: bool


@dataclass(frozen=True, slots=True)
class ElementDifference:
    """What brings the elements to what they should be: those to give again, because they are missing or live too
    short or too long, and those to take, which nobody has a right to.
    """

    given: tuple[SetEntry, ...]
    removals: tuple[SetEntry, ...]
    missing: tuple[SetEntry, ...]
    too_long: tuple[SetEntry, ...]


def addresses(ips: Collection[IPNetwork]) -> list[IPAddress]:
    """The single addresses of a tunnel; none when they are too many to be elements, so that it stays closed."""
    if not is_small(ips):
        return []
    # All of them: behind an imported peer the first and the last of a network are addresses like the others.
    return [one.network_address + number for one in ips for number in range(count(one))]


def count(ip: IPNetwork) -> int:
    """How many addresses a network has. As `num_addresses`, which is slow, and asked for ten thousand times."""
    return int(1 << (ip.max_prefixlen - ip.prefixlen))


def is_small(ips: Iterable[IPNetwork]) -> bool:
    """Whether the addresses of a tunnel can be elements."""
    return sum(map(count, ips)) <= MOST_ADDRESSES


def rights(ips: Collection[IPNetwork], reasons: Iterable[Reason]) -> dict[SetEntry, Right]:
    """What the reasons for a tunnel give its addresses. The end of one reason never cuts another: the longest counts."""
    best: dict[int, Right] = {}
    for reason in reasons:
        if reason.paused or reason.network_id is None:
            continue
        right = Right(LEASE_MS, True) if reason.left_ms is None else Right(reason.left_ms, False)
        known = best.get(reason.network_id)
        if right.left_ms > 0 and (known is None or right.left_ms > known.left_ms):
            best[reason.network_id] = right
    if not best:
        return {}
    return {SetEntry(number, ip): right for ip in addresses(ips) for number, right in best.items()}


@dataclass(frozen=True, slots=True)
class Reading:
    """When elements were read, as milliseconds since their rights were worked out: between these two moments."""

    begun_ms: int = 0
    done_ms: int = 0


def difference(
    wanted: Mapping[SetEntry, Right], actual: Mapping[SetEntry, Element], reading: Reading
) -> ElementDifference:
    """What to give and take so that `actual` becomes `wanted`."""
    wrong = [entry for entry, right in wanted.items() if not is_as_wanted(right, actual.get(entry), reading)]
    return ElementDifference(
        given=tuple(wrong),
        removals=tuple(entry for entry in actual if entry not in wanted),
        missing=tuple(entry for entry in wrong if entry not in actual),
        too_long=tuple(
            entry
            for entry in wrong
            if entry in actual and actual[entry].most_ms > _most(wanted[entry], reading)
        ),
    )


def is_as_wanted(right: Right | None, element: Element | None, reading: Reading) -> bool:
    """Whether an element, or none, is what a right, or none, asks for."""
    if right is None:
        return element is None
    if element is None:
        # In its last moments it may have run out by the kernel's own ticks.
        return right.left_ms - reading.done_ms <= EARLY_MS
    return agrees(right, element, reading)


def agrees(right: Right, element: Element, reading: Reading) -> bool:
    """Whether an element that was read is what the right asks for."""
    least = RENEW_MS if right.is_lease else right.left_ms - reading.done_ms - EARLY_MS
    return element.least_ms >= least and element.most_ms <= _most(right, reading)


def _most(right: Right, reading: Reading) -> int:
    # A lease is given in full when it is given, whenever that is.
    return right.left_ms + LATE_MS - (0 if right.is_lease else reading.begun_ms)
