"""The mail server, step by step and without sending anything: reached, encrypted, believed, logged in."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import aiosmtplib

from jitd import wire
from jitd.core import parsing
from jitd.core.commandline import command
from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken, ok, unknown, warning
from jitd.notify import hello, secret
from jitd.store import outbox

#: How long all of it may take, in seconds.
SECONDS: Final = 10.0
_SOON: Final = 14 * 86_400  # seconds before the end of a certificate that are worth a warning
_DAY: Final = 86_400


def examine(mail: Mail, seconds: float = SECONDS) -> list[wire.Check]:
    """Talk to the server as jitd would, up to the mail itself. Blocks for `seconds` at most."""
    if not mail.server:
        return [ok("no mail is sent: [mail] server is empty")]
    found: list[wire.Check] = []
    try:
        asyncio.run(_within(mail, found, min(seconds, mail.timeout_seconds)))
    except TimeoutError:
        # What was found already is told, and is true.
        silent = "stopped answering" if found else "did not answer"
        found.append(
            broken(
                f"{_place(mail)} {silent} within {min(seconds, mail.timeout_seconds):g} s",
                f"check that no firewall blocks jitd: nc -zv {mail.server} {mail.port}",
            )
        )
    return found


async def _within(mail: Mail, found: list[wire.Check], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await _talk(mail, found)


async def _talk(mail: Mail, found: list[wire.Check]) -> None:
    client = aiosmtplib.SMTP(
        hostname=mail.server,
        port=mail.port,
        local_hostname=await hello.name(mail),
        timeout=mail.timeout_seconds,
        use_tls=False,
        start_tls=False,
    )
    try:
        context = _context(mail, found)
        if context is None and mail.security != "none":
            return
        if not await _reached(mail, client, context, found):
            return
        if mail.security == "none":
            peer = client.transport.get_extra_info("peername") if client.transport else None
            found.append(unencrypted(mail, str(peer[0]) if peer else ""))
        elif mail.security == "starttls" and not await _encrypted(mail, client, context, found):
            return
        if mail.security != "none":
            found += _certificate(mail, client)
        if mail.user:
            await _logged_in(mail, client, found)
    finally:
        client.close()


async def _reached(
    mail: Mail, client: aiosmtplib.SMTP, context: ssl.SSLContext | None, found: list[wire.Check]
) -> bool:
    try:
        if mail.security == "tls":
            await client.connect(use_tls=True, tls_context=context)
        else:
            await client.connect()
        await hello.greet(client)
    except aiosmtplib.SMTPHeloError as error:
        found.append(
            broken(
                f"{_place(mail)} answers, but refuses the greeting of {client.local_hostname}: "
                f"{_words(error)}",
                'set ehlo = "NAME.OF.THIS.MACHINE" under [mail] in jitd.toml, then restart jitd',
            )
        )
        return False
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        found.append(_unreached(mail, error))
        return False
    found.append(ok(f"{_place(mail)} answers"))
    return True


def _unreached(mail: Mail, error: BaseException) -> wire.Check:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _distrusted(mail, cause)
    if isinstance(cause, ssl.SSLError):
        return broken(
            f"{_place(mail)} does not speak TLS from the first byte: {_words(cause)}",
            'set security = "starttls" (port 587 as a rule) under [mail] in jitd.toml, then restart jitd',
        )
    if isinstance(cause, socket.gaierror):
        return broken(
            f"the name {mail.server} cannot be resolved: {cause.strerror}",
            f"getent ahosts {mail.server} # or correct [mail] server in jitd.toml",
        )
    if isinstance(cause, aiosmtplib.SMTPResponseException):
        return broken(
            f"{_place(mail)} answers, but accepts no mail from this machine: {_words(cause)}",
            "ask its administrator to allow this machine, or correct [mail] server in jitd.toml",
        )
    return broken(
        f"{_place(mail)} cannot be reached: {_words(cause)}",
        f"nc -zv {mail.server} {mail.port} # or correct [mail] server and port in jitd.toml",
    )


async def _encrypted(
    mail: Mail, client: aiosmtplib.SMTP, context: ssl.SSLContext | None, found: list[wire.Check]
) -> bool:
    if not client.supports_extension("starttls"):
        found.append(
            broken(
                f"{_place(mail)} does not offer STARTTLS",
                'set security = "tls" and port = 465 under [mail] in jitd.toml, where the server has that; then'
                " restart jitd",
            )
        )
        return False
    try:
        await client.starttls(tls_context=context)
        await client.ehlo()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        cause = _cause(error)
        found.append(
            _distrusted(mail, cause)
            if isinstance(cause, ssl.SSLCertVerificationError)
            else broken(f"STARTTLS with {_place(mail)} failed: {_words(cause)}")
        )
        return False
    return True


def _distrusted(mail: Mail, error: ssl.SSLCertVerificationError) -> wire.Check:
    said = error.verify_message or str(error)
    return broken(
        f"the certificate of {_place(mail)} is not trusted: {said}",
        f"openssl s_client -connect {mail.server}:{mail.port}"
        f"{' -starttls smtp' if mail.security == 'starttls' else ''} # then: [mail] server as the certificate"
        " names it, or ca_file of the authority that signed it",
    )


def _certificate(mail: Mail, client: aiosmtplib.SMTP) -> list[wire.Check]:
    transport = client.transport
    shown: Mapping[str, Any] = (transport.get_extra_info("peercert") if transport else None) or {}
    ends = shown.get("notAfter")
    left = ssl.cert_time_to_seconds(ends) - time.time() if isinstance(ends, str) else None
    if left is not None and left < _SOON:
        return [
            warning(f"the certificate of {_place(mail)} ends in {max(0, int(left // _DAY))} days: {ends}")
        ]
    return [
        ok(f"the connection is encrypted, and the certificate is trusted{f' until {ends}' if ends else ''}")
    ]


async def _logged_in(mail: Mail, client: aiosmtplib.SMTP, found: list[wire.Check]) -> None:
    try:
        password = secret.find("smtp", keyring=mail.keyring, directory=mail.secrets)
    except JitError as error:
        found.append(broken(error.message, error.hint))
        return
    try:
        await client.login(mail.user, password)
    except aiosmtplib.SMTPAuthenticationError as error:
        found.append(
            broken(
                f"{_place(mail)} refuses the password of {mail.user}: {error.code} {error.message}",
                "sudo jitd secret set smtp",
            )
        )
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        found.append(
            broken(
                f"{mail.user} cannot log in to {_place(mail)}: {_words(_cause(error))}",
                'set user = "" under [mail] in jitd.toml if the server wants no login, then restart jitd',
            )
        )
    else:
        found.append(ok(f"{mail.user} can log in; to send a test mail: " + command("notify test")))


def _context(mail: Mail, found: list[wire.Check]) -> ssl.SSLContext | None:
    if mail.security == "none":
        return None
    try:
        return ssl.create_default_context(cafile=mail.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        found.append(
            broken(f"[mail] ca_file {mail.ca_file} cannot be used: {error}", f"ls -l {mail.ca_file}")
        )
        return None


def unencrypted(mail: Mail, address: str) -> wire.Check:
    """What there is to say of mail in the clear, to a server that answered at this address."""
    try:
        is_here = parsing.address(address).is_loopback
    except ValueError:
        is_here = False
    if is_here:
        return ok("it is not encrypted, but does not leave this machine")
    return warning(
        f"mail goes to {_place(mail)} unencrypted: it can be read in transit",
        'set security = "starttls" under [mail] in jitd.toml, then restart jitd',
    )


def _cause(error: BaseException) -> BaseException:
    """What the library has wrapped."""
    while error.__cause__ is not None and not isinstance(error, ssl.SSLError | socket.gaierror):
        error = error.__cause__
    return error


def _words(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _place(mail: Mail) -> str:
    return f"{mail.server}:{mail.port}"


def _server(one: Examination) -> list[wire.Check]:
    return one.machine.bounded("mail", lambda: examine(one.view.config.mail), SECONDS)


def _rooms(one: Examination) -> Iterator[wire.Check]:
    if one.view.config.chat.urls:
        yield unknown(
            f"chat rooms ({', '.join(one.view.config.chat.urls)}) cannot be tested without a message"
        )


def _waiting(one: Examination) -> Iterator[wire.Check]:
    rows = one.view.rows
    waiting = outbox.counts(rows).waiting if one.view.config.notifies else 0
    why = (
        next((message.error for message in outbox.waiting(rows, 50) if message.error), "") if waiting else ""
    )
    if why:
        yield warning(f"{waiting} messages wait to be delivered: {why}")


CHECKS: Final = (
    Check("mail-server", "mail", "The mail server", "broken", _server),
    Check("rooms", "mail", "Chat destinations", "unknown", _rooms, fix=command("notify test", help=True)),
    Check("undelivered", "mail", "Undelivered messages", "warning", _waiting, fix=command("outbox list")),
)
