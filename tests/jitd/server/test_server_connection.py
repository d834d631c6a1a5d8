"""Connections: how long, how many, whose, and how they end."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from jitctl.api import transport
from jitd.core.errors import JitError
from jitd.core.people import Answer
from jitd.server.concurrency import ConcurrencyLimiter
from support.server import World, parse, until, world

GET = b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

#: Connects as fast as it can as another uid, keeps what it gets, and starts over with what was closed.
FLOOD = """
import os, select, socket, sys, time
path, uid, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
if uid != os.getuid():
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
poll, held, refused, tried, end = select.poll(), {}, 0, 0, time.monotonic() + seconds
def sort(wait):
    global refused
    for number, _ in poll.poll(wait):
        refused += held[number].recv(12) == b"HTTP/1.1 429"
        poll.unregister(number)
        held.pop(number).close()
while tried < 1000 or time.monotonic() < end:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    held[sock.fileno()] = sock
    poll.register(sock, select.POLLIN)
    tried += 1
    sort(0)
while poll.poll(500):
    sort(0)
print(tried, len(held), refused, flush=True)
sys.stdin.read()
"""


async def flood(path: Path, uid: int, seconds: float = 0.0) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FLOOD,
        str(path),
        str(uid),
        str(seconds),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def result_of(process: asyncio.subprocess.Process) -> tuple[int, ...]:
    """(connections tried, held open, refused with 429)"""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    return tuple(int(number) for number in line.split())


async def end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


async def test_half_a_request_is_answered_and_closed(socket_path: Path) -> None:
    """A request that does not get complete in time is told so, whether its head or its body is missing."""
    async with world(socket_path, read_seconds=1) as here:
        began = time.monotonic()
        head, body = await asyncio.gather(
            here.raw(b"POST /v1/request HTTP/1.1\r\nHost:"),
            here.raw(b"POST /v1/request HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"),
        )
        for answer in (parse(head), parse(body)):
            assert (answer.status, answer.code) == (400, "bad_request")
            assert "did not arrive completely in time" in answer.json["message"]
        assert 0.9 < time.monotonic() - began < 5
        assert here.service.done == []


async def test_a_trickled_request_has_no_more_time_than_others(socket_path: Path) -> None:
    """Sending a byte now and then does not lengthen the time for a request."""
    async with world(socket_path, read_seconds=1) as here:
        reader, writer = await here.open()
        answering = asyncio.ensure_future(reader.read())
        began = time.monotonic()
        for byte in b"GET /v1/whoami HTTP/1.1\r\nX: " + b"y" * 1000:
            if answering.done() or time.monotonic() - began > 8:
                break
            writer.write(bytes([byte]))
            await asyncio.wait({answering}, timeout=0.05)
        assert parse(await asyncio.wait_for(answering, 5)).code == "bad_request"
        assert time.monotonic() - began < 5
        writer.close()


async def test_a_connection_that_says_nothing_is_closed(socket_path: Path) -> None:
    """Silence ends after read_seconds, and without a word."""
    async with world(socket_path, read_seconds=1) as here:
        assert await here.raw(b"") == b""


async def test_an_idle_connection_is_closed(socket_path: Path) -> None:
    """A connection is kept for further requests, and closed when none comes for idle_seconds."""
    async with world(socket_path, idle_seconds=1) as here:
        reader, writer = await here.open()
        for _ in range(3):
            writer.write(b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"}\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_half_closed_connection_gets_its_reply(socket_path: Path) -> None:
    """A client that closes its side after the request still gets the answer; after half a request it is told
    so.
    """
    async with world(socket_path) as here:
        assert parse(await here.raw(GET, half_close=True)).status == 200
        assert parse(await here.raw(b"GET /v1", half_close=True)).code == "bad_request"
        assert await here.raw(b"", half_close=True) == b""


async def test_pipelined_requests_are_not_kept(socket_path: Path) -> None:
    """Of requests sent without waiting, the first is answered, and the connection ends orderly behind it."""
    async with world(socket_path) as here:
        reader, writer = await here.open()
        writer.write(b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        await until(lambda: here.service.held == 1)
        writer.write(b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" * 1000)
        await until(lambda: unread(writer) == 0)
        here.service.hold.set()
        everything = await asyncio.wait_for(reader.read(), 5)
        assert everything.count(b"HTTP/1.1 200") == 1
        writer.close()


def unread(writer: asyncio.StreamWriter) -> int:
    """Bytes that were sent and that the server has not read yet."""
    sock = writer.get_extra_info("socket")
    return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)


async def test_http_1_0_gets_plain_replies_that_end_with_the_connection(socket_path: Path) -> None:
    """A client of HTTP/1.0 gets a reply without chunks, closed behind it."""
    async with world(socket_path) as here:
        answer = parse(await here.raw(b"GET /v1/whoami HTTP/1.0\r\n\r\n"))
        assert (answer.status, answer.json["uid"]) == (200, os.getuid())
        assert "chunked" not in answer.head.lower()


async def test_curl_works(socket_path: Path) -> None:
    """`curl --unix-socket` can ask and change."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    async with world(socket_path) as here:
        process = await asyncio.create_subprocess_exec(
            curl, "-sS", "--unix-socket", str(here.path), "http://jitd/v1/request", "-d", '{"reason": "x"}',
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert out == b'{"given":{"reason":"x"}}\n'


async def test_requests_of_one_uid_take_turns_in_order(socket_path: Path) -> None:
    """Four requests of one uid run at once, eight wait in order, the next is refused with `limit`."""
    async with world(socket_path, connections_per_user=64) as here:
        asking = []
        for at in range(12):
            asking.append(asyncio.ensure_future(here.ask("POST", "/v1/hold", {"mark": f"{at:02}"})))
            await until(lambda: here.service.held + waiting(here) == len(asking))
        assert here.service.held == 4
        refused = await here.ask("POST", "/v1/hold", {})
        assert (refused.status, refused.code) == (429, "limit")
        here.service.hold.set()
        assert [answer.status for answer in await asyncio.gather(*asking)] == [200] * 12
        assert here.service.most_held == 4
        assert sorted(here.service.done) == [f"{at:02}" for at in range(12)]


async def test_turns_are_given_in_order_and_survive_those_who_leave() -> None:
    """Who waits gets a slot in the order of asking; a place in the queue that was given up is not waited for."""
    limiter, hold = ConcurrencyLimiter(at_once=1, waiting=5), asyncio.Event()
    order: list[str] = []

    async def take(mark: str) -> None:
        async with limiter.slot(7):
            order.append(mark)
            await hold.wait()

    tasks = [asyncio.ensure_future(take(mark)) for mark in "abcd"]
    await until(lambda: order == ["a"])
    tasks[1].cancel()
    tasks[0].cancel()
    await until(lambda: order == ["a", "c"])
    hold.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["a", "c", "d"]
    async with limiter.slot(7):
        pass


def waiting(here: World) -> int:
    return sum(len(queue) for queue in here.server._limiter._queues.values())


async def test_a_verb_that_hangs_is_busy_in_the_end(socket_path: Path) -> None:
    """What takes longer than the upper bound is answered with `busy`, and its slot is free again."""
    async with world(socket_path, longest=0.3) as here:
        for _ in range(6):
            answer = await here.ask("POST", "/v1/hold", {})
            assert (answer.status, answer.code) == (503, "busy")
        assert here.service.held == 0


async def test_a_reply_that_nobody_reads_does_not_stay(socket_path: Path) -> None:
    """A client that does not read a long reply loses its connection."""
    async with world(socket_path, longest=0.5, body_bytes=2_000_000) as here:
        _, writer = await asyncio.open_unix_connection(str(here.path), limit=1)
        body = b'{"reason": "%s"}' % (b"x" * 1_500_000)
        writer.write(b"POST /v1/request HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await until(lambda: len(here.service.done) == 1)
        places = here.server._places
        await until(lambda: places.taken == 0)
        writer.close()


async def test_a_stopping_server_answers_what_runs_and_ends(socket_path: Path) -> None:
    """At stop the socket goes away, a running request is answered, and idle connections are closed."""
    async with world(socket_path) as here:
        asking = asyncio.ensure_future(here.ask("POST", "/v1/hold", {}))
        idle_reader, idle_writer = await here.open()
        await until(lambda: here.service.held == 1)
        stopping = asyncio.ensure_future(here.server.stop())
        await until(lambda: not socket_path.exists())
        here.service.hold.set()
        assert (await asking).status == 200
        await asyncio.wait_for(stopping, 5)
        assert await asyncio.wait_for(idle_reader.read(), 5) == b""
        idle_writer.close()


async def test_a_thousand_connections_of_one_uid_leave_only_its_own_places_taken(socket_path: Path) -> None:
    """Of 1000 connections of one uid only its share stays open; the others are closed at once with a 429."""
    async with world(socket_path, connections_per_user=16, connections_reserved=20, read_seconds=60) as here:
        process = await flood(here.path, os.getuid())
        tried, held, refused = await result_of(process)
        assert tried == 1000
        assert held == 20  # the daemon's own uid has the places of administrators
        assert refused == tried - held
        await end(process)
        assert (await here.ask("GET", "/v1/whoami")).status == 200


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
async def test_a_flood_of_one_user_does_not_keep_root_waiting(socket_path: Path) -> None:
    """While a user connects as fast as possible, every request of root is answered, none later than a second."""
    async with world(socket_path, read_seconds=60) as here:
        process = await flood(here.path, 54321, seconds=2.0)
        finished = asyncio.ensure_future(result_of(process))
        waits = []
        while not finished.done():
            began = time.monotonic()
            answer = parse(await asyncio.to_thread(blocking, here.path))
            waits.append(time.monotonic() - began)
            assert (answer.status, answer.json["uid"]) == (200, 0)
        tried, held, refused = finished.result()
        print(f"flood: {tried} connections, {len(waits)} of root, slowest {max(waits) * 1000:.1f} ms")
        assert (held, refused) == (16, tried - 16)
        assert max(waits) < 1
        await end(process)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
async def test_crowds_hold_out_nobody_who_has_a_name(socket_path: Path) -> None:
    """Attack: a few accounts take all places that they can get. Whoever has none still gets one, and so do root and
    administrators, also after a restart that learned of none.
    """
    limits = {"connections": 20, "connections_reserved": 6, "connections_per_user": 8, "read_seconds": 60}
    async with world(socket_path, **limits) as here:
        here.service.admins.add(54329)
        process = await ask_as(here.path, 54329)
        assert (await process.communicate())[0] == b"HTTP/1.1 200"
        await until((socket_path.parent / "administrators").exists)
    async with world(socket_path, **limits) as here:
        crowds = [await flood(here.path, uid) for uid in (54321, 54322, 54323)]
        # One each, and together half of the places for everybody beside these.
        assert sum([(await result_of(crowd))[1] for crowd in crowds]) == 3 + 7
        for uid in (0, 54324, 54325, 54326, 54327, 54329):
            process = await ask_as(here.path, uid)
            assert (await process.communicate())[0] == b"HTTP/1.1 200", uid
        for crowd in crowds:
            await end(crowd)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
async def test_uids_without_a_name_take_no_places(socket_path: Path) -> None:
    """Attack: a user with a user namespace connects with hundreds of uids that nobody has. Each is told so, none gets a
    place, and whoever has a name gets in meanwhile.
    """
    async with world(socket_path, read_seconds=60) as here:
        here.names.nameless.update(range(200_000, 200_200))
        script = (
            "import os, socket, sys, time\n"
            "told = 0\n"
            "for uid in range(200_000, 200_200):\n"
            "    os.setresuid(uid, uid, 0)\n"
            "    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
            "    told += b'the system has no name for uid %d' % uid in s.makefile('rb').read()\n"
            "    os.setresuid(0, 0, 0)\n"
            "print(told, end='')"
        )
        crowd = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(here.path), stdout=asyncio.subprocess.PIPE
        )
        process = await ask_as(here.path, 54321)
        assert (await process.communicate())[0] == b"HTTP/1.1 200"
        assert (await crowd.communicate())[0] == b"200"
        await until(lambda: here.server._places.taken == 0)


async def test_a_directory_that_hangs_holds_nobody_at_the_door(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody can say whether a uid has a name, whoever is known gets in, and who is not waits outside of all places,
    a few at a time; the others are told so.
    """
    async with world(socket_path) as here:
        answer = asyncio.Event()

        async def has_name(_uid: int) -> Answer:
            await answer.wait()
            return Answer.UNAVAILABLE

        monkeypatch.setattr(here.names, "has_name", has_name)
        keeper = here.server._admission
        assert keeper is not None
        keeper._administrators._always = frozenset()  # this very process counts as a stranger now
        waiting = [await here.open() for _ in range(4)]
        refused = parse(await here.raw(GET))
        assert (refused.status, refused.code) == (429, "limit")
        assert "wait for the look-up of their users" in refused.text
        assert here.server._places.taken == 0
        answer.set()
        for reader, writer in waiting:
            told = parse(await asyncio.wait_for(reader.read(), 5))
            assert (told.status, told.code) == (403, "not_permitted")
            writer.close()
        keeper._named[os.getuid()] = time.monotonic()
        assert parse(await here.raw(GET)).status == 200


async def test_a_refusal_at_the_door_is_readable_whatever_the_client_does(socket_path: Path) -> None:
    """A refused client reads why, also when it wrote a large request first, half-closed its side, or writes on slowly."""
    async with world(socket_path, connections_per_user=1, connections_reserved=1, idle_seconds=60) as here:
        _, first = await here.open()
        await until(lambda: here.server._places.taken == 1)
        head = b"POST /v1/request HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"

        def ask(way: str) -> bytes:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10)
                sock.connect(str(here.path))
                with contextlib.suppress(BrokenPipeError):
                    if way == "large":
                        sock.sendall(head + b"x" * 60000)
                    if way == "half":
                        sock.sendall(GET)
                        sock.shutdown(socket.SHUT_WR)
                    if way == "slow":
                        sock.sendall(head)
                        until_closed = time.monotonic() + 4
                        while time.monotonic() < until_closed:
                            sock.sendall(b"x")
                            time.sleep(0.05)
                with sock.makefile("rb") as file:
                    return file.read()

        for way in ("silent", "large", "half", "slow"):
            told = parse(await asyncio.to_thread(ask, way))
            assert (told.status, told.code) == (429, "limit"), way
        first.close()


async def test_an_administrator_is_identified_beside_everybody_else(socket_path: Path) -> None:
    """Attack: a crowd whose /proc takes long to read keeps those threads busy. Root is known at once all the same."""
    async with world(socket_path) as here:
        hold = threading.Event()
        try:
            for _ in range(8):
                here.server._executor.submit(hold.wait)
            assert (await asyncio.wait_for(here.ask("GET", "/v1/whoami"), 5)).status == 200
        finally:
            hold.set()


async def test_jitctl_says_why_it_was_refused_at_the_door(socket_path: Path) -> None:
    """Whoever types a command, or comes through a gate, reads the refusal and no broken pipe."""
    async with world(socket_path, connections_per_user=1, connections_reserved=1, idle_seconds=60) as here:
        _, first = await here.open()
        await until(lambda: here.server._places.taken == 1)

        def ask() -> None:
            channel = transport.Channel(transport.connect(str(here.path)))
            transport.ask(channel, "POST", "/v1/request", {"reason": "x" * 50_000})

        def introduce() -> None:
            with transport.connect(str(here.path)) as connected:
                time.sleep(0.2)  # the refusal has come and the door is closed again
                transport.introduce(connected, "alice")

        for call in (ask, introduce):
            with pytest.raises(JitError) as caught:
                await asyncio.to_thread(call)
            assert caught.value.code == "limit"
            assert caught.value.message.startswith("cannot open another connection: you have 1 open")
        first.close()


async def test_an_idle_connection_gives_way(socket_path: Path) -> None:
    """Somebody's own idle connection gives way to a new one: a client that died in silence shuts nobody out."""
    async with world(socket_path, connections_per_user=1, connections_reserved=1, idle_seconds=60) as here:
        reader, writer = await here.open()
        await until(lambda: here.server._places.taken == 1)
        here.server._places._now = lambda: time.monotonic() + 2
        assert parse(await here.raw(GET)).status == 200
        assert "this one was idle" in parse(await asyncio.wait_for(reader.read(), 5)).text
        writer.close()


def blocking(path: Path) -> bytes:
    """One request of a client that waits for its place in the kernel's queue, as an ordinary program does."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(GET)
        with sock.makefile("rb") as file:
            return file.read()


async def ask_as(path: Path, uid: int) -> asyncio.subprocess.Process:
    """A process that asks as another uid and prints the status line's first 12 bytes."""
    script = (
        "import os, socket, sys; os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]));"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)\n"
        "try: s.sendall(b'GET /v1/whoami HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "except BrokenPipeError: pass\n"
        "print(s.recv(12).decode(), end='')"
    )
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(path), str(uid), stdout=asyncio.subprocess.PIPE
    )
