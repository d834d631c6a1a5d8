"""What several nouns share: replies, errors, who answers, ids and names."""

from typing import NotRequired, TypedDict

API_VERSION = "v1"


class Reply(TypedDict):
    """Every reply carries the daemon's time, from which the command computes time left."""

    now: int


class ChangeReply(Reply):
    """A reply to a verb that changed something.

    `agrees` is true when the kernel was read back and agrees with the store; otherwise `waiting` says what does
    not, and jitd goes on trying.
    """

    agrees: bool
    waiting: str


class ErrorBody(TypedDict):
    """The body of every reply with a status of 400 or more."""

    code: str
    message: str
    hint: str


class Health(Reply):
    """Who answers."""

    version: str
    api: str
    backend: str
    pid: int
    started: int
    seq: int


class IdBody(TypedDict):
    """A verb on one request or grant. Without `id` the only one of the caller that the verb applies to.

    `network` narrows the choice; for release, pause and resume.
    """

    id: NotRequired[int | None]
    network: NotRequired[str | None]


class NameBody(TypedDict):
    """A verb on a named thing, with a plan where it can cut someone off."""

    name: str
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NameQuery(TypedDict):
    """Show one named thing."""

    name: str


class IdQuery(TypedDict):
    """Show one request."""

    id: int
