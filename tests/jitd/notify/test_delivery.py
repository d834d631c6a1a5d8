"""Delivery to a real SMTP server: with TLS and a password, greylisting, refusals, hanging, and breaking off."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from jitd.core import notices
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.notify import secret
from jitd.notify.delivery import DeliveryWorker
from jitd.notify.mail import MailChannel
from jitd.notify.render import Templates
from jitd.notify.workers import DeliveryWorkers
from jitd.store import outbox
from support.mail import MINUTE, Box, Post, certificate, config, serving, worker
from support.wait import until


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """An empty outbox."""
    return Box(tmp_path)


async def test_a_mail_as_it_arrives(box: Box, tmp_path: Path) -> None:
    """Sender, one recipient, plain text and HTML, a thread for the request, and nothing that is answered by robots."""
    post = Post()
    box.put(template="requested", user="alice", reason="ticket 42\r\nBcc: mallory@example.org")
    box.put(template="waiting", recipient="dave")
    async with serving(post) as port:
        await worker(box, config(tmp_path, port)).deliver()
    first, second = post.mails
    assert (first["From"], first["To"]) == ("jitd <jitd@gateway.example.org>", "carol@example.org")
    assert first["Bcc"] is None
    assert (first["Auto-Submitted"], first["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert first["Message-ID"].endswith("@gateway.example.org>")
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "alice" in text.get_content()
    assert "alice" in html.get_content()
    assert box.waiting() == []


async def test_what_arrives_to_the_letter(box: Box, tmp_path: Path) -> None:
    """Headers, text and the order of the parts, as they come out of the server."""
    post = Post()
    box.put(template="denied", recipient="alice")
    async with serving(post) as port:
        await worker(box, config(tmp_path, port, jitctl_host="ssh://gateway.example.org")).deliver()
    (mail,) = post.mails
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    text = mail.get_body(("plain",))
    assert text is not None
    headers = "".join(f"{name}: {mail[name]}\n" for name in mail.keys()[:8])
    assert f"{headers}\n{text.get_content()}".replace("\r\n", "\n") == ARRIVED


ARRIVED = """\
From: jitd <jitd@gateway.example.org>
To: alice@example.org
Subject: Your request for office was denied (request 1)
Date: Mon, 21 Sep 2026 14:13:20 +0000
Message-ID: <23fe91478366dfb5fdd0e84a@gateway.example.org>
In-Reply-To: <9597d9d53d9e565b87bee546.request@gateway.example.org>
References: <9597d9d53d9e565b87bee546.request@gateway.example.org>
Auto-Submitted: auto-generated

carol denied your request for access to office.

Reason:
  until the release is out

You wrote:
  ticket 42: read the logs

Request it again with a better reason:

    jitctl --host ssh://gateway.example.org request office --reason "…"

See the full history:

    jitctl --host ssh://gateway.example.org show 1
