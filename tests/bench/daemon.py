"""A jitd under measurement, whatever it stands on: calls over its socket, with the time that each took."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import fill
from support.wait import until

#: Seconds for a start with everything in it; what takes longer does not work.
LONGEST_START = 240.0


@dataclass(frozen=True)
class Answer:
    """A reply, with nanoseconds of CLOCK_MONOTONIC before and after the call."""

    status: int
    text: str
    begun: int
    ended: int

    @property
    def ms(self) -> float:
        """How long the call took."""
        return (self.ended - self.begun) / 1e6

    @property
    def reply(self) -> Any:
        """The JSON in it."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Granted:
    """A grant that was made: its number, its end in milliseconds UTC, and the call."""

    id: int
    ends: int
    answer: Answer


class Daemon(ABC):
    """A jitd that is started and stopped, and whose store is filled while it is stopped."""

    state_dir: Path

    @abstractmethod
    def call(self, method: str, path: str, body: object = None) -> Answer:
        """One call by an administrator. Raises OSError or AssertionError when there is no answer."""

    @abstractmethod
    def start(self) -> float:
        """Start it and return how long it took to be ready, milliseconds. Raises AssertionError."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it in order. Interfaces stay."""

    @abstractmethod
    def know(self, people: Sequence[fill.Person]) -> None:
        """Make these people users of the system."""

    def good(self, method: str, path: str, body: object = None) -> Answer:
        """A call that must succeed. Raises AssertionError with what was said when it does not."""
        answer = self.call(method, path, body)
        assert answer.status == 200, f"{method} {path} {body}: {answer.text}"
        return answer

    def changed(self, path: str, body: object) -> Answer:
        """A change that the kernel must have been seen to agree with when the reply comes."""
        answer = self.good("POST", path, body)
        assert answer.reply["agrees"] is True, f"{path} {body}: {answer.text}"
        return answer

    def furnish(self, endpoint: str = "vpn.example.org:51820") -> None:
        """An interface with room for a crowd, and a network behind it."""
        self.changed(
            "/v1/interface/add", {"name": fill.INTERFACE, "pools": [fill.POOL], "endpoint": endpoint}
        )
        self.changed("/v1/network/add", {"name": fill.NETWORK, "routes": ["10.20.0.0/24"]})

    def grant(self, user: str, duration: int) -> Granted:
        """Give a user access for so many milliseconds, without a request."""
        answer = self.changed("/v1/grant", {"user": user, "network": fill.NETWORK, "duration": duration})
        request = answer.reply["request"]
        return Granted(request["id"], request["ends"], answer)

    def revoke(self, number: int) -> Answer:
        """End a grant."""
        return self.changed("/v1/revoke", {"id": number})

    def refill(self, people: Sequence[fill.Person], ends_ms: Callable[[int], int] | None = None) -> float:
        """Stop, put these people in, start. Returns how long the start took, milliseconds."""
        self.stop()
        self.know(people)
        fill.fill(self.state_dir, people, ends_ms)
        return self.start()

    def waiting(self) -> list[str]:
        """What the kernel does not agree with, as the daemon says."""
        found: list[str] = self.good("GET", "/v1/status").reply["gateway"]["waiting"]
        return found

    def agrees(self, seconds: float = 60) -> float:
        """Wait until the kernel agrees with everything; returns for how long, milliseconds. Raises AssertionError."""
        begun = time.monotonic()
        while waiting := self.waiting():
            took = time.monotonic() - begun
            assert took < seconds, f"after {seconds:.0f} s the kernel does not agree: {waiting}"
            time.sleep(0.2)
        return (time.monotonic() - begun) * 1000

    def seq(self) -> int:
        """SEQ of the newest event."""
        return int(self.good("GET", "/v1/health").reply["seq"])

    def latenesses(self, after: int, count: int, seconds: float) -> list[dict[str, int]]:
        """Wait until so many endings behind this SEQ are confirmed, and return the data of their events.

        Each has due, confirmed and lateness, milliseconds. Raises AssertionError when they do not come in time.
        """
        found: list[dict[str, int]] = []

        def all_there() -> bool:
            nonlocal after
            text = self.good("GET", f"/v1/events?kind=cut_confirmed&after={after}").text
            events = [json.loads(line) for line in text.splitlines() if line]
            found.extend(event["data"] for event in events)
            after = events[-1]["seq"] if events else after
            return len(found) >= count

        until(all_there, f"{count} endings are confirmed", seconds, every=0.5)
        return found


def hours(number: int) -> Callable[[int], int]:
    """All of a crowd's grants end so many hours from now."""
    end = time.time_ns() // 1_000_000 + number * fill.HOUR
    return lambda _: end
