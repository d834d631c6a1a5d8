"""jitd killed from outside at a step of a grant or a revoke: at its Nth write, sync or message, counted by strace."""

import re
import signal
import time
from pathlib import Path
from random import Random

from faults.agreement import agreed
from faults.outcome import Outcome, together
from faults.scene import Scene, played
from support.deployment import Deployment
from support.gateway import RefusedError
from support.wait import until
from support.world import Process

#: What a verb consists of, seen from outside. Each thread of jitd is counted by itself.
CALLS = ("pwrite64", "fdatasync", "sendto", "sendmsg", "write")
VERBS = ("grant", "revoke")
#: So many kills in one scene: its packets are kept in memory.
AT_ONCE = 25
Step = tuple[str, str, int]  # verb, call, which one


def some_steps(deployment: Deployment, chance: Random) -> Outcome:
    """Four steps, by chance."""
    return _killed_at(deployment, chance.sample(_steps(deployment), 4))


def all_steps(deployment: Deployment, chance: Random) -> Outcome:
    """Every step, in an order by chance."""
    steps = _steps(deployment)
    chance.shuffle(steps)
    parts = [
        _killed_at(deployment, steps[start : start + AT_ONCE]) for start in range(0, len(steps), AT_ONCE)
    ]
    return together(parts)


def _killed_at(deployment: Deployment, steps: list[Step]) -> Outcome:
    """Kill at each of the steps, start again, and compare each time."""
    with played(deployment) as scene:
        found = [_Kill(scene, *step).play() for step in steps]
        for request in scene.gateway.get("/v1/list?status=active&user=alice")["requests"]:
            scene.revoke(request["id"])
            scene.shut()
        scene.trials = len(steps)
        scene.recovery, scene.recovered_ms = (
            "at its start, jitd reconciled the kernel with the store",
            max(found),
        )
        return scene.finish()


def _steps(deployment: Deployment) -> list[Step]:
    """Count what the verbs do: for each call, up to the largest number that one thread makes."""
    found = []
    with played(deployment) as scene:
        for verb in VERBS:
            file = _file(scene)
            strace = attach(scene, file, f"--trace={','.join(CALLS)}")
            if verb == "grant":
                number = scene.grant("1h").number
            else:
                scene.revoke(number)
                scene.shut()
            strace.stop(signal.SIGINT)
            counts: dict[tuple[str, str], int] = {}
            for thread, call in re.findall(r"^(\d+) +(\w+)\(", file.read_text(), re.MULTILINE):
                counts[thread, call] = counts.get((thread, call), 0) + 1
            for call in CALLS:
                largest = max((count for (_, name), count in counts.items() if name == call), default=0)
                found += [(verb, call, which) for which in range(1, largest + 1)]
        scene.finish()
    return found


class _Kill:
    """One kill at one step."""

    def __init__(self, scene: Scene, verb: str, call: str, which: int) -> None:
        self._scene = scene
        self._verb, self._call, self._which = verb, call, which

    def play(self) -> float:
        """Returns the milliseconds from the start to when kernel and store were seen to agree."""
        scene = self._scene
        number = self._active()
        if number is None and self._verb == "revoke":
            number = scene.grant("1h").number
        if number is not None and self._verb == "grant":
            scene.revoke(number)
            scene.shut()
        strace = attach(
            scene,
            _file(scene),
            f"--trace={self._call}",
            f"--inject={self._call}:signal=KILL:when={self._which}",
        )
        typed = time.monotonic_ns()
        acknowledged = self._type(number)
        replied = time.monotonic_ns()
        daemon, scene.gateway.daemon = scene.gateway.daemon, None
        assert daemon is not None
        if acknowledged is not None:
            # The step may come behind the reply, or not every time.
            daemon.send(signal.SIGKILL)
        daemon.popen.wait(20)
        strace.popen.wait(20)
        begun = time.monotonic()
        scene.start()
        started = time.monotonic_ns()
        agreed(scene.deployment)
        seconds = time.monotonic() - begun
        after = self._active()
        if acknowledged is not None:
            assert after == (acknowledged if self._verb == "grant" else None), self._step()
        if self._verb == "grant" and after is not None:
            scene.open(typed)
            scene.acknowledged[after] = {"active"}
            scene.passes()
        if self._verb == "revoke" and after is None:
            assert number is not None
            scene.shut(started if acknowledged is None else replied)
            scene.acknowledged[number] = {"revoked"}
        if after is None:
            scene.silent()
        self._whole(after if after is not None else number)
        return seconds * 1000

    def _type(self, number: int | None) -> int | None:
        """The grant's number when the verb was acknowledged, None when the line was cut before the reply."""
        gateway = self._scene.gateway
        try:
            if self._verb == "grant":
                said = gateway.json("carol", "grant", "--user", "alice", "--network", "office", "-d", "1h")
                return int(said["request"]["id"])
            gateway.jitctl("carol", "revoke", str(number), "--reason", "the fault")
        except RefusedError as refused:
            assert refused.status in (1, 6), refused
            return None
        return number

    def _active(self) -> int | None:
        found = self._scene.gateway.get("/v1/list?status=active&user=alice")["requests"]
        assert len(found) <= 1, found
        return int(found[0]["id"]) if found else None

    def _whole(self, number: int | None) -> None:
        """See that the grant's history is as long as its status says: no part of a verb without the rest."""
        if number is None:
            return
        shown = self._scene.gateway.get(f"/v1/show?id={number}")
        kinds = [event["kind"] for event in shown["events"]]
        ended = shown["request"]["status"] == "revoked"
        wanted = ["granted", "revoked", "cut_confirmed"] if ended else ["granted"]
        assert kinds == wanted, f"{self._step()}: {shown}"

    def _step(self) -> str:
        return f"{self._verb}, {self._call} {self._which}"


def _file(scene: Scene) -> Path:
    return scene.deployment.streams.directory / f"strace-{time.monotonic_ns()}"


def attach(scene: Scene, file: Path, *options: str) -> Process:
    """strace on all threads of jitd; returns when it is there."""
    inside = scene.gateway.get("/v1/health")["pid"]
    said = file.with_suffix(".said")
    with said.open("w") as output:
        strace = scene.world.start(
            ["strace", "-f", "-o", str(file), *options, "-p", str(inside)], output=output
        )
    until(lambda: "attached" in said.read_text(), f"strace is there: {said.read_text()}", 20)
    return strace
