"""How fast one person may change things: a bound on what any local user can make the store grow by. No sockets here."""

from dataclasses import dataclass
from typing import Final

from jitd.core import durations
from jitd.core.clock import Clock
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.server.administrators import Administrators

#: Administrators decide for many people: they may change so many times more than a user.
ADMINISTRATORS_FACTOR: Final = 10
#: Persons who are remembered; beyond that, those whose allowance is full again are forgotten.
_REMEMBERED: Final = 1024


@dataclass(slots=True)
class _Allowance:
    """What is left, as of `at_ms` of boot time, and how many there are at most within `span_ms`."""

    left: float
    at_ms: int

    def refill(self, most: int, span_ms: int, now_ms: int) -> None:
        self.left = min(most, self.left + (now_ms - self.at_ms) * most / span_ms)
        self.at_ms = now_ms


class Rates:
    """Counts the changes of each person, by the minute and by the day. Behind a gate that is the person who was named.

    Root and the user who runs jitd are not counted: who owns the store needs no verb to fill its disk.
    """

    def __init__(
        self, own_uid: int, administrators: Administrators, clock: Clock, *, per_minute: int, per_day: int
    ) -> None:
        self._free = frozenset({0, own_uid})
        self._administrators = administrators
        self._clock = clock
        self._most = ((per_minute, durations.MINUTE), (per_day, durations.DAY))
        self._of: dict[tuple[int, str], tuple[_Allowance, ...]] = {}

    def take(self, actor: Actor) -> None:
        """Count one change. Raises JitError limit, which says when the next one is possible."""
        if actor.uid in self._free:
            return
        factor = ADMINISTRATORS_FACTOR if actor.uid in self._administrators else 1
        now_ms = self._clock.boot_ms()
        person = (actor.uid, actor.user)
        if person not in self._of:
            if len(self._of) >= _REMEMBERED:
                self._forget(now_ms)
            self._of[person] = tuple(_Allowance(factor * most, now_ms) for most, _ in self._most)
        for allowance, (most, span_ms) in zip(self._of[person], self._most, strict=True):
            allowance.refill(factor * most, span_ms, now_ms)
            if allowance.left < 1:
                wait_ms = max(durations.SECOND, int((1 - allowance.left) * span_ms / (factor * most)))
                within = "a minute" if span_ms == durations.MINUTE else "a day"
                raise JitError(
                    "limit",
                    f"cannot change more now: {actor.user} may make {factor * most} changes within {within}",
                    f"Try again in {durations.show(wait_ms)}. Verbs that close access are never limited: "
                    "revoke, release, pause,"
                    " deny, cancel, device remove.",
                )
        for allowance in self._of[person]:
            allowance.left -= 1

    def _forget(self, now_ms: int) -> None:
        """Drop those whose allowances are full again: they are as good as new."""
        for person, allowances in list(self._of.items()):
            for allowance, (most, span_ms) in zip(allowances, self._most, strict=True):
                allowance.refill(most, span_ms, now_ms)
            if all(one.left >= most for one, (most, _) in zip(allowances, self._most, strict=True)):
                del self._of[person]
