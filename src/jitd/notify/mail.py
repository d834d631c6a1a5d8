"""Mail: a message as it goes over the wire, and one conversation with the server."""

import hashlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

import aiosmtplib

from jitd.config import Mail
from jitd.core.errors import JitError
from jitd.core.model import Message
from jitd.notify.render import Rendered


@dataclass(frozen=True, slots=True)
class DeliveryError(Exception):
    """A message was not taken. `permanent`: to send the same again is of no use."""

    said: str
    permanent: bool


def compose(config: Mail, message: Message, rendered: Rendered, *, together: bool = False) -> EmailMessage:
    """The mail for one recipient; `together`: it stands for many messages, of which this is the first.

    The same message has the same Message-ID whenever it is sent; all of a request are one thread (RFC 5322, 3.6.4), and
    nobody's holiday notice answers it (RFC 3834).
    """
    domain = config.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["From"] = Address("jitd", addr_spec=config.sender)
    mail["To"] = Address(addr_spec=message.address)
    mail["Subject"] = rendered.subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.created_ms / 1000, UTC))
    mail["Message-ID"] = f"<{_digest(f'{message.created_ms} {message.key}')}@{domain}>"
    if message.request_id is not None and not together:
        requested = message.data.get("requested")
        root = f"<{_digest(f'{message.request_id} {requested}')}.request@{domain}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(rendered.text)
    mail.add_alternative(rendered.html, subtype="html")
    return mail


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Conversation:
    """One connection to the mail server, for as many messages as there are. An asynchronous context manager."""

    def __init__(self, config: Mail, password: Callable[[], str]) -> None:
        self._config = config
        self._password = password
        self._client: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Self:
        """Connect, encrypt and log in. Raises DeliveryError with the server's own words."""
        config = self._config
        client = aiosmtplib.SMTP(
            hostname=config.server,
            port=config.port,
            timeout=config.timeout_seconds,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            tls_context=self._context() if config.security != "none" else None,
        )
        try:
            await client.connect()
            if config.user:
                await client.login(config.user, self._password())
        except JitError as error:
            client.close()
            raise DeliveryError(f"{error.message}. {error.hint}", permanent=False) from error
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
            client.close()
            raise DeliveryError(f"{config.server}:{config.port}: {_words(error)}", permanent=False) from error
        self._client = client
        return self

    async def __aexit__(self, *_: object) -> None:
        """Say goodbye; whether the server answers does not matter any more."""
        if self._client is not None:
            try:
                await self._client.quit()
            except (aiosmtplib.SMTPException, OSError):
                self._client.close()

    async def send(self, mail: EmailMessage) -> None:
        """Hand one mail over. Raises DeliveryError with the server's own words."""
        assert self._client is not None
        try:
            await self._client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            raise DeliveryError(f"{first.code} {first.message}", permanent=first.code >= 500) from error
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(f"{error.code} {error.message}", permanent=error.code >= 500) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError(_words(error), permanent=False) from error

    @property
    def is_open(self) -> bool:
        """Whether another mail can be handed over."""
        return self._client is not None and self._client.is_connected

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._config.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise DeliveryError(
                f"cannot use ca_file {self._config.ca_file}: {error}", permanent=False
            ) from error


def _words(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__


def addresses(messages: Sequence[Message]) -> str:
    """Whom these go to, for a log line."""
    return ", ".join(sorted({message.address for message in messages}))
