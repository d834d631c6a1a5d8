"""A real SMTP server that says what a test wants, and the outbox and worker whose mails it gets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from jitd.notify import samples
from jitd.notify.delivery import DeliveryWorker
from jitd.notify.mail import MailChannel
from jitd.notify.render import Templates
from jitd.store import outbox
from jitd.store.database import FILE_NAME, Rows, Store
from support.clock import TestClock

T = TypeVar("T")
MINUTE = 60_000


@dataclass
class Post:
    """A mail server that notes what arrives, and says to DATA and RCPT what the test wants."""

    said: str = "250 OK"
    to_recipient: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    hang: bool = False
    breaks: bool = False
    refused_sender: str = ""  # what is said to every sender
    refused_name: str = ""  # a name that no greeting may have
    names: list[str] = field(default_factory=list)  # of those who greeted

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, name: str, offers: list[str]
    ) -> list[str]:
        """A greeting."""
        self.names.append(name)
        if name == self.refused_name:
            return ["504 need another name"]
        session.host_name = name
        return offers

    async def handle_HELO(self, _server: SMTP, session: Session, _envelope: Envelope, name: str) -> str:  # noqa: N802
        """A greeting of long ago."""
        if name == self.refused_name:
            return "504 need another name"
        session.host_name = name
        return "250 localhost"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A recipient."""
        if self.to_recipient:
            return self.to_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A sender."""
        if self.refused_sender:
            return self.refused_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A mail."""
        if self.hang:
            await asyncio.Event().wait()
        if self.breaks:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        assert isinstance(envelope.content, bytes)
        if self.said.startswith("250"):
            found = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.mails.append(found)
        return self.said


def certificate(directory: Path, name: str) -> Path:
    """A certificate for a name that signs itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@asynccontextmanager
async def serving(
    post: Post, tls: Path | None = None, password: str = "", *, at_once: bool = False
) -> AsyncIterator[int]:
    """The server on a port of its own; with a certificate it wants STARTTLS, or TLS `at_once`; with a password a login."""
    context = None
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls)

    def log_in(_server: object, _session: object, _envelope: object, _how: str, data: object) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password.decode() == password
        return AuthResult(success=good, handled=False)  # the server itself says no

    def made() -> SMTP:
        return SMTP(
            post,
            tls_context=None if at_once else context,
            require_starttls=context is not None and not at_once,
            auth_required=bool(password),
            auth_require_tls=not at_once,
            authenticator=log_in,
            hostname="localhost",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, "localhost", 0, ssl=context if at_once else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Box:
    """An outbox in a store, as the service has it."""

    def __init__(self, directory: Path) -> None:
        self.store = Store(directory / FILE_NAME)
        self.clock = TestClock()
        self.is_stuck = False  # nothing can be written
        self.changed = asyncio.Event()

    def watch_outbox(self) -> asyncio.Event:
        """The test says when something may be there."""
        return self.changed

    async def outbox(self, read: Callable[[Rows], T]) -> T:
        """Read."""
        return read(self.store.rows)

    async def record_delivery(self, change: Callable[[Rows], None]) -> None:
        """Write."""
        if self.is_stuck:
            raise JitError("store", "cannot write the store: the disk is full")
        with self.store.transaction() as rows:
            change(rows)

    def put(
        self,
        number: int = 1,
        recipient: str = "carol",
        template: str = "requested",
        way: str = "mail",
        **facts: object,
    ) -> None:
        """Put messages in."""
        with self.store.transaction() as rows:
            for place in range(number):
                data = {**(samples.of(template)[0] if template != "test" else {}), "id": place + 1, **facts}
                outbox.add(
                    rows,
                    key=f"{self.clock.now_ms()}:{place}:{recipient}:{template}",
                    way=way,
                    recipient=recipient,
                    address=f"{recipient}@example.org" if way == "mail" else "",
                    template=template,
                    request_id=place + 1,
                    data=data,
                    now_ms=self.clock.now_ms(),
                )

    def waiting(self) -> list[tuple[int, str, int | None]]:
        """(attempts, error, minutes until the next attempt) of what waits."""
        now = self.clock.now_ms()
        return [
            (one.attempts, one.error, None if one.next_ms is None else (one.next_ms - now) // MINUTE)
            for one in outbox.waiting(self.store.rows, 1000)
        ]


def config(tmp_path: Path, port: int, **more: object) -> Mail:
    """A configuration for the server of the test."""
    plain = Mail(
        server="localhost",
        port=port,
        security="none",
        sender="jitd@gateway.example.org",
        email_domain="example.org",
        secrets=tmp_path / "secrets",
        templates=tmp_path / "templates",
        timeout_seconds=2,
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # settings by name


def worker(box: Box, mail: Mail) -> DeliveryWorker:
    """A delivery worker that sends mail."""
    templates = Templates(mail.templates, jitctl_host=mail.jitctl_host, review_url=mail.review_url)
    return DeliveryWorker(box, MailChannel(mail), templates, box.clock, box.watch_outbox())
