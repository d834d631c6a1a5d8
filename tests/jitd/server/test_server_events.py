"""The stream of events."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from support.server import World, parse, until, world


def get(query: str = "", version: str = "1.1") -> bytes:
    return f"GET /v1/events{query} HTTP/{version}\r\nHost: x\r\n\r\n".encode()


async def lines_until(reader: asyncio.StreamReader, last: int) -> list[int]:
    """SEQs of the lines up to `last`, of a stream over HTTP/1.0 (no chunks)."""
    await reader.readuntil(b"\r\n\r\n")
    seqs: list[int] = []
    while not seqs or seqs[-1] != last:
        line = await asyncio.wait_for(reader.readline(), 10)
        assert line, seqs[-3:]
        if line != b"\n":
            seqs.append(json.loads(line)["seq"])
    return seqs


async def test_without_follow_the_stream_gives_what_is_there_and_ends(socket_path: Path) -> None:
    """All events after `after`, over several pages, one per line; then the stream ends."""
    async with world(socket_path) as here:
        for _ in range(23):
            here.service.happen()
        answer = parse(await here.raw(get("?after=3", "1.0")))
        assert [json.loads(line)["seq"] for line in answer.text.splitlines()] == list(range(4, 24))
        assert "application/jsonl" in answer.head
        chunked = parse(await asyncio.wait_for(chunks(here), 5))
        assert "Transfer-Encoding: chunked" in chunked.head
        assert chunked.text.endswith("0\r\n\r\n")


async def chunks(here: World) -> bytes:
    reader, writer = await here.open()
    writer.write(get())
    data = await reader.readuntil(b"\r\n0\r\n\r\n")
    writer.close()
    return data


async def test_followers_miss_nothing_while_others_write(socket_path: Path) -> None:
    """Four followers that start at different moments of a stream of writes each get every event once, in
    order.
    """
    async with world(socket_path) as here:
        total = 2000

        async def write() -> None:
            for at in range(total):
                here.service.happen(at=at)
                if at % 13 == 0:
                    await asyncio.sleep(0)

        async def follow(start: int) -> list[int]:
            await until(lambda: len(here.service.events) >= start)
            reader, writer = await here.open()
            writer.write(get("?follow=true", "1.0"))
            seqs = await lines_until(reader, total)
            writer.close()
            return seqs

        followers = [asyncio.ensure_future(follow(start)) for start in (0, 1, 700, 2000)]
        await write()
        for seqs in await asyncio.gather(*followers):
            assert seqs == list(range(1, total + 1))


async def test_events_that_a_filter_leaves_out_do_not_keep_the_follower_busy(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower whose filter matches nothing waits; it does not ask again and again."""
    async with world(socket_path) as here:
        for _ in range(5):
            here.service.happen("requested")
        asked = 0
        query = here.service.query

        async def counted(*args: Any) -> object:
            nonlocal asked
            asked += 1
            return await query(*args)

        monkeypatch.setattr(here.service, "query", counted)
        reader, writer = await here.open()
        writer.write(get("?follow=true&kind=granted", "1.0"))
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.wait({asyncio.ensure_future(reader.read(1))}, timeout=0.2)
        assert asked <= 2
        here.service.happen("granted")
        await until(lambda: asked >= 3)
        writer.close()


async def test_a_quiet_stream_gives_signs_of_life(socket_path: Path) -> None:
    """While nothing happens, an empty line comes at every heartbeat."""
    async with world(socket_path, heartbeat=0.1) as here:
        reader, writer = await here.open()
        began = time.monotonic()
        writer.write(get("?follow=true", "1.0"))
        await reader.readuntil(b"\r\n\r\n")
        assert [await reader.readline() for _ in range(3)] == [b"\n"] * 3
        assert 0.25 < time.monotonic() - began < 3
        writer.close()


async def test_streams_end_in_order_when_the_daemon_stops(socket_path: Path) -> None:
    """At stop a follower gets what had happened, and then HTTP's own end mark."""
    async with world(socket_path) as here:
        reader, writer = await here.open()
        writer.write(get("?follow=true"))
        await reader.readuntil(b"\r\n\r\n")
        here.service.happen()
        await reader.readuntil(b'"seq":1')
        began = time.monotonic()
        await here.server.stop()
        rest = await asyncio.wait_for(reader.read(), 5)
        assert rest.endswith(b"0\r\n\r\n")
        assert time.monotonic() - began < 2
        writer.close()


