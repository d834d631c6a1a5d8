"""What is no request, or hardly one: answered or closed, and never a traceback in the log."""

import asyncio
import itertools
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from types import MethodType

import pytest

from jitd.server.connection import Connection
from jitd.server.places import Person, Place
from support.server import until, world

METHODS = (b"GET", b"POST", b"CONNECT", b"OPTIONS", b"HEAD", b"PRI", b"get", b"G\0T", b"", b"\xff")
TARGETS = (
    b"", b"*", b"/", b"//", b"http://", b"http://[", b"http://[::1", b"http://a:b/", b"http://a:99999/", b"/%zz", b"/%00",
    b"/\xff", b"?", b"#", b":", b":80", b"a:80", b"[", b"@", b"http://@/", b"x://", b"/\xc3\x28", b"//[", b"//a:b",
    b"http://xn--a/", b"http://%00/", b"http://" + b"a" * 300 + b"/", b"/" + b"a" * 20_000, b"/v1/events?after=%ff",
)  # fmt: skip
VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1 x", b"", b"HTTP/1.")
HEADERS = (
    b"", b"Host:\r\n", b"Host: [\r\n", b"Host: \xff\r\n", b"Host: a\r\nHost: b\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1e3\r\n",
    b"Content-Length: 99999999999999999999999\r\n", b"Content-Length: 4\r\nContent-Length: 5\r\n",
    b"Content-Encoding: gzip\r\nContent-Length: 4\r\n", b"Expect: 100-continue\r\nContent-Length: 4\r\n",
    b"Expect: x\r\nContent-Length: 4\r\n", b"Content-Type: text/plain; charset=nosuch\r\nContent-Length: 4\r\n",
    b'Cookie: \xff="\r\n', b": x\r\n", b" x: y\r\n", b"x\r\n", b"X: \0\r\n", b"X:" + b"y" * 20_000 + b"\r\n", b"X: y\r",
)  # fmt: skip
BODIES = (
    b"", b"{}", b"xxxx", b"4\r\nabcd\r\n0\r\n\r\n", b"z\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"4\r\nabcdXX",
    b"0\r\nX: \xff\r\n\r\n", b'{"a":' * 5000, b"\xff\xfe\0",
)  # fmt: skip


def cases() -> Iterator[bytes]:
    """Each method with each target, each header with each body, and what a seeded dice makes of them."""
    for method, target in itertools.product(METHODS, TARGETS):
        yield method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    for headers, body in itertools.product(HEADERS, BODIES):
        yield b"POST /v1/request HTTP/1.1\r\n" + headers + b"\r\n" + body
    dice = random.Random(20261129)
    for _ in range(400):
        line = b" ".join((dice.choice(METHODS), dice.choice(TARGETS), dice.choice(VERSIONS)))
        made = bytearray(
            line + b"\r\n" + dice.choice(HEADERS) + dice.choice(HEADERS) + b"\r\n" + dice.choice(BODIES)
        )
        for _ in range(dice.randrange(4)):
            made[dice.randrange(len(made))] = dice.randrange(256)
        yield bytes(made)


async def test_odd_requests_are_answered_and_leave_no_traceback(
    socket_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Attack: any user sends what trips up a parser (CONNECT with an empty target did), to fill the log or to break the
    server. Each is told a 4xx, or closed when it cannot be read at all; none is a 5xx, a reset or a line in the log.
    """
    loop_errors = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    async with world(socket_path, read_seconds=1, idle_seconds=1, connections_per_user=100) as here:

        async def send(data: bytes) -> None:
            answer = await here.raw(data, half_close=True)
            assert not answer or answer[9:10] in b"24", (data[:200], answer[:300])

        with caplog.at_level(logging.INFO):
            pending = iter(cases())
            while batch := list(itertools.islice(pending, 50)):
                await asyncio.gather(*map(send, batch))
        assert (await here.ask("GET", "/v1/whoami")).status == 200
        assert here.server._places.taken <= 1
    assert caplog.text == ""
    assert loop_errors == []


@pytest.mark.parametrize("target", [b"", b"http://[", b"//["])
async def test_a_target_that_is_no_url_is_told_so(socket_path: Path, target: bytes) -> None:
    """A client that keeps its side open is told why and closed, not left waiting."""
    async with world(socket_path) as here:
        answer = await here.raw(b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer[:5] == b"HTTP/"
        assert answer[9:10] == b"4"
        assert b"cannot" in answer


async def test_a_connection_that_gives_way_while_its_body_comes_runs_nothing(socket_path: Path) -> None:
    """Who was told that their place is gone has asked nothing: what comes afterwards is not carried out."""
    async with world(socket_path) as here:
        reader, writer = await here.open()
        writer.write(b"POST /v1/request HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n")
        held = here.server._places._reserve.held

        def reads_body() -> bool:
            ways = [place.give_way for places in held.values() for place in places]
            return any(
                isinstance(way, MethodType)
                and isinstance(way.__self__, Connection)
                and way.__self__._handling
                for way in ways
            )

        await until(reads_body)
        ((place,),) = held.values()
        here.server._places.leave(place)
        place.give_way()
        writer.write(b'{"reason":"x"}')
        assert b"this one was idle" in await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert (await here.ask("GET", "/v1/whoami")).status == 200
        assert here.service.done == []


async def test_a_connection_that_gives_way_before_it_begins_is_told_so(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that stood still for a second finds connections that are old before their first byte is read."""
    async with world(socket_path) as here:
        places = here.server._places
        enter = places.enter

        def enter_and_go(person: Person, *, admin: bool) -> Place:
            place = enter(person, admin=admin)

            def give_way() -> None:
                places.leave(place)
                place.give_way()

            asyncio.get_running_loop().call_soon(give_way)
            return place

        monkeypatch.setattr(places, "enter", enter_and_go)
        assert b"this one was idle" in await here.raw(b"")
