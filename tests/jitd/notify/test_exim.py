"""Delivery to a mail server of Debian's: Exim, with TLS and a password, as it stands on a machine next door."""

import mailbox
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest

from jitd.core.configuration import Mail
from jitd.notify import secret
from jitd.store import outbox
from support.mail import MINUTE, Box, certificate, config, worker
from support.wait import until

pytestmark = pytest.mark.root

ACCOUNT = "Debian-exim"
CONFIGURATION = """\
primary_hostname = localhost
local_interfaces = <; [127.0.0.1]:{port}
spool_directory = {directory}/spool
log_file_path = {directory}/log/%s
pid_file_path = {directory}/spool/exim.pid
tls_advertise_hosts = *
tls_certificate = {directory}/localhost.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny condition = ${{if eq{{$local_part}}{{nobody}}}}
       message = no such user here
  defer condition = ${{if exists{{{directory}/greylist}}}}
       message = greylisted, come back later
  accept authenticated = *
  deny message = relay not permitted
data:
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {directory}/mail/all
  user = {account}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{jitd}}}}{{eq{{$auth3}}{{correct horse}}}}}}}}
  server_set_id = $auth2
"""


class Exim:
    """A running Exim, and what it has put into mailboxes."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port

    def mails(self) -> list[EmailMessage]:
        """What has arrived, oldest first."""
        parser = BytesParser(policy=default)
        found = mailbox.mbox(self.directory / "mail" / "all", factory=parser.parse, create=False)  # type: ignore[arg-type]  # typeshed wants a message of mailbox's own
        return [mail for mail in found if isinstance(mail, EmailMessage)]

    def got(self, number: int) -> list[EmailMessage]:
        """What has arrived, when it is so many."""
        box = self.directory / "mail" / "all"
        until(lambda: box.exists() and len(self.mails()) >= number, f"{number} mails arrive")
        return self.mails()


@pytest.fixture
def exim(tmp_path: Path) -> Iterator[Exim]:
    """Exim on a port of its own; everything that it keeps is in a directory that ends with the test."""
    program = shutil.which("exim4", path="/usr/sbin:/usr/bin")
    assert program, "exim4 is not installed: make packages"
    account = pwd.getpwnam(ACCOUNT)
    directory = Path(subprocess.check_output(["mktemp", "-d", "/tmp/jitctl-exim-XXXXXX"], text=True).strip())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        directory.chmod(0o755)
        for name in ("spool", "log", "mail"):
            (directory / name).mkdir()
            os.chown(directory / name, account.pw_uid, account.pw_gid)
        pem = certificate(directory, "localhost")
        os.chown(pem, account.pw_uid, account.pw_gid)
        file = directory / "exim.conf"
        file.write_text(CONFIGURATION.format(directory=directory, port=port, account=ACCOUNT))
        server = subprocess.Popen([program, "-C", str(file), "-bdf"], stderr=subprocess.PIPE, text=True)

        def listens() -> bool:
            assert server.poll() is None, server.stderr and server.stderr.read()
            with socket.socket() as line:
                return line.connect_ex(("127.0.0.1", port)) == 0

        try:
            until(listens, "exim listens")
            yield Exim(directory, port)
        finally:
            server.terminate()
            server.wait(20)
            assert server.stderr is not None
            server.stderr.close()
    finally:
        shutil.rmtree(directory)


def settings(exim: Exim, tmp_path: Path) -> Mail:
    """As jitd.toml would have it, with the password where `jitd secret set smtp` puts it."""
    mail = config(tmp_path, exim.port, security="starttls", user="jitd", timeout_seconds=10)
    secret.put("smtp", "correct horse", keyring="", directory=mail.secrets)
    return replace(mail, ca_file=str(exim.directory / "localhost.pem"))


async def test_debians_mail_server_takes_a_mail(exim: Exim, tmp_path: Path) -> None:
    """STARTTLS with a verified certificate, a login, and a mail that arrives in one piece, with both of its bodies."""
    box = Box(tmp_path)
    box.put(template="requested", user="alice", reason="ticket 42: grün — \u4f60\u597d")
    await worker(box, settings(exim, tmp_path)).deliver()
    assert box.waiting() == []
    (mail,) = exim.got(1)
    assert (mail["From"], mail["To"]) == ("jitd <jitd@gateway.example.org>", "carol@example.org")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "ticket 42: grün — \u4f60\u597d" in text.get_content()
    assert "alice asks for office" in str(mail["Subject"])
    assert "<html" in html.get_content()


async def test_debians_mail_server_puts_off_and_refuses(exim: Exim, tmp_path: Path) -> None:
    """Its own words are kept: greylisting is tried again and arrives once, a recipient that it does not know is not."""
    box, mail = Box(tmp_path), settings(exim, tmp_path)
    (exim.directory / "greylist").touch()
    box.put()
    await worker(box, mail).deliver()
    assert box.waiting() == [(1, "451 greylisted, come back later", 1)]
    (exim.directory / "greylist").unlink()
    box.clock.advance(MINUTE)
    box.put(recipient="nobody")
    await worker(box, mail).deliver()
    assert box.waiting() == [(1, "550 no such user here", None)]
    assert len(exim.got(1)) == 1


async def test_debians_mail_server_wants_the_right_password(exim: Exim, tmp_path: Path) -> None:
    """A wrong one is told in the server's words and sends nothing; so does a certificate that is not trusted."""
    box, mail = Box(tmp_path), settings(exim, tmp_path)
    box.put(template="test")
    secret.put("smtp", "wrong", keyring="", directory=mail.secrets)
    await worker(box, mail).deliver()
    box.put(template="test", recipient="dave")
    await worker(box, replace(mail, ca_file="")).deliver()
    first, second = (outbox.fate(box.store.rows, number) for number in (1, 2))
    assert first is not None
    assert second is not None
    assert first.error.endswith("535 Incorrect authentication data")
    assert "certificate verify failed" in second.error.lower()
    assert not (exim.directory / "mail" / "all").exists()
