"""Inside a world, as root: make requests from the served OpenAPI description, send them, and say what was wrong.

usage: python -m fuzz.inside SOCKET PID LOG SECONDS SEED USER...
"""

import json
import pwd
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from fuzz.wire import Answer, NoAnswerError, send

#: Requests that are made for one operation before the next one has its turn.
AT_ONCE: Final = 10
#: What the daemon may grow by while it is sent nonsense, once it is warm.
MOST_MIB: Final = 48
MOST_DESCRIPTORS: Final = 16
MOST_THREADS: Final = 4
#: Values that mean something, put in place of made-up ones now and then, so that requests get beyond the first check.
KNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "network": ("office", "lab"),
    "interface": ("wg0",),
    "user": ("alice", "bob", "carol", "root", "-x", "nosuch"),
    "id": (1, 2, 3, 4, 5, 2**63 - 1, 2**63, -1),
    "name": ("office", "laptop", "wg0", "phone", "-", "..", "a/b"),
    "reason": ("ticket 1", " ", "\x00", "\x1b[2J", "\u202e"),
    "comment": ("", "fine", "\x00"),
    "duration": (1, 60_000, 3_600_000, 2**53, 2**63),
    "after": (0, 1, 2**63 - 1),
    "limit": (1, 500, 501),
    "last": (1, 10_000, 10_001),
    "public_key": (
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "ezXWGhwPoUWYRGTS7bnNCAoOTUqQ0Aw/Rzfe0yxvvTE=",
        "x",
    ),
    "routes": (["10.0.0.0/8"], ["fe80::1%lo/128"], ["0.0.0.0/0"], []),
    "endpoint": ("vpn.example.org:51820", "[fe80::1%lo]:1", "a:b:c", ":0"),
    "status": (["active"], ["pending", "nosuch"]),
    "search": ("ticket", '"', "*", "a" * 300),
    "text": (
        "",
        "[network.office]\n",
        '[network.lab]\ninterface = "wg0"\nroutes = ["10.1.0.0/16"]\n',
        "\x00",
    ),
}


class Findings:
    """What was wrong, each kind of it once, with a request that shows it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, kind: str, shown: str) -> None:
        """Note one."""
        self.counts[kind] += 1
        self.first.setdefault(kind, shown)


def judge(answer: Answer, what: str, shown: str, found: Findings) -> None:
    """An answer is a success or a refusal in the one shape of errors; never the daemon's own failure."""
    if answer.status >= 500:
        found.add(f"{what}: status {answer.status}", f"{shown}\n    {answer.body[:300]!r}")
        return
    if answer.kind.partition(";")[0] in ("application/jsonl", "application/openmetrics-text", "text/plain"):
        return
    try:
        body = json.loads(answer.body)
    except ValueError:
        found.add(f"{what}: no JSON with status {answer.status}", f"{shown}\n    {answer.body[:300]!r}")
        return
    if answer.status >= 400 and not {"code", "message", "hint"} <= body.keys():
        found.add(f"{what}: an error of another shape", f"{shown}\n    {answer.body[:300]!r}")


def cases(operation: Any, mode: GenerationMode, number: int) -> list[Any]:
    """Some requests for one operation."""
    made: list[Any] = []

    @seed(number)
    @settings(
        max_examples=AT_ONCE,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        made.append(case)

    try:
        collect()
    except Unsatisfiable:
        # There is no wrong way to ask for something that takes nothing.
        return cases(operation, GenerationMode.POSITIVE, number)
    return made


def with_sense(case: Any, chance: random.Random) -> None:
    """Put values that mean something in the place of some of a request's own."""
    for part in (case.body, case.query):
        if isinstance(part, dict):
            for key in part.keys() & KNOWN.keys():
                if chance.random() < 0.7:
                    part[key] = chance.choice(KNOWN[key])
            if chance.random() < 0.3:
                key = chance.choice(sorted(KNOWN))
                part[key] = chance.choice(KNOWN[key])
            part.pop("follow", None)  # a stream without an end


def as_bytes(case: Any) -> bytes:
    """The request as it goes over the wire."""
    made = case.as_transport_kwargs(base_url="http://jitd")
    query = urlencode(made.get("params") or {}, doseq=True, errors="surrogatepass")
    body = (
        json.dumps(made["json"]).encode("utf-8", "surrogatepass")
        if "json" in made
        else made.get("data") or b""
    )
    target = case.formatted_path + (f"?{query}" if query else "")
    lines = [
        f"{case.method} {target} HTTP/1.1",
        "Host: jitd",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def broken(raw: bytes, chance: random.Random) -> bytes:
    """The same with bytes changed, doubled, put in or cut off."""
    changed = bytearray(raw)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) or 1)
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at:at] = chance.choice([b"\x00", b"\r\n", b"\n", b" ", b"\xff", b"%00", b"%", b":"])
            case 2:
                del changed[at:]
            case 3:
                changed[at:at] = changed[at : at + 40]
            case _:
                changed[:0] = chance.choice(
                    [
                        b"CONNECT  HTTP/1.1\r\n\r\n",
                        b"\r\n",
                        b"PRI * HTTP/2.0\r\n\r\n",
                        b"OPTIONS * HTTP/1.1\r\n",
                    ]
                )
    return bytes(changed)


