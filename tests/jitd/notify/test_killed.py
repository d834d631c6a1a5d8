"""kill -9 between what jitd accepts and what it delivers, again and again, with a real mail server behind it."""

import base64
import contextlib
import random
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from support.daemon import Daemon
from support.wait import until

pytestmark = pytest.mark.slow

KILLS = 12
PEOPLE = 8
UNTIL_MS = 1_000 * 3_600 * 24 * 30
WORDS = {"received": "Your request for office was received", "denied": "Your request for office was denied"}


class Post:
    """What has arrived, by any thread."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.then: Callable[[], object] | None = None  # what happens before the next mail is acknowledged

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A mail."""
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.then is not None:
            then, self.then = self.then, None
            then()
        return "250 OK"


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    """A mail server and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = Post()
    controller = Controller(found, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield found, port
    finally:
        controller.stop()


def test_what_was_accepted_is_told_whatever_is_killed(tmp_path: Path, post: tuple[Post, int]) -> None:
    """Each accepted request and denial is told to its user; what came twice has the same Message-ID, as SMTP cannot
    tell a server that took a mail from one that did not.
    """
    found, port = post
    daemon = _told_by(tmp_path, port)
    daemon.start()
    try:
        _furnish(daemon)
        accepted: dict[str, set[int]] = {"received": set(), "denied": set()}
        for _ in range(KILLS):
            _storm(daemon, accepted, seconds=random.uniform(0.05, 0.6))
            daemon.start()
        _wait_for_all(daemon, found)
    finally:
        daemon.stop()
    told = _told(found)
    assert len(accepted["denied"]) > KILLS
    # What was decided before it could be told is told as decided.
    told["received"] |= told["denied"]
    for template, numbers in accepted.items():
        assert numbers - told[template].keys() == set(), f"lost: {template}"
        for number, ids in told[template].items():
            assert len(set(ids)) == 1, (template, number, ids)


def test_killed_after_the_server_took_a_mail(tmp_path: Path, post: tuple[Post, int]) -> None:
    """Before jitd hears of it: that mail, and no other, comes once more, with the same Message-ID."""
    found, port = post
    daemon = _told_by(tmp_path, port)
    daemon.start()
    try:
        _furnish(daemon)
        found.then = daemon.kill
        # Whether this has an answer before jitd is gone does not matter: it was told of, so it was recorded.
        with contextlib.suppress(OSError, ValueError, IndexError):
            daemon.post("/v1/request", user="zoe0", network="office", reason="the first")
        until(lambda: found.mails and found.then is None, "the server has it")
        daemon.start()
        status, reply = daemon.post("/v1/request", user="zoe1", network="office", reason="another")
        assert status == 200, reply
        until(lambda: len(found.mails) == 3, "all have come")
        until(lambda: daemon.get("/v1/outbox/list")[1]["messages_waiting"] == 0, "the outbox is empty")
    finally:
        daemon.stop()
    ids = [str(mail["Message-ID"]) for mail in found.mails]
    assert [str(mail["To"]) for mail in found.mails] == [
        "zoe0@example.org",
        "zoe0@example.org",
        "zoe1@example.org",
    ]
    assert ids[0] == ids[1] != ids[2]


def _told_by(directory: Path, port: int) -> Daemon:
    """A jitd that tells people by the mail server on a port, each message by itself."""
    daemon = Daemon(directory)
    text = daemon.config.read_text()
    for key, value in (
        ('server = ""', 'server = "127.0.0.1"'),
        ("port = 587", f"port = {port}"),
        ('security = "starttls"', 'security = "none"'),
        ('sender = ""', 'sender = "jitd@example.org"'),
        ("digest_from = 10", "digest_from = 1000000"),
    ):
        assert key in text
        text = text.replace(key, value, 1)
    daemon.config.write_text(text)
    return daemon


def key(number: int) -> str:
    """Any 32 bytes are a public key."""
    return base64.b64encode(bytes([number + 1]) * 32).decode()


def _furnish(daemon: Daemon) -> None:
    now_ms = daemon.get("/v1/status")[1]["now"]
    for path, body in (
        ("/v1/interface/add", {"name": "wg0", "pools": ["10.9.0.0/24"], "endpoint": "vpn.example.org:51820"}),
        ("/v1/network/add", {"name": "office", "routes": ["10.0.0.0/8"]}),
        *(
            ("/v1/user/add", {"user": f"zoe{n}", "until": now_ms + UNTIL_MS, "email": f"zoe{n}@example.org"})
            for n in range(PEOPLE)
        ),
        *(
            ("/v1/device/add", {"user": f"zoe{n}", "name": "laptop", "public_key": key(n)})
            for n in range(PEOPLE)
        ),
    ):
        status, reply = daemon.post(path, **body)
        assert status == 200, reply


def _storm(daemon: Daemon, accepted: dict[str, set[int]], seconds: float) -> None:
    """Everybody asks and is denied as fast as it goes, until jitd is killed in the middle of it."""
    refused: set[str] = set()

    def ask(name: str) -> None:
        try:
            while True:
                status, reply = daemon.post("/v1/request", user=name, network="office", reason="a storm")
                if status == 200:
                    accepted["received"].add(reply["request"]["id"])
                else:
                    # The one before was accepted, and its denial was not.
                    refused.add(reply["code"])
                listed = daemon.get(f"/v1/list?user={name}&status=pending")[1]["requests"]
                for one in listed:
                    status, _ = daemon.post("/v1/deny", id=one["id"], comment="no")
                    if status == 200:
                        accepted["denied"].add(one["id"])
        except (OSError, ValueError, IndexError):
            return  # jitd is gone: whatever had no answer was not accepted

    threads = [threading.Thread(target=ask, args=[f"zoe{n}"]) for n in range(PEOPLE)]
    for thread in threads:
        thread.start()
    killer = threading.Timer(seconds, daemon.kill)
    killer.start()
    for thread in [*threads, killer]:
        thread.join(60)
        assert not thread.is_alive()
    assert refused <= {"conflict"}


def _wait_for_all(daemon: Daemon, found: Post) -> None:
    """Until everything that happened was told: messages are made in the order of events, and nothing waits."""
    for one in daemon.get("/v1/list?user=zoe0&status=pending")[1]["requests"]:
        assert daemon.post("/v1/deny", id=one["id"], comment="no")[0] == 200
    status, reply = daemon.post("/v1/request", user="zoe0", network="office", reason="the last one")
    assert status == 200, reply
    number = reply["request"]["id"]
    until(lambda: number in _told(found)["received"], "the last one is told", seconds=60, every=0.2)
    until(
        lambda: daemon.get("/v1/outbox/list")[1]["messages_waiting"] == 0, "the outbox is empty", seconds=60
    )


def _told(found: Post) -> dict[str, dict[int, list[str]]]:
    """Message-IDs by what was told of which request."""
    told: dict[str, dict[int, list[str]]] = {"received": defaultdict(list), "denied": defaultdict(list)}
    for mail in found.mails:
        subject = str(mail["Subject"])
        match = re.search(r"\(request (\d+)\)", subject)
        assert match, subject
        (template,) = (name for name, words in WORDS.items() if subject.startswith(words))
        told[template][int(match[1])].append(str(mail["Message-ID"]))
    return told
