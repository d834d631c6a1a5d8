"""What a delivery worker needs of a channel: mail is one, chat another."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from jitd.core.model import Message
from jitd.core.text import clean
from jitd.notify.render import Rendered


class DeliveryError(Exception):
    """A message was not taken. `permanent`: to send the same again is of no use.

    `said` is one line: a server may say what it likes, and logs are read line by line.
    """

    def __init__(self, said: str, *, permanent: bool) -> None:
        super().__init__(said)
        self.said = clean(said)
        self.permanent = permanent


class Conversation(Protocol):
    """An open line, for as many messages as there are."""

    @property
    def is_open(self) -> bool:
        """Whether another message can be handed over."""

    async def send(self, first: Message, rendered: Rendered, *, together: bool) -> None:
        """Hand one over; `together`: it stands for many, of which `first` is the first. Raises DeliveryError."""


class Channel(Protocol):
    """A means to reach people. `name` is that of its messages in the outbox."""

    @property
    def name(self) -> str:
        """`mail` or `chat`."""

    @property
    def digest_from(self) -> int:
        """So many messages within ten minutes, then they come together."""

    def converse(self) -> AbstractAsyncContextManager[Conversation]:
        """Open a line. Entering it raises DeliveryError with the other side's own words."""

    def facts(self, data: Mapping[str, object]) -> Mapping[str, object]:
        """The facts of a message with everything taken out of typed texts that would do something on this channel."""
