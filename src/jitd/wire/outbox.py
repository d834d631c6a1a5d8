"""Messages that wait."""

from typing import NotRequired, TypedDict

from jitd.core.choices import Channel
from jitd.wire.common import ChangeReply, Reply


class MessageView(TypedDict):
    """A message that was not delivered yet. `next` is when it is tried next, null: when somebody says so."""

    id: int
    way: Channel
    recipient: str
    address: str
    template: str
    request: int | None
    created: int
    next: int | None
    attempts: int
    error: str


class OutboxView(TypedDict):
    """What waits, oldest first: `messages_waiting` counts all, `stuck` those that are not tried by themselves any more. `tells`:
    whether there is a way to tell anybody anything.
    """

    messages: list[MessageView]
    messages_waiting: int
    stuck: int
    tells: bool


class OutboxReply(Reply, OutboxView):
    """What waits."""


class OutboxBody(TypedDict):
    """Which messages; all that wait, where none are named."""

    ids: NotRequired[list[int] | None]


class OutboxChangeReply(ChangeReply, OutboxView):
    """What waits after the verb; `number` is how many it was about."""

    number: int


class OutboxRetryReply(OutboxChangeReply):
    """Not tried again, and counted apart, are `outdated` messages (decided or over meanwhile, and given up), `collected` ones
    (they go out together in a moment) and `unreachable` ones (jitd.toml has no channel for them any more).
    """

    outdated: int
    collected: int
    unreachable: int
