"""Who gets a place: connections, turns of work, and watchers, counted per uid. No sockets here.

The point of all of it: whatever users do, together or alone, an administrator can still connect and revoke.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from jitd.core.clock import Clock
from jitd.core.errors import JitError

#: How long a uid counts as an administrator after the service last said so, in milliseconds.
_REMEMBERED_MS: Final = 3600 * 1000


class Administrators:
    """Uids known to be administrators without asking anybody: what a full house lets in all the same.

    Being one here gives a place to be heard, and no rights. Root and the daemon's own user always count;
    others are learned from the service's answers, since looking up groups can wait for a directory.
    """

    def __init__(self, own_uid: int, clock: Clock) -> None:
        self._always = frozenset({0, own_uid})
        self._clock = clock
        self._learned: dict[int, int] = {}  # uid -> boot time of the last yes, milliseconds

    def __contains__(self, uid: int) -> bool:
        if uid in self._always:
            return True
        learned = self._learned.get(uid)
        return learned is not None and self._clock.boot_ms() - learned < _REMEMBERED_MS

    def learn(self, uid: int, *, admin: bool) -> None:
        """Remember what the service said of this uid."""
        if admin:
            self._learned[uid] = self._clock.boot_ms()
        else:
            self._learned.pop(uid, None)


class Places:
    """Places for connections: `total`, the last `reserved` of them for administrators, `per_user` for one
    uid.

    An administrator's uid may be shared (root behind sudo), so it may take as many as are reserved.
    """

    def __init__(self, administrators: Administrators, *, total: int, reserved: int, per_user: int) -> None:
        self._administrators = administrators
        self._total = total
        self._open_to_all = max(0, total - reserved)
        self._per_user = per_user
        self._per_administrator = max(per_user, reserved)
        self._taken: Counter[int] = Counter()
        #: All connections that have a place.
        self.taken = 0

    def enter(self, uid: int) -> JitError | None:
        """Take a place; returns why not when there is none. Give it back with `leave`."""
        admin = uid in self._administrators
        if self._taken[uid] >= (self._per_administrator if admin else self._per_user):
            return JitError(
                "limit",
                f"cannot open another connection: you have {self._taken[uid]} open, which is the limit",
                "Close one of them, for example a `jitctl watch`, and try again.",
            )
        if self.taken >= (self._total if admin else self._open_to_all):
            return JitError(
                "limit", "cannot serve another connection: all places are taken", "Try again in a minute."
            )
        self._taken[uid] += 1
        self.taken += 1
        return None

    def leave(self, uid: int) -> None:
        """Give a place back."""
        self.taken -= 1
        self._taken[uid] -= 1
        if not self._taken[uid]:
            del self._taken[uid]


class Turns:
    """Turns of work: `at_once` requests of one uid run, up to `waiting` more wait in the order they came."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self._running: Counter[int] = Counter()
        self._queues: dict[int, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, uid: int) -> AsyncIterator[None]:
        """Wait for a turn and keep it inside the block. Raises JitError limit when too many wait already."""
        await self._begin(uid)
        try:
            yield
        finally:
            self._end(uid)

    async def _begin(self, uid: int) -> None:
        if self._running[uid] < self._at_once:
            self._running[uid] += 1
            return
        queue = self._queues.setdefault(uid, deque())
        if len(queue) >= self._waiting:
            raise JitError(
                "limit",
                f"cannot take another request: {self._at_once} of yours are worked on and {len(queue)} wait",
                "Wait for their answers first.",
            )
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end(uid)  # the turn was given in the same moment: hand it on
            elif turn in queue:
                queue.remove(turn)
            raise

    def _end(self, uid: int) -> None:
        queue = self._queues.get(uid)
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)  # the turn goes over to the next one
                return
        self._queues.pop(uid, None)
        self._running[uid] -= 1
        if not self._running[uid]:
            del self._running[uid]


class Watchers:
    """At most `per_user` open streams of one uid."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._of: Counter[int] = Counter()
        #: All open streams.
        self.open = 0

    @contextmanager
    def place(self, uid: int) -> Iterator[None]:
        """Hold a place inside the block. Raises JitError limit when all are taken."""
        if self._of[uid] >= self._per_user:
            raise JitError(
                "limit",
                f"cannot watch: you have {self._of[uid]} streams open, which is the limit",
                "End one of them first.",
            )
        self._of[uid] += 1
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            self._of[uid] -= 1
            if not self._of[uid]:
                del self._of[uid]
