"""Delivers the outbox: one recipient after the other, together where there are many, again where it failed.

Belongs to the event loop, and has nothing to do with what cuts: a server that hangs makes nothing wait but mail.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from jitd.config import Mail
from jitd.core import notices
from jitd.core.clock import Clock
from jitd.core.errors import JitError
from jitd.core.model import Message
from jitd.notify import secret
from jitd.notify.mail import Conversation, DeliveryError, compose
from jitd.notify.render import Rendered, Templates
from jitd.store import outbox
from jitd.store.database import Rows

log = logging.getLogger("jitd.notify")

T = TypeVar("T")

#: Milliseconds in which mails to one recipient are counted, and between two mails to one who got many.
COUNTED_MS: Final = 600_000
TOGETHER_MS: Final = 60_000
#: How many messages are looked at in one round.
ROUND: Final = 100
#: Seconds to wait when nothing is known to come.
IDLE_SECONDS: Final = 30.0


class Outbox(Protocol):
    """What the courier needs of the service."""

    async def outbox(self, read: Callable[[Rows], T]) -> T:
        """Read."""
        ...

    async def record_delivery(self, change: Callable[[Rows], None]) -> None:
        """Write."""
        ...


class Courier:
    """Works until it is cancelled. `changed` is set by whoever puts something into the outbox."""

    def __init__(self, service: Outbox, config: Mail, clock: Clock, changed: asyncio.Event) -> None:
        self._service = service
        self._config = config
        self._clock = clock
        self._changed = changed
        self._templates = Templates(
            config.templates, jitctl_host=config.jitctl_host, review_url=config.review_url
        )
        self._broken = ""  # what was logged last, so that it is not said again and again

    async def run(self) -> None:
        """Deliver what is due, whenever something is."""
        while True:
            self._changed.clear()
            try:
                await self.deliver()
            except Exception:
                log.exception("a round of deliveries failed; trying again")
                await asyncio.sleep(IDLE_SECONDS)
            next_ms = await self._service.outbox(outbox.next_due)
            await self._until(next_ms)

    async def _until(self, next_ms: int | None) -> None:
        seconds = IDLE_SECONDS
        if next_ms is not None:
            seconds = min(max((next_ms - self._clock.now_ms()) / 1000, 0.05), IDLE_SECONDS)
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    async def deliver(self) -> None:
        """One round: everything that is due now."""
        now_ms = self._clock.now_ms()
        due = await self._service.outbox(lambda rows: outbox.due(rows, now_ms, ROUND))
        mails: list[tuple[list[Message], Rendered]] = []
        for recipient in dict.fromkeys(message.recipient for message in due):
            mails += await self._for_one(recipient, now_ms)
        if mails:
            await self._send(mails)

    async def _for_one(self, recipient: str, now_ms: int) -> list[tuple[list[Message], Rendered]]:
        """What goes to one recipient now: each message by itself, or all as one when they are many."""

        def read(rows: Rows) -> tuple[list[Message], int, int | None]:
            waiting = outbox.waiting_for(rows, recipient, "mail", now_ms)
            return waiting, *outbox.sent_since(rows, recipient, "mail", now_ms - COUNTED_MS)

        waiting, mails, last_ms = await self._service.outbox(read)
        if mails + len(waiting) <= self._config.digest_from:
            return [([one], self._templates.render(one.template, one.data)) for one in waiting]
        if mails >= self._config.digest_from and last_ms is not None and last_ms > now_ms - TOGETHER_MS:
            ids = [one.id for one in waiting]
            at_ms = last_ms + TOGETHER_MS
            await self._service.record_delivery(lambda rows: outbox.hold(rows, ids, at_ms))
            return []
        # An emergency never hides among others.
        alone = [one for one in waiting if one.template == "break_glass"]
        rest = [one for one in waiting if one.template != "break_glass"]
        found = [([one], self._templates.render(one.template, one.data)) for one in alone]
        if rest:
            found.append((rest, self._templates.digest([(one.template, one.data) for one in rest])))
        return found

    async def _send(self, mails: Sequence[tuple[list[Message], Rendered]]) -> None:
        left = list(mails)
        try:
            async with Conversation(self._config, lambda: _password(self._config)) as server:
                self._mended()
                while left and server.is_open:
                    messages, rendered = left[0]
                    try:
                        mail = compose(self._config, messages[0], rendered, together=len(messages) > 1)
                        await server.send(mail)
                    except DeliveryError as error:
                        await self._failed(messages, error)
                    else:
                        await self._sent(messages)
                    left.pop(0)
        except DeliveryError as error:
            self._tell_broken(error.said)
            for messages, _ in left:
                await self._failed(messages, error)

    async def _sent(self, messages: list[Message]) -> None:
        ids, now_ms = [one.id for one in messages], self._clock.now_ms()
        await self._service.record_delivery(lambda rows: outbox.sent(rows, ids, now_ms))

    async def _failed(self, messages: list[Message], error: DeliveryError) -> None:
        now_ms = self._clock.now_ms()
        said = error.said[:500]

        def record(rows: Rows) -> None:
            for one in messages:
                at_ms = None if error.permanent else notices.next_attempt(one.attempts + 1, now_ms)
                outbox.failed(rows, [one.id], said, at_ms)

        await self._service.record_delivery(record)

    def _tell_broken(self, said: str) -> None:
        if said != self._broken:
            log.error("mail cannot be delivered, and is kept: %s", said)
            self._broken = said

    def _mended(self) -> None:
        if self._broken:
            log.warning("mail is delivered again")
            self._broken = ""


async def try_out(config: Mail, address: str) -> str:
    """Send a test to an address at once. Returns what to tell; raises JitError with the server's own words."""
    now_ms = time.time_ns() // 1_000_000
    message = Message(
        id=0,
        key=f"test:{now_ms}",
        way="mail",
        recipient=address,
        address=address,
        template="test",
        request_id=None,
        data={},
        created_ms=now_ms,
        next_ms=None,
        attempts=0,
        error="",
    )
    words = "This is a test of jitd's mail. Whoever reads it need not do anything."
    rendered = Rendered("A test of jitd's mail", f"{words}\n", f"<p>{words}</p>\n")
    try:
        async with Conversation(config, lambda: _password(config)) as server:
            await server.send(compose(config, message, rendered))
    except DeliveryError as error:
        raise JitError(
            "refused", f"cannot send a mail to {address}: {error.said}", "See [mail] in jitd.toml."
        ) from error
    return f"{config.server} has taken a mail for {address}"


def _password(config: Mail) -> str:
    return secret.find("smtp", keyring=config.keyring, directory=config.secrets)
