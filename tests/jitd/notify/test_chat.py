"""Delivery to destinations, by apprise itself, to a real HTTP server: its JSON service stands for all of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jitd.config import parse
from jitd.core.configuration import Chat
from jitd.core.errors import JitError
from jitd.notify import secret
from jitd.notify.chat import ChatChannel
from jitd.notify.delivery import DeliveryWorker
from jitd.notify.render import Templates
from support.mail import Box


@dataclass
class Destination:
    """An HTTP server that notes what is posted, and answers what the test wants."""

    status: str = "200 OK"
    hang: bool = False
    posted: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)  # (path, body)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length:")[2].split()[0])
        body = json.loads(await reader.readexactly(length))
        if self.hang:
            await reader.read()
        self.posted.append((head.split()[1], body))
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(destination: Destination) -> AsyncIterator[int]:
    """The server on a port of its own."""
    server = await asyncio.start_server(destination.take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def worker(box: Box, chat: Chat, directory: Path) -> DeliveryWorker:
    """Delivers to the destinations."""
    channel = ChatChannel(chat, keyring="", secrets=directory)
    templates = Templates(directory / "none", jitctl_host="", review_url="")
    return DeliveryWorker(box, channel, templates, box.clock, box.watch_outbox())


async def test_a_message_as_it_arrives(tmp_path: Path) -> None:
    """Subject and text, with the secret in the address; what was typed is no markup, no mention and no link."""
    box, destination = Box(tmp_path), Destination()
    hostile = "<!channel> **now** [here](https://evil.example) @everyone `x` | <b>y</b>"
    box.put(recipient="ops", way="chat", template="requested", user="alice", reason=hostile)
    secret.put("chat-ops", "s3cr/t", keyring="", directory=tmp_path / "secrets")
    async with serving(destination) as port:
        chat = Chat(urls={"ops": f"json://127.0.0.1:{port}/{{secret}}/"})
        await worker(box, chat, tmp_path / "secrets").deliver()
    ((path, body),) = destination.posted
    assert path.rstrip("/") in ("/s3cr%2Ft", "/s3cr%252Ft")
    assert body["title"].startswith("alice asks for office")
    assert "ticket" not in body["message"]
    line = next(line for line in body["message"].splitlines() if "channel" in line)
    assert not set("<>*`@|") & set(line)
    assert "](" not in line
    assert "https[:]//evil[.]example" in line
    assert box.waiting() == []


async def test_a_destination_that_refuses(tmp_path: Path) -> None:
    """The service's own words are kept, without the secret, and it is tried again later."""
    box, destination = Box(tmp_path), Destination(status="403 Forbidden")
    box.put(recipient="ops", way="chat")
    secret.put("chat-ops", "verysecret", keyring="", directory=tmp_path / "secrets")
    async with serving(destination) as port:
        chat = Chat(urls={"ops": f"json://127.0.0.1:{port}/{{secret}}"})
        await worker(box, chat, tmp_path / "secrets").deliver()
    ((attempts, error, minutes),) = box.waiting()
    assert (attempts, minutes) == (1, 1)
    assert "403" in error
    assert "verysecret" not in error


async def test_a_destination_that_hangs(tmp_path: Path) -> None:
    """Its process is ended after the time that it has, and the message is kept."""
    box, destination = Box(tmp_path), Destination(hang=True)
    box.put(recipient="ops", way="chat")
    async with serving(destination) as port:
        chat = Chat(urls={"ops": f"json://127.0.0.1:{port}/?rto=60"}, timeout_seconds=3)
        await asyncio.wait_for(worker(box, chat, tmp_path).deliver(), 20)
    ((_, error, _),) = box.waiting()
    assert error == "no answer within 3 s"


async def test_what_cannot_be_delivered_says_why(tmp_path: Path) -> None:
    """A secret that was never stored, an address that nobody knows, a destination that is not named any more."""
    box = Box(tmp_path)
    for destination in ("ops", "odd", "gone"):
        box.put(recipient=destination, way="chat")
    chat = Chat(urls={"ops": "slack://{secret}", "odd": "nosuchservice://x"})
    await worker(box, chat, tmp_path / "secrets").deliver()
    errors = [error for _, error, _ in box.waiting()]
    assert "jitd secret set chat-ops" in errors[0]
    assert errors[1:] == [
        "apprise knows no such address",
        "gone is no longer in [chat] urls",
    ]


def test_a_message_is_for_its_own_channel(tmp_path: Path) -> None:
    """A worker of one channel leaves mail alone."""
    box = Box(tmp_path)
    box.put(recipient="carol")
    asyncio.run(worker(box, Chat(), tmp_path).deliver())
    assert box.waiting() == [(0, "", 0)]


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ({"urls": {"ops": "json://me:pw@host/"}}, "cannot use [chat] urls.ops: it contains a password"),
        ({"urls": {"Ops!": "json://host/"}}, "cannot use [chat] urls.Ops!: it is not a valid name"),
        ({"urls": {"ops": "host"}}, "cannot use [chat] urls.ops: it is not an address"),
        ({"urls": ["json://host/"]}, "cannot use [chat] urls = ['json://host/']"),
        ({"about": ["request"]}, "cannot use [chat] about request: there is no such key"),
    ],
)
def test_a_configuration_that_cannot_be_used(chat: Mapping[str, object], said: str) -> None:
    """It names the key, and keeps passwords out of a file that everybody reads."""
    with pytest.raises(JitError) as caught:
        parse({"chat": chat})
    assert said in caught.value.message


def test_a_secret_may_stand_in_an_address() -> None:
    """As a part of it, or as the whole."""
    found = parse({"chat": {"urls": {"a": "json://me:{secret}@host/", "b": "{secret}"}}})
    assert set(found.chat.urls) == {"a", "b"}