def usage(pid: int) -> tuple[int, int, int]:
    """(resident MiB, open descriptors, threads) of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return (
        int(status["VmRSS"].split()[0]) // 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(status["Threads"]),
    )


def rounds(description: dict[str, Any], chance: random.Random) -> Iterator[tuple[Any, GenerationMode]]:
    """Every operation in turn, in another order each time."""
    schema = schemathesis.openapi.from_dict(description)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    while True:
        chance.shuffle(operations)
        for operation in operations:
            yield operation, chance.choice([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


def search(
    ask: Callable[[bytes, str], Answer], users: list[str], seconds: float, number: int, pid: int
) -> Findings:
    """Send requests until the time is over."""
    found, chance = Findings(), random.Random(number)
    description = json.loads(ask(b"GET /v1/openapi.json HTTP/1.0\r\n\r\n", "root").body)
    begun, sent, warm = time.monotonic(), 0, usage(pid)
    warmed, slowest = False, dict[str, float]()
    for operation, mode in rounds(description, chance):
        if time.monotonic() - begun > seconds:
            break
        if not warmed and time.monotonic() - begun > seconds / 2:
            warm, warmed = usage(pid), True
        for case in cases(operation, mode, chance.randrange(2**32)):
            with_sense(case, chance)
            raw, user = as_bytes(case), chance.choice(users)
            mangled = chance.random() < 0.15
            raw = broken(raw, chance) if mangled else raw
            what, shown = operation.label, f"{user}: {raw[:600]!r}"
            sent += 1
            asked = time.monotonic()
            try:
                judge(ask(raw, user), what, shown, found)
            except NoAnswerError as error:
                # What is no request any more may be left without an answer; what is one, never.
                if not mangled:
                    found.add(f"{what}: no answer", f"{shown}\n    {error}")
            slowest[what] = max(slowest.get(what, 0.0), time.monotonic() - asked)
            thaw(ask, chance)
    after = usage(pid)
    most = (MOST_MIB, MOST_DESCRIPTORS, MOST_THREADS)
    for name, before, now, bound in zip(
        ("memory (MiB)", "descriptors", "threads"), warm, after, most, strict=True
    ):
        if now > before + bound:
            found.add(f"growth of {name}", f"{before} when half of the time was over, {now} at the end")
    last = ", ".join(
        f"{what} {slowest[what]:.1f} s" for what in sorted(slowest, key=lambda one: -slowest[one])[:5]
    )
    print(f"slowest answers: {last}")
    print(
        f"{sent} requests in {time.monotonic() - begun:.0f} s, seed {number}; {after[0]} MiB, {after[1]} descriptors"
    )
    return found


def thaw(ask: Callable[[bytes, str], Answer], chance: random.Random) -> None:
    """A gateway that is frozen refuses most things: not for long."""
    if chance.random() < 0.02:
        ask(b"POST /v1/thaw HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", "root")


def main(socket_path: str, pid: str, log: str, seconds: str, number: str, *users: str) -> int:
    """Search, and print what was found."""
    entries = {user: pwd.getpwnam(user) for user in users}

    def ask(raw: bytes, user: str) -> Answer:
        return send(socket_path, raw, entries[user].pw_uid, entries[user].pw_gid)

    found = search(ask, list(users), float(seconds), int(number), int(pid))
    said = Path(log).read_text(errors="replace")
    for line in ("Traceback", "Task exception was never retrieved", "Unhandled exception", "ERROR"):
        if line in said:
            at = said.index(line)
            found.add(f"the log says {line!r}", said[max(0, at - 300) : at + 2500])
    for kind, times in found.counts.most_common():
        print(f"FOUND {kind} ({times} times), for example\n  {found.first[kind]}")
    return 1 if found.counts else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