"""


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not see TLS that was there before it
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_and_a_password(box: Box, tmp_path: Path, security: str) -> None:
    """The certificate is verified and the password comes from its file; a wrong one of either sends nothing."""
    post, at_once = Post(), security == "tls"
    good, other = certificate(tmp_path, "localhost"), certificate(tmp_path, "elsewhere")
    mail = config(tmp_path, 0, security=security, user="jitd", ca_file=str(good))
    secret.put("smtp", "correct horse", keyring="", directory=mail.secrets)
    assert (mail.secrets / "smtp").stat().st_mode & 0o777 == 0o600
    box.put()
    async with serving(post, good, "correct horse", at_once=at_once) as port:
        await worker(box, replace(mail, port=port)).deliver()
    assert (len(post.mails), box.waiting()) == (1, [])
    box.clock.advance(1)
    box.put()
    async with serving(post, good, "another", at_once=at_once) as port:
        await worker(box, replace(mail, port=port)).deliver()
    async with serving(post, other, "correct horse", at_once=at_once) as port:
        box.clock.advance(MINUTE)
        await worker(box, replace(mail, port=port)).deliver()
    assert len(post.mails) == 1
    ((attempts, error, _),) = box.waiting()
    assert attempts == 2
    assert "certificate" in error.lower()


async def test_without_a_password(box: Box, tmp_path: Path) -> None:
    """What is missing is told, with how to store it, and the mail is kept."""
    box.put()
    async with serving(Post()) as port:
        mail = config(tmp_path, port, user="jitd", security="none")
        await worker(box, mail).deliver()
    ((_, error, minutes),) = box.waiting()
    assert "jitd secret set smtp" in error
    assert minutes == 1


async def test_greylisting_is_waited_for(box: Box, tmp_path: Path) -> None:
    """A refusal for now is tried again later, with growing pauses; the same message has the same Message-ID."""
    post = Post(said="451 come back later")
    box.put()
    async with serving(post) as port:
        one = worker(box, config(tmp_path, port))
        for minutes in (1, 2, 4):
            await one.deliver()
            ((_, error, wait),) = box.waiting()
            assert (error, wait) == ("451 come back later", minutes)
            await one.deliver()  # not due yet
            box.clock.advance(minutes * MINUTE)
        post.said = "250 OK"
        await one.deliver()
    assert (len(post.mails), box.waiting()) == (1, [])


async def test_a_refusal_for_good_is_kept_for_people(box: Box, tmp_path: Path) -> None:
    """A recipient whom the server does not know is not tried again by itself, and keeps nobody else waiting."""
    post = Post(to_recipient="550 no such user here")
    box.put()
    async with serving(post) as port:
        await worker(box, config(tmp_path, port)).deliver()
        assert box.waiting() == [(1, "550 no such user here", None)]
        post.to_recipient = ""
        box.put(recipient="dave")
        await worker(box, config(tmp_path, port)).deliver()
    assert [mail["To"] for mail in post.mails] == ["dave@example.org"]


@pytest.mark.parametrize("how", ["hang", "breaks"])
async def test_a_server_that_hangs_or_breaks_off(box: Box, tmp_path: Path, how: str) -> None:
    """In the middle of DATA: nothing is lost, and it is tried again."""
    post = Post(hang=how == "hang", breaks=how == "breaks")
    box.put()
    async with serving(post) as port:
        await asyncio.wait_for(worker(box, config(tmp_path, port, timeout_seconds=1)).deliver(), 20)
        assert [(attempts, wait) for attempts, _, wait in box.waiting()] == [(1, 1)]
        setattr(post, how, False)
        post.mails.clear()
        box.clock.advance(MINUTE)
        await worker(box, config(tmp_path, port)).deliver()
    assert (len(post.mails), box.waiting()) == (1, [])


async def test_a_message_that_cannot_be_written_holds_up_nobody(box: Box, tmp_path: Path) -> None:
    """An address that is none is kept for people, with why; everything behind it is delivered."""
    post = Post()
    box.put(recipient="a..b")
    box.put(recipient="dave")
    async with serving(post) as port:
        await worker(box, config(tmp_path, port)).deliver()
    assert [mail["To"] for mail in post.mails] == ["dave@example.org"]
    ((attempts, error, wait),) = box.waiting()
    assert (attempts, wait) == (1, None)
    assert error.startswith("cannot write to a..b@example.org: ")


async def test_what_cannot_be_recorded_does_not_go_out_again(box: Box, tmp_path: Path) -> None:
    """While the store cannot be written, a mail that was delivered is not sent once more, nor is any other sent."""
    post = Post()
    box.put(2)
    async with serving(post) as port:
        one = worker(box, config(tmp_path, port))
        box.is_stuck = True
        for _ in range(3):
            with pytest.raises(JitError, match="the disk is full"):
                await one.deliver()
        assert len(post.mails) == 1
        box.is_stuck = False
        await one.deliver()
    assert (len(post.mails), box.waiting()) == (2, [])
    assert len({mail["Message-ID"] for mail in post.mails}) == 2


async def test_the_worker_goes_on_after_a_failure(box: Box, tmp_path: Path) -> None:
    """A round that failed, whatever by, is tried again as soon as something happens."""
    post = Post()
    box.put()
    async with serving(post) as port:
        mail = config(tmp_path, port)
        templates = Templates(mail.templates, jitctl_host="", review_url="")
        working = asyncio.create_task(
            DeliveryWorker(box, MailChannel(mail), templates, box.clock, box.changed).run()
        )
        box.is_stuck = True
        await asyncio.to_thread(until, lambda: len(post.mails) == 1, "the first arrives")
        box.is_stuck = False
        box.put(recipient="dave")
        box.changed.set()
        await asyncio.to_thread(until, lambda: len(post.mails) == 2, "the second arrives")
        working.cancel()


async def test_a_warning_that_comes_too_late(box: Box, tmp_path: Path) -> None:
    """Access that has ended while the server was away is not said to be about to; that it has ended is told."""
    post, now_ms = Post(), box.clock.now_ms()
    box.put(template="ending", recipient="alice", ends=now_ms + 2 * MINUTE, at=now_ms)
    box.put(template="ending", recipient="bob", ends=now_ms + 9 * MINUTE, at=now_ms)
    box.put(template="ended", recipient="alice")
    box.clock.advance(2 * MINUTE)
    async with serving(post) as port:
        await worker(box, config(tmp_path, port)).deliver()
    assert sorted((mail["To"], mail["Subject"].partition(" ends ")[1]) for mail in post.mails) == [
        ("alice@example.org", ""),
        ("bob@example.org", " ends "),
    ]
    assert box.waiting() == []


async def test_a_refused_greeting_is_no_fault_of_a_message(box: Box, tmp_path: Path) -> None:
    """The server does not like this machine's name: everything is kept and tried again, and goes out when it does."""
    post = Post(refused_name="gateway.example.org")
    box.put(2)
    async with serving(post) as port:
        one = worker(box, config(tmp_path, port))
        await one.deliver()
        (first, second) = box.waiting()
        assert first == second
        assert (first[0], first[2]) == (1, 1)
        assert first[1] == (
            f"localhost:{port} refuses the greeting of gateway.example.org: 504 need another name ([mail] ehlo sets"
            " the name)"
        )
        one = worker(box, config(tmp_path, port, ehlo="vpn.example.org"))
        box.clock.advance(MINUTE)
        await one.deliver()
    assert (len(post.mails), box.waiting()) == (2, [])
    assert post.names[-1] == "vpn.example.org"


