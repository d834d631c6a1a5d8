"""Following what happens at a jitd that may be restarted, or unreachable for a while, without missing or repeating
anything: each event has a SEQ that stays, so that it goes on after the last one that came.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from jitctl.api.client import Client
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

#: Codes that say "not now": the daemon is not there, is stopping, has no place left, or drops a reader that was slow.
PASSING: Final = frozenset({"unreachable", "busy", "limit"})
#: Seconds before the first and between later attempts to listen again. Through ssh each attempt is a login.
_FIRST: Final = 0.1
_LONGEST: Final = 2.0
_LONGEST_FAR: Final = 30.0


class Moment(Enum):
    """What is no event."""

    LISTENING = "listening"  # the stream has begun, for the first time or again
    AWAKE = "awake"  # the time that `wake` named is over


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody listens for the moment; it is tried again."""

    error: JitError


def follow(
    client: Client, wake: Callable[[], float], *, after: int, patient: bool = False, **filters: Any
) -> Iterator[wire.EventView | Moment | Lost]:
    """Events behind a SEQ, each once and in order, for ever; what they are filtered by as in wire.EventsQuery.

    `wake` says after how many seconds without an event there is something else to do. Raises JitError for what does
    not pass by itself, and, unless `patient`, for all that keeps it from listening the first time.
    """
    pause, begun = _FIRST, patient
    while True:
        try:
            for event in client.follow(wake, after=after, **filters):
                begun = True
                if event is None:
                    yield Moment.LISTENING if pause else Moment.AWAKE
                else:
                    after = event["seq"]
                    yield event
                pause = 0.0
            error = JitError("unreachable", "cannot continue to listen: jitd is stopping")
        except JitError as failed:
            if failed.code not in PASSING or not begun:
                raise
            error = failed
        yield Lost(error)
        pause = min(pause * 2, _LONGEST_FAR if client.is_far else _LONGEST) or _FIRST
        # Those who lost the same daemon do not come back all in the same moment.
        again = time.monotonic() + pause * (0.75 + os.getpid() % 64 / 128)
        while (left := again - time.monotonic()) > 0:
            time.sleep(min(left, max(wake(), 0)))
            yield Moment.AWAKE