async def test_a_user_has_a_limited_number_of_streams_and_gets_them_back(socket_path: Path) -> None:
    """The stream over the limit is refused with `limit`; one that its reader closed frees its place at once."""
    async with world(socket_path, watchers_per_user=2) as here:
        writers = []
        for _ in range(2):
            reader, writer = await here.open()
            writer.write(get("?follow=true"))
            await reader.readuntil(b"\r\n\r\n")
            writers.append(writer)
        refused = await here.ask("GET", "/v1/events?follow=true")
        assert (refused.status, refused.code) == (429, "limit")
        writers[0].close()
        await until(lambda: here.server._watchers.open == 1)
        reader, writer = await here.open()
        writer.write(get("?follow=true"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for one in [*writers, writer]:
            one.close()


async def test_a_follower_that_closed_its_side_gets_what_is_there(socket_path: Path) -> None:
    """A half-closed client cannot be told from one that is gone: its stream ends when it has caught up."""
    async with world(socket_path) as here:
        here.service.happen()
        text = (await here.raw(get("?follow=true", "1.0"), half_close=True)).decode()
        assert text.endswith('{"seq":1,"kind":"requested"}\n')
        await until(lambda: here.server._watchers.open == 0)


async def test_a_watcher_that_does_not_read_is_dropped(socket_path: Path) -> None:
    """A follower that leaves its connection full loses it, and others go on."""
    async with world(socket_path, slowest=0.3) as here:
        _, stuck = await asyncio.open_unix_connection(str(here.path), limit=1)
        stuck.write(get("?follow=true"))
        await until(lambda: here.server._watchers.open == 1)
        for _ in range(300):
            here.service.happen(text="x" * 10_000)
        await until(lambda: here.server._watchers.open == 0)
        assert (await here.ask("GET", "/v1/whoami")).status == 200
        stuck.close()


async def test_a_dropped_watcher_is_told(socket_path: Path) -> None:
    """A follower that reads on a little later gets what was sent, why it was dropped as the last line, and the end
    mark; behind its last SEQ it misses nothing.
    """
    async with world(socket_path, slowest=0.3) as here:
        reader, writer = await asyncio.open_unix_connection(str(here.path), limit=1)
        writer.write(get("?follow=true"))
        await until(lambda: here.server._watchers.open == 1)
        for _ in range(300):
            here.service.happen(text="x" * 10_000)
        await until(lambda: here.server._watchers.open == 0)
        answer = parse(await asyncio.wait_for(reader.read(), 10))
        writer.close()
        assert answer.text.endswith("\r\n0\r\n\r\n")
        *seqs, last = [json.loads(line) for line in answer.text.splitlines() if line.startswith("{")]
        assert [event["seq"] for event in seqs] == list(range(1, len(seqs) + 1))
        assert last["error"]["code"] == "limit"
        assert "the client has not read them for 0.3 seconds" in last["error"]["message"]
        rest = parse(await here.raw(get(f"?after={len(seqs)}", "1.0")))
        assert [json.loads(line)["seq"] for line in rest.text.splitlines()] == list(range(len(seqs) + 1, 301))


async def test_a_mistake_in_the_middle_of_a_stream_is_told(socket_path: Path) -> None:
    """What nobody foresaw is a last line too, with where to find it and no more."""
    async with world(socket_path) as here:
        reader, writer = await here.open()
        writer.write(get("?follow=true", "1.0"))
        await reader.readuntil(b"\r\n\r\n")
        here.service.events.append({})  # an event without a SEQ
        here.service.feed.publish(1)
        said = json.loads((await asyncio.wait_for(reader.read(), 10)).splitlines()[-1])
        assert said["error"]["code"] == "internal"
        writer.close()


async def test_a_bad_question_is_an_error_and_no_stream(socket_path: Path) -> None:
    """What is wrong with the query comes as an ordinary error reply."""
    async with world(socket_path) as here:
        answer = await here.ask("GET", "/v1/events?folow=true")
        assert (answer.status, answer.json["hint"]) == (400, "Did you mean follow?")
