"""How this machine greets a mail server, and what a refused greeting is called."""

import asyncio
import socket

import aiosmtplib

from jitd.core.configuration import Mail
from jitd.core.text import is_host_name

#: Names that say nothing of the machine.
_NO_NAMES = ("localhost", "localdomain", "local")


async def name(mail: Mail) -> str:
    """The name to greet with: the configured one, else this machine's where it has a domain, else the sender's domain.

    Many servers refuse one without a domain.
    """
    if mail.ehlo:
        return mail.ehlo
    # Looking it up may ask a server for names.
    own = await asyncio.to_thread(socket.getfqdn)
    if is_host_name(own) and own.rpartition(".")[2] not in _NO_NAMES and not own.startswith("localhost."):
        return own
    return mail.sender.rpartition("@")[2] or own


async def greet(client: aiosmtplib.SMTP) -> None:
    """Say who is calling, as servers of today or of long ago want it. Raises SMTPHeloError with the server's words."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500:
            raise
        try:
            await client.helo()
        except aiosmtplib.SMTPHeloError:
            raise error from None  # which says what was wrong with the name
