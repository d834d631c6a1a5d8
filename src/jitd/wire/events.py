"""The audit log."""

from typing import NotRequired, TypedDict


class ActorView(TypedDict):
    """Who acted, as the kernel said; `login_uid` is null when nobody logged in.

    `login_claimed`: the caller could have written the login uid, which is so for everybody but root.
    """

    uid: int
    user: str
    login_uid: int | None
    login_user: str | None
    login_claimed: bool
    pid: int
    origin: str


class EventView(TypedDict):
    """One line of the audit log. `actor` is null when jitd itself acted."""

    seq: int
    at: int
    kind: str
    actor: ActorView | None
    id: int | None
    user: str | None
    network: str | None
    interface: str | None
    device: str | None
    data: dict[str, object]


class EventsQuery(TypedDict):
    """Filters of `events`: `after` is a SEQ, `since` and `until` milliseconds UTC; `follow` keeps the stream open.

    With `last` the stream begins with so many of the newest ones, below the SEQ `before` where that is given.
    """

    after: NotRequired[int]
    last: NotRequired[int]
    before: NotRequired[int]
    since: NotRequired[int]
    until: NotRequired[int]
    user: NotRequired[str]
    network: NotRequired[str]
    id: NotRequired[int]
    kind: NotRequired[str]
    follow: NotRequired[bool]
