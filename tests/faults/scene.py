"""The scene that each fault is played in: bob is in and stays in, alice is what the fault is about.

Packets go both ways for both, 1000 a second. At its end a scene looks at all that has to be true after any fault.
"""

import bisect
import json
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.agreement import agreed
from faults.outcome import Outcome
from support.deployment import Deployment, deployment
from support.gateway import RefusedError, wall_to_monotonic_ns
from support.streams import Stream, Streams
from support.wait import until

#: Packets a second of bob's, each way. All packets go before jitd on the machine's processors: too many would slow it.
OTHERS_RATE = 250
#: Two packets of the others in a row, milliseconds: a busy machine loses so much by itself. It is told all the same.
NOISE_MS = 8.0
#: Seconds within which jitd has started, also on a machine that is busy with something else.
STARTED = 90.0
#: Seconds within which a client is back for sure: one that lost its session begins again after 15 s; the rest is for busy machines.
BACK = 90.0


@dataclass(frozen=True)
class Granted:
    """A grant of alice's. `end_ns` is on CLOCK_MONOTONIC."""

    number: int
    end_ns: int


class Scene:
    """A trial. Packets of alice's that are sent between `shut` and `open` must not arrive."""

    def __init__(self, deployment: Deployment, rate: int) -> None:
        self.deployment = deployment
        self.rate = rate
        self.gateway = deployment.gateway
        self.world = deployment.world
        self.acknowledged: dict[int, Collection[str]] = {}
        self._shut: list[tuple[int, int]] = []
        self._ends: list[int] = []
        self._shut_since: int | None = None
        self._seq = 0
        self.recovery = ""
        self.recovered_ms: float | None = None
        self.trials = 1
        self.note = ""

    def begin(self) -> None:
        """Start the packets, and see that bob's pass and alice's do not."""
        agreed(self.deployment)
        assert not self.gateway.get("/v1/list?status=active&user=alice")["requests"], "alice is in already"
        self._seq = int(self.gateway.get("/v1/health")["seq"])
        self.deployment.streams = Streams(self.world, self.deployment.streams.directory)
        self.mine: Sequence[Stream] = self.deployment.both_ways("alice", rate=self.rate)
        self._shut_since = time.monotonic_ns()
        self.others: Sequence[Stream] = self.deployment.both_ways("bob", rate=min(self.rate, OTHERS_RATE))
        self.calm = max(stream.arrives(BACK).sent for stream in self.others)

    def start(self) -> None:
        """Start jitd."""
        self.gateway.start(STARTED)

    # --- alice ---

    def grant(self, duration: str) -> Granted:
        """Give alice access and wait until packets pass both ways."""
        self.open()
        begun = time.monotonic_ns()
        said = self.gateway.json(
            "carol", "grant", "--user", "alice", "--network", "office", "--duration", duration
        )
        number = int(said["request"]["id"])
        self.acknowledged[number] = {"active", "expired"}
        granted = Granted(number, wall_to_monotonic_ns(said["request"]["ends"]))
        for stream in self.mine:
            stream.arrives()
        assert granted.end_ns > begun
        return granted

    def revoke(self, number: int) -> None:
        """Revoke a grant of alice's; also where the reply is that the kernel does not agree yet."""
        try:
            self.gateway.jitctl("carol", "revoke", str(number), "--reason", "the fault")
        except RefusedError as refused:
            if refused.status != 9:
                raise
        self.acknowledged[number] = {"revoked"}

    def shut(self, from_ns: int | None = None) -> None:
        """From this moment on (by default now) nothing of alice's passes: it is an end, unless it was shut before."""
        if self._shut_since is not None:
            return
        self._shut_since = time.monotonic_ns() if from_ns is None else from_ns
        self._ends.append(self._shut_since)

    def open(self, from_ns: int | None = None) -> None:
        """From this moment on (by default now) something may."""
        if self._shut_since is not None:
            moment = time.monotonic_ns() if from_ns is None else from_ns
            self._shut.append((self._shut_since, moment))
        self._shut_since = None

    def silent(self) -> None:
        """See that the next packets of alice's do not arrive, in either direction."""
        for stream in self.mine:
            assert stream.silent(), f"packets pass: {stream.name}"

    def passes(self, seconds: float = BACK) -> None:
        """See that alice's packets arrive, in both directions."""
        for stream in self.mine:
            stream.arrives(seconds)

    # --- time ---

    @staticmethod
    def wait(moment_ns: int) -> None:
        """Wait for a moment of CLOCK_MONOTONIC: the moment itself is the condition."""
        seconds = max(moment_ns - time.monotonic_ns(), 0) / 1e9
        until(lambda: time.monotonic_ns() >= moment_ns, "the moment comes", seconds + 10, every=0.002)

    @contextmanager
    def recovering(self, how: str) -> Iterator[None]:
        """Measure from here to when kernel and store agree, at the end of the block at the latest."""
        begun = time.monotonic()
        yield
        agreed(self.deployment)
        self.recovery, self.recovered_ms = how, (time.monotonic() - begun) * 1000

    def told(self, kind: str, seconds: float = BACK) -> None:
        """Wait for an event of this kind since the scene began."""
        until(lambda: any(event["kind"] == kind for event in self._events()), f"event {kind}", seconds)

    # --- the end ---

    def finish(self, *, others_may_lose_ms: float = NOISE_MS) -> Outcome:
        """Look at everything. Raises AssertionError unless all but the packets is as it has to be.

        `others_may_lose_ms`: so long a hole in bob's packets is the fault's and not jitd's.
        """
        self.deployment.streams.stop()
        self.open()
        agreed(self.deployment)
        for number, statuses in self.acknowledged.items():
            status = self.gateway.request(number)["status"]
            assert status in statuses, f"{number} is {status}, and was acknowledged as {statuses}"
        seqs = [event["seq"] for event in self._events()]
        assert seqs == list(range(self._seq + 1, self._seq + 1 + len(seqs))), f"a gap in SEQ: {seqs}"
        losses = "; ".join(filter(None, (stream.losses(self.calm) for stream in self.others)))
        lost_ms = max(self._hole_ms(stream) for stream in self.others)
        assert lost_ms <= others_may_lose_ms, losses
        past = sum(
            1
            for stream in self.mine
            for packet in stream.received()
            if any(begin < packet.sent <= end for begin, end in self._shut)
        )
        late = self._late_ms()
        return Outcome(
            trials=self.trials,
            past=past,
            early_ms=min(late, default=None),
            late_ms=max(late, default=None),
            lost_ms=lost_ms,
            recovery=self.recovery,
            recovered_ms=self.recovered_ms,
            note=self.note,
        )

    def _hole_ms(self, stream: Stream) -> float:
        """The longest time without a packet that arrived, from the first lost packet to the next that came."""
        arrived = {packet.number for packet in stream.received()}
        longest, first = 0, None
        for packet in stream.sent():
            if packet.sent < self.calm:
                continue
            if packet.number in arrived:
                first = None
                continue
            first = packet.sent if first is None else first
            longest = max(longest, packet.sent - first + 1_000_000_000 // min(self.rate, OTHERS_RATE))
        return longest / 1e6

    def _late_ms(self) -> list[float]:
        """For each end, when the last packet came that was sent before access was opened again."""
        opened = dict(self._shut)
        came = sorted((packet.sent, packet.received) for stream in self.mine for packet in stream.received())
        late = []
        for end in self._ends:
            before = bisect.bisect_right(came, opened.get(end, end), key=lambda pair: pair[0])
            # Only what was sent in the last seconds before: a grant that nothing passed in ends nothing.
            recent = [
                received
                for sent, received in came[max(before - 5000, 0) : before]
                if sent > end - 10_000_000_000
            ]
            if recent:
                late.append((max(recent) - end) / 1e6)
        return late

    def _events(self) -> list[dict[str, Any]]:
        lines = self.gateway.jitctl("carol", "events", "--after", str(self._seq), "--output", "jsonl")
        return [json.loads(line) for line in lines.splitlines()]


@contextmanager
def played(deployment: Deployment, rate: int = 1000) -> Iterator[Scene]:
    """A scene that has begun, with `rate` packets a second. They end with it, whatever happens."""
    scene = Scene(deployment, rate)
    try:
        scene.begin()
        yield scene
    finally:
        deployment.streams.stop()


@contextmanager
def stage(directory: Path) -> Iterator[Deployment]:
    """A new deployment for any number of scenes, one after the other: bob is in for hours, and alice was in before."""
    with deployment(directory) as made:
        made.laptop("alice")
        made.laptop("bob")
        for user in ("alice", "bob"):
            made.gateway.jitctl("carol", "grant", "--user", user, "--network", "office", "--duration", "8h")
        for user in ("alice", "bob"):
            for stream in made.both_ways(user):
                stream.arrives(BACK)
        made.streams.stop()
        number = made.gateway.get("/v1/list?status=active&user=alice")["requests"][0]["id"]
        made.gateway.jitctl("carol", "revoke", str(number), "--reason", "the client has called once")
        yield made