async def test_a_machine_without_a_domain_greets_with_the_senders(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`localhost` and names without a dot are refused by many servers."""
    for own, name in (
        ("localhost", "gateway.example.org"),
        ("localhost.localdomain", "gateway.example.org"),
        ("gateway", "gateway.example.org"),
        ("vpn.example.com", "vpn.example.com"),
    ):
        monkeypatch.setattr("socket.getfqdn", lambda own=own: own)
        post = Post()
        box.put()
        box.clock.advance(1000)
        async with serving(post) as port:
            await worker(box, config(tmp_path, port)).deliver()
        assert post.names == [name]


async def test_a_sender_that_is_refused_is_tried_again(box: Box, tmp_path: Path) -> None:
    """What the server says against jitd's own address is said of every message, until somebody mends it."""
    post = Post(refused_sender="550 unknown sender")
    box.put()
    async with serving(post) as port:
        one = worker(box, config(tmp_path, port))
        await one.deliver()
        assert box.waiting() == [(1, "550 unknown sender", 1)]
        post.refused_sender = ""
        box.clock.advance(MINUTE)
        await one.deliver()
    assert (len(post.mails), box.waiting()) == (1, [])


async def test_nobody_listens(box: Box, tmp_path: Path) -> None:
    """A server that is not there: everything is kept, with the reason."""
    async with serving(Post()) as port:
        pass
    box.put(3)
    await worker(box, config(tmp_path, port)).deliver()
    assert [attempts for attempts, _, _ in box.waiting()] == [1, 1, 1]


@pytest.mark.parametrize("emergency", sorted(notices.EMERGENCIES))
async def test_a_flood_comes_together(box: Box, tmp_path: Path, emergency: str) -> None:
    """2,000 requests in a minute are one mail, and what comes after ten mails waits a minute; an emergency stands alone."""
    post = Post()
    box.put(2000)
    box.put(1, template=emergency)
    async with serving(post) as port:
        one = worker(box, config(tmp_path, port))
        await one.deliver()
        assert len(post.mails) == 2
        text = post.mails[1].get_body(("plain",))
        assert text is not None
        assert "2000" in text.get_content() or "2,000" in text.get_content()
        for _ in range(12):
            box.clock.advance(1000)
            box.put()
            await one.deliver()
        assert len(post.mails) == 11
        assert len(box.waiting()) == 3
        box.clock.advance(2 * MINUTE)
        await one.deliver()
        assert (len(post.mails), box.waiting()) == (12, [])
        # One alone is told as it is, though not before its minute.
        box.put()
        await one.deliver()
        assert len(box.waiting()) == 1
        box.clock.advance(MINUTE)
        await one.deliver()
    assert (len(post.mails), box.waiting()) == (13, [])
    assert "asks for office" in str(post.mails[-1]["Subject"])


async def test_templates_are_read_again(box: Box, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While it runs: what can be used is used from then on, what cannot changes nothing and stands in the log."""
    post, mine = Post(), tmp_path / "templates" / "denied.txt"
    mine.parent.mkdir()
    async with serving(post) as port:
        delivery_workers = DeliveryWorkers(box, Config(mail=config(tmp_path, port)), box.clock)
        (work,) = delivery_workers.works()
        working = asyncio.create_task(work)
        for number, text in enumerate(("Subject: one\n", "Subject: {{ two }}\n", "Subject: three\n"), 1):
            mine.write_text(text)
            delivery_workers.reread()
            box.clock.advance(1)
            box.put(template="denied")
            box.changed.set()
            await asyncio.to_thread(until, lambda number=number: len(post.mails) == number, f"mail {number}")  # type: ignore[misc]  # a loop's value, which a default binds
        working.cancel()
    assert [mail["Subject"] for mail in post.mails] == ["one", "one", "three"]
    assert "denied.txt, line 1: 'two' is undefined" in caplog.text


async def test_a_test_mail(box: Box, tmp_path: Path) -> None:
    """It arrives by itself also in a flood; where it does not, the server's own words are kept, and it is not tried again."""
    post = Post()
    box.put(template="test")
    box.put(50)
    async with serving(post) as port:
        await worker(box, config(tmp_path, port)).deliver()
        assert post.mails[0]["Subject"] == "Test message from jitd"
        post.to_recipient = "450 never heard of"
        box.clock.advance(1)
        box.put(template="test", recipient="dave")
        await worker(box, config(tmp_path, port)).deliver()
    assert box.waiting() == []
    fate = outbox.fate(box.store.rows, 52)
    assert fate is not None
    assert (fate.sent_ms, fate.error) == (None, "450 never heard of")
    assert fate.dropped_ms == box.clock.now_ms()


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_password_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A file for everybody is no place for a password; systemd's credentials come first."""
    file = tmp_path / "smtp"
    file.write_text("secret\n")
    file.chmod(mode)
    with pytest.raises(JitError, match="other users may read or change it"):
        secret.find("smtp", keyring="", directory=tmp_path)


class Ring(KeyringBackend):
    """A keyring as a machine may have it; its library finds it by its name."""

    priority = 1.0
    kept: ClassVar[dict[tuple[str, str], str]] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """What was kept."""
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        if password == "locked":
            raise KeyringError("the keyring is locked")
        self.kept[service, username] = password


def test_where_a_password_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring that is named before systemd's credentials, and those before the file; it is stored in the first."""
    ring = f"{Ring.__module__}.Ring"
    monkeypatch.setattr(Ring, "kept", {})
    secret.put("smtp", "from the file", keyring="", directory=tmp_path / "secrets")
    assert secret.find("smtp", keyring="", directory=tmp_path / "secrets") == "from the file"
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "smtp").write_text("from systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert secret.find("smtp", keyring="", directory=tmp_path / "secrets") == "from systemd"
    assert secret.find("smtp", keyring=ring, directory=tmp_path / "secrets") == "from systemd"
    assert (
        secret.put("smtp", "from the ring", keyring=ring, directory=tmp_path / "more")
        == f"the keyring {ring}"
    )
    assert secret.find("smtp", keyring=ring, directory=tmp_path / "secrets") == "from the ring"
    assert not (tmp_path / "more").exists()
    with pytest.raises(JitError, match="keyring"):
        secret.find("smtp", keyring="nosuch.Keyring", directory=tmp_path)
    with pytest.raises(JitError, match="empty"):
        secret.put("smtp", "", keyring="", directory=tmp_path)


@pytest.mark.parametrize("ring", ["keyring.backends.fail.Keyring", "keyring.backends.SecretService.Keyring"])
def test_a_keyring_without_its_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: str) -> None:
    """Root's service has none: to store and to look for a password there says what to do instead."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    acts: list[Callable[[], str]] = [
        lambda: secret.put("smtp", "open sesame", keyring=ring, directory=tmp_path),
        lambda: secret.find("smtp", keyring=ring, directory=tmp_path),
    ]
    for act in acts:
        with pytest.raises(JitError, match="cannot use the keyring") as caught:
            act()
        assert 'set keyring = "" in [mail]' in caught.value.hint
        assert "open sesame" not in caught.value.message
    assert not list(tmp_path.iterdir())
    with pytest.raises(JitError, match="the keyring is locked"):
        secret.put("smtp", "locked", keyring=f"{Ring.__module__}.Ring", directory=tmp_path)
