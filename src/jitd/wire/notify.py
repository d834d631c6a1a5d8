"""Each user's mail."""

from typing import Literal, NotRequired, TypedDict

from jitd.wire.common import ChangeReply, Reply


class NotifyBody(TypedDict):
    """Whom it is about; without `user`, the caller."""

    user: NotRequired[str | None]


class NotifyQuery(TypedDict):
    """Whom it is about; without `user`, the caller."""

    user: NotRequired[str]


class MailView(TypedDict):
    """Whether somebody wants to be told by mail, and where ("": nobody knows). `mail`: whether there is a mail server."""

    user: str
    told: bool
    address: str
    mail: bool


class NotifyReply(ChangeReply, MailView):
    """How it is after the verb."""


class NotifyShowReply(Reply, MailView):
    """How it is."""


class NotifyTestBody(TypedDict):
    """Where to: a mail address or the name of a room; without it, the caller and every room."""

    to: NotRequired[str | None]


class NotifyTestMessage(TypedDict):
    """A test that was put into the outbox."""

    id: int
    to: str


class NotifyTestReply(ChangeReply):
    """What was put into the outbox."""

    messages: list[NotifyTestMessage]


class NotifyResultReply(Reply):
    """`error` is what was said against it last."""

    state: Literal["waiting", "delivered", "failed"]
    error: str
