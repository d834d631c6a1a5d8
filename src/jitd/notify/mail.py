"""Mail: a message as it goes over the wire, and the conversation with the server."""

import hashlib
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from jitd.core.model import Message
from jitd.notify import hello, secret
from jitd.notify.channel import DeliveryError
from jitd.notify.render import Rendered


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


class MailChannel:
    """Mail through one server."""

    name: Final = "mail"

    def __init__(self, config: Mail) -> None:
        self._config = config
        self.digest_from = config.digest_from

    def facts(self, data: Mapping[str, object]) -> Mapping[str, object]:
        """As they are: what mail programs would act on is taken out where templates are filled."""
        return data

    @asynccontextmanager
    async def converse(self) -> AsyncIterator["_Conversation"]:
        """Connect, encrypt and log in. Raises DeliveryError with the server's own words."""
        config = self._config
        client = aiosmtplib.SMTP(
            hostname=config.server,
            port=config.port,
            local_hostname=await hello.name(config),
            timeout=config.timeout_seconds,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            tls_context=_context(config) if config.security != "none" else None,
        )
        try:
            await client.connect()
            if config.security != "starttls":
                await hello.greet(client)  # with STARTTLS it was greeted already
            if config.user:
                password = secret.find("smtp", keyring=config.keyring, directory=config.secrets)
                await client.login(config.user, password)
        except JitError as error:
            client.close()
            raise DeliveryError(f"{error.message}. {error.hint}", permanent=False) from error
        except aiosmtplib.SMTPHeloError as error:
            # It is about this machine, and not about a message: whoever sets another name need not say so here.
            client.close()
            raise DeliveryError(
                f"{config.server}:{config.port} refuses the greeting of {client.local_hostname}: {_words(error)}"
                " ([mail] ehlo sets the name)",
                permanent=False,
            ) from error
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
            client.close()
            raise DeliveryError(f"{config.server}:{config.port}: {_words(error)}", permanent=False) from error
        try:
            yield _Conversation(config, client)
        finally:
            # Whether the server answers a goodbye does not matter any more.
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()


class _Conversation:
    """One connection to the mail server."""

    def __init__(self, config: Mail, client: aiosmtplib.SMTP) -> None:
        self._config = config
        self._client = client

    @property
    def is_open(self) -> bool:
        """Whether another mail can be handed over."""
        return self._client.is_connected

    async def send(self, first: Message, rendered: Rendered, *, together: bool) -> None:
        """Hand one mail over. Raises DeliveryError with the server's own words."""
        try:
            mail = compose(self._config, first, rendered, together=together)
        except (ValueError, MessageError) as error:
            raise DeliveryError(f"cannot write to {first.address}: {error}", permanent=True) from error
        try:
            await self._client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            raise DeliveryError(f"{refused.code} {refused.message}", permanent=refused.code >= 500) from error
        except (aiosmtplib.SMTPHeloError, aiosmtplib.SMTPSenderRefused) as error:
            # The same for every message, until somebody changes the configuration here or there.
            raise DeliveryError(_words(error), permanent=False) from error
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(f"{error.code} {error.message}", permanent=error.code >= 500) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError(_words(error), permanent=False) from error


def _context(config: Mail) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=config.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise DeliveryError(f"cannot use ca_file {config.ca_file}: {error}", permanent=False) from error


def _words(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__
