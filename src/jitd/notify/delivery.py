"""Delivers the outbox by one channel: one recipient after the other, together where there are many, again where it failed.

Belongs to the event loop, and has nothing to do with what cuts: a server that hangs makes nothing wait but its own
messages.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from jitd.core import notices
from jitd.core.clock import Clock
from jitd.core.model import Message, Now
from jitd.notify.channel import Channel, Conversation, DeliveryError
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
_ALONE: Final = (*notices.EMERGENCIES, notices.TEST)
_TRIED: Final = "This is a test of jitd's notifications. You do not have to do anything."
_TEST: Final = Rendered("Test message from jitd", f"{_TRIED}\n", f"<p>{_TRIED}</p>\n")


class Outbox(Protocol):
    """What a delivery worker needs of the service."""

    def watch_outbox(self) -> asyncio.Event:
        """An event of one's own that is set whenever something may be there to deliver."""

    async def outbox(self, read: Callable[[Rows], T]) -> T:
        """Read."""

    async def record_delivery(self, change: Callable[[Rows], None]) -> None:
        """Write."""


class DeliveryWorker:
    """Works until it is cancelled. `changed` is set whenever something may be there to deliver."""

    def __init__(
        self, service: Outbox, channel: Channel, templates: Templates, clock: Clock, changed: asyncio.Event
    ) -> None:
        self._service = service
        self._channel = channel
        self._clock = clock
        self._changed = changed
        #: May be replaced at any time.
        self.templates = templates
        self._broken = ""  # what was logged last, so that it is not said again and again
        # (ids, when) of what was delivered, and is not recorded yet: it must not go out again.
        self._delivered: list[tuple[list[int], int]] = []

    async def run(self) -> None:
        """Deliver what is due, whenever something is."""
        while True:
            self._changed.clear()
            next_ms = None
            try:
                await self.deliver()
                next_ms = await self._service.outbox(lambda rows: outbox.next_due(rows, self._channel.name))
            except Exception:
                log.exception("a round of deliveries failed; trying again")
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
        """One round: everything that is due now. Raises JitError while the store cannot be used: then nothing goes out."""
        await self._record_delivered()
        now_ms = self._clock.now_ms()
        due = await self._service.outbox(lambda rows: outbox.due(rows, self._channel.name, now_ms, ROUND))
        parcels: list[list[Message]] = []
        for recipient in dict.fromkeys(message.recipient for message in due):
            parcels += await self._for_one(recipient, now_ms)
        if parcels:
            await self._send(parcels)

    async def _for_one(self, recipient: str, now_ms: int) -> list[list[Message]]:
        """What goes to one recipient now: each message by itself, or all as one when they are many."""
        channel = self._channel.name

        def read(rows: Rows) -> tuple[list[Message], int, int | None]:
            waiting = outbox.waiting_for(rows, recipient, channel, now_ms)
            return waiting, *outbox.sent_since(rows, recipient, channel, now_ms - COUNTED_MS)

        waiting, sent, last_ms = await self._service.outbox(read)
        waiting = await self._still_true(waiting)
        alone, rest = waiting, list[Message]()
        if sent + len(waiting) > self._channel.digest_from:
            # An emergency never hides among others, and never waits for them.
            alone = [one for one in waiting if one.template in _ALONE]
            rest = [one for one in waiting if one.template not in _ALONE]
            if sent >= self._channel.digest_from and last_ms is not None and last_ms > now_ms - TOGETHER_MS:
                ids, at_ms = [one.id for one in rest], last_ms + TOGETHER_MS
                await self._service.record_delivery(lambda rows: outbox.hold(rows, ids, at_ms))
                rest = []
            if len(rest) == 1:
                alone, rest = waiting, []
        return [*([one] for one in alone), *([rest] if rest else [])]

    async def _still_true(self, messages: list[Message]) -> list[Message]:
        """Those that are still true: what was decided meanwhile, or is over, is given up and told to nobody."""
        now = Now(self._clock.now_ms(), self._clock.boot_ms(), self._clock.boot_id())
        found = await self._service.outbox(lambda rows: outbox.outdated(rows, messages, now))
        gone = found | {one.id: "too late" for one in messages if _is_late(one, now.wall_ms)}
        if gone:

            def record(rows: Rows) -> None:
                for number, why in gone.items():
                    outbox.give_up(rows, number, why, now.wall_ms)

            await self._service.record_delivery(record)
        return [one for one in messages if one.id not in gone]

    def _words(self, messages: list[Message]) -> Rendered:
        """One message, or many as one."""
        if len(messages) > 1:
            return self.templates.digest([(one.template, self._channel.facts(one.data)) for one in messages])
        (one,) = messages
        if one.template == notices.TEST:
            return _TEST
        return self.templates.render(one.template, self._channel.facts(one.data))

    async def _send(self, parcels: Sequence[list[Message]]) -> None:
        left = list(parcels)
        try:
            async with self._channel.converse() as line:
                self._mended()
                while left and line.is_open:
                    # Looked at once more: what stood before this one may have taken minutes.
                    messages = left[0] = await self._still_true(left[0])
                    if messages:
                        await self._send_one(line, messages)
                    left.pop(0)
        except DeliveryError as error:
            self._log_broken(error.said)
            for messages in left:
                await self._failed(messages, error)

    async def _send_one(self, line: Conversation, messages: list[Message]) -> None:
        # In a thread: many words take a while, and the loop has endings to see to.
        rendered = await asyncio.to_thread(self._words, messages)
        try:
            await line.send(messages[0], rendered, together=len(messages) > 1)
        except DeliveryError as error:
            await self._failed(messages, error)
        except Exception as error:
            # Whatever it is about this one, nothing behind it waits for it.
            log.exception("message %d cannot be sent", messages[0].id)
            await self._failed(messages, DeliveryError(repr(error), permanent=False))
        else:
            await self._sent(messages)

    async def _sent(self, messages: list[Message]) -> None:
        self._delivered.append(([one.id for one in messages], self._clock.now_ms()))
        await self._record_delivered()

    async def _record_delivered(self) -> None:
        while self._delivered:
            ids, at_ms = self._delivered[0]

            def record(rows: Rows, ids: list[int] = ids, at_ms: int = at_ms) -> None:
                outbox.sent(rows, ids, at_ms)

            await self._service.record_delivery(record)
            self._delivered.pop(0)

    async def _failed(self, messages: list[Message], error: DeliveryError) -> None:
        now_ms = self._clock.now_ms()
        said = error.said[:500]

        def record(rows: Rows) -> None:
            for one in messages:
                if one.template == notices.TEST:
                    outbox.give_up(rows, one.id, said, now_ms)
                    continue
                at_ms = None if error.permanent else notices.next_attempt(one.attempts + 1, now_ms)
                outbox.failed(rows, [one.id], said, at_ms)

        await self._service.record_delivery(record)

    def _log_broken(self, said: str) -> None:
        if said != self._broken:
            log.error("%s cannot be delivered, and is kept: %s", self._channel.name, said)
            self._broken = said

    def _mended(self) -> None:
        if self._broken:
            log.warning("%s is delivered again", self._channel.name)
            self._broken = ""


def _is_late(one: Message, now_ms: int) -> bool:
    """Whether it warns of an end that has come."""
    ends = one.data.get("ends")
    return one.template == notices.ENDING.template and isinstance(ends, int) and ends <= now_ms
