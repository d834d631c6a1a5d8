"""The outbox, and being told, as people type it: against a mail server that takes mail or says no."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon, in_process_daemon
from support.wait import until

NO = "550 5.1.1 no such user here"


class Post:
    """A mail server that says to every recipient what the test wants."""

    said = NO
    taken = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A recipient."""
        if self.said == "250 OK":
            envelope.rcpt_tos.append(address)
        return self.said

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        """A mail."""
        self.taken += 1
        return "250 OK"


@pytest.fixture
def post() -> Iterator[Controller]:
    """The server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Post(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


@pytest.fixture
def daemon(post: Controller) -> Iterator[InProcessDaemon]:
    """A daemon that tells people by that server."""
    mail = Mail(
        server="127.0.0.1",
        port=post.port,
        security="none",
        sender="jitd@example.org",
        email_domain="example.org",
    )
    with in_process_daemon(mail=mail) as made:
        post.handler.said = "250 OK"
        made.furnish()
        # What was set up is told to administrators, too.
        until(lambda: post.handler.taken == 3, "that is delivered")
        until(lambda: made.get("/v1/outbox/list")[1]["messages"] == [], "that is recorded")
        post.handler.said = NO
        yield made


def test_what_waits_and_why(daemon: InProcessDaemon, post: Controller, jitctl: RunCommand) -> None:
    """Alone, outbox lists what waits in the server's words; messages are tried again, or dropped, or refused by number."""
    assert jitctl("outbox").out == "no message waits for delivery\n"
    assert daemon.post("/v1/request", network="office", reason="x", user="alice")[0] == 200
    until(lambda: NO in jitctl("outbox").out, "the server's words are kept")
    listed = jitctl("outbox")
    assert [line.split()[:4] for line in listed.out.splitlines()] == [
        ["ID", "TO", "ABOUT", "REQUEST"],
        ["4", "admin@example.org", "requested", "1"],
        ["5", "alice@example.org", "received", "1"],
    ]
    assert jitctl("outbox", "list").out == listed.out
    (first, _) = json.loads(jitctl("outbox", "--json").out)["messages"]
    assert (first["error"], first["next"], first["attempts"]) == (NO, None, 1)
    assert f"2 messages wait to be delivered: {NO} (jitctl outbox list)" in jitctl("status", "--json").out
    said = jitctl("outbox", "retry", "4", "7")
    assert (said.status, said.err.splitlines()[0]) == (
        10,
        "jitctl: cannot retry message 7: it is not waiting for delivery",
    )
    post.handler.said = "250 OK"
    assert jitctl("outbox", "retry", "4").out == "1 message is tried again; 2 wait\n"
    until(lambda: "requested" not in jitctl("outbox").out, "it is delivered")
    assert jitctl("outbox", "drop").status == 2
    assert jitctl("outbox", "drop", "--yes").out == "1 message is given up; nothing waits\n"
    assert jitctl("outbox", "drop", "1").status == 10


def test_a_template_that_cannot_be_used_keeps_jitd_from_starting(tmp_path: Path) -> None:
    """Checked before anybody can call: the error names the file and the line."""
    (tmp_path / "granted.txt").write_text("Subject: x\n{{ usr }}\n")
    mail = Mail(server="127.0.0.1", sender="jitd@example.org", templates=tmp_path)
    with (
        pytest.raises(JitError, match=r"granted\.txt, line 2: 'usr' is undefined"),
        in_process_daemon(mail=mail),
    ):
        pass


def test_a_test_and_a_switch(daemon: InProcessDaemon, post: Controller, jitctl: RunCommand) -> None:
    """A test is delivered, or fails with the server's own words and exit 1; each user has a switch."""
    to = ("notify", "test", "--to", "you@example.org")
    failed = jitctl(*to)
    assert (failed.status, failed.err) == (1, f"you@example.org: not delivered: {NO}\n")
    post.handler.said = "250 OK"
    daemon.advance(1)
    said = jitctl(*to)
    assert (said.status, said.out) == (0, "you@example.org: delivered\n")
    daemon.advance(1)
    assert json.loads(jitctl(*to, "--json").out)["state"] == "delivered"
    assert jitctl("notify", "test", "--to", "nobody").status == 2
    shown = jitctl("notify", "show", "--user", "alice").out
    assert shown == "alice gets mail at alice@example.org\n"
    off = jitctl("notify", "off", "--user", "alice").out
    assert off == "alice gets no mail (jitctl notify on turns it on)\n"
    assert daemon.post("/v1/request", network="office", reason="x", user="alice")[0] == 200
    until(lambda: "requested" in jitctl("events", "--json").out, "it has happened")
    assert jitctl("notify", "on", "--user", "alice").out == shown
