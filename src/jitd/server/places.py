"""Places for connections: who gets one, and who gives way. No sockets here.

The point of all of it: whatever users do, together or alone, everybody who has a name can still ask, release and report a
device lost, and an administrator can still connect and revoke.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from jitd.core.commandline import command
from jitd.core.errors import JitError

#: Who holds places: a uid, or the name of somebody who speaks through a gate.
Person = int | str

_ROOT: Final = 0
#: Open files for everything else: the store, netlink, threads, programs that are run, refusals.
_FILES: Final = 192
#: Seconds for which a connection has to be idle before it gives way. A client that has just connected is about to ask.
_YOUNG: Final = 1.0


@dataclass(eq=False, slots=True)
class Place:
    """The place of one connection. `idle_since` is in seconds of the clock given to Places, None while a verb works.

    `give_way` is called when somebody else gets the place, which only happens while the connection is idle.
    """

    person: Person
    admin: bool
    pool: "_Pool"
    idle_since: float | None
    give_way: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Pool:
    """So many places. The first one of each person is given while there is any; further ones only while these are not
    more than half of all, so that a few persons never hold everything. Root takes what is free.
    """

    total: int
    held: dict[Person, list[Place]] = field(default_factory=dict)
    taken: int = 0

    def has_room(self, person: Person) -> bool:
        if self.taken >= self.total:
            return False
        further = self.taken - len(self.held)
        return person == _ROOT or person not in self.held or further < self.total // 2

    def count(self, person: Person) -> int:
        return len(self.held.get(person, ()))

    def add(self, place: Place) -> None:
        self.held.setdefault(place.person, []).append(place)
        self.taken += 1

    def remove(self, place: Place) -> None:
        mine = self.held.get(place.person, [])
        if place not in mine:
            return  # it gave way before
        mine.remove(place)
        if not mine:
            del self.held[place.person]
        self.taken -= 1


def affordable(wanted: int, reserved: int, files: int) -> int:
    """How many places there can be where a process may have so many open files: each connection has one, and so has each
    that was refused and is still read. Raises JitError bad_request.
    """
    places = min(wanted, (files - _FILES) // 2)
    if places <= reserved:
        raise JitError(
            "bad_request",
            f"cannot start: {files} open files are allowed, which is too few for [limits] connections = {wanted}",
            f"Allow at least {2 * wanted + _FILES}: LimitNOFILE= in its unit, or ulimit -Hn.",
        )
    return places


class Places:
    """Places for everybody who has a name, and `reserved` ones beside them for administrators; at most `per_user` for
    one person.

    An administrator's uid may be shared (root behind sudo), so it may take as many as are reserved.
    """

    def __init__(self, *, total: int, reserved: int, per_user: int, now: Callable[[], float]) -> None:
        """`total` counts the reserved ones; `now` gives seconds."""
        self._everybody = _Pool(total - reserved)
        self._reserve = _Pool(reserved)
        self._per_user = per_user
        self._per_administrator = max(per_user, reserved)
        self._now = now

    @property
    def taken(self) -> int:
        """All connections that have a place."""
        return self._everybody.taken + self._reserve.taken

    def enter(self, person: Person, *, admin: bool) -> Place:
        """A place, to be given back with `leave`. Raises JitError limit."""
        limit = self._per_administrator if admin else self._per_user
        pools = (self._reserve, self._everybody) if admin else (self._everybody,)
        count = self._everybody.count(person) + self._reserve.count(person)
        if count >= limit and not self._make_room(pools, lambda other: other == person):
            raise JitError(
                "limit",
                f"cannot open another connection: you have {count} open, which is the limit",
                "Close one of them, for example a " + command("watch") + ", and try again.",
            )
        pool = self._with_room(person, pools)
        if pool is None:
            raise JitError(
                "limit",
                "cannot serve another connection: all connections are in use",
                "Try again in a minute.",
            )
        place = Place(person, admin, pool, self._now())
        pool.add(place)
        return place

    def leave(self, place: Place) -> None:
        """Give a place back; also one that somebody else has got already."""
        place.pool.remove(place)

    def move(self, place: Place, person: Person) -> Place:
        """The place that the same connection has from now on, as another person's. Raises JitError limit."""
        self.leave(place)
        try:
            moved = self.enter(person, admin=False)
        except JitError:
            place.pool.add(place)
            raise
        moved.give_way, moved.idle_since = place.give_way, place.idle_since
        return moved

    def working(self, place: Place) -> None:
        """A verb works for this connection: it does not give way."""
        place.idle_since = None

    def idle(self, place: Place) -> None:
        """Nothing is done for this connection until something complete arrives."""
        place.idle_since = self._now()

    def _with_room(self, person: Person, pools: Iterable[_Pool]) -> _Pool | None:
        for pool in pools:
            if pool.has_room(person):
                return pool
        for pool in pools:
            if self._make_room_for(person, pool) and pool.has_room(person):
                return pool
        return None

    def _make_room_for(self, person: Person, pool: _Pool) -> bool:
        """Whoever has more places than this person gives one of them up."""
        mine = pool.count(person)
        return self._make_room((pool,), lambda other: pool.count(other) > mine)

    def _make_room(self, pools: Iterable[_Pool], of: Callable[[Person], bool]) -> bool:
        """Take the place of the connection that has been idle longest, of those whose persons have most of them."""
        latest = self._now() - _YOUNG
        giving: Place | None = None
        best: tuple[int, float] | None = None
        for pool in pools:
            for person, held in pool.held.items():
                if not of(person):
                    continue
                for place in held:
                    if place.idle_since is None or place.idle_since > latest:
                        continue
                    rank = (-len(held), place.idle_since)
                    if best is None or rank < best:
                        giving, best = place, rank
        if giving is None:
            return False
        self.leave(giving)
        giving.give_way()
        return True
