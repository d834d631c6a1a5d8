"""People."""

from typing import NotRequired, TypedDict

from jitd.wire.common import ChangeReply, Reply
from jitd.wire.plans import Plan


class UserView(TypedDict):
    """Somebody who has ever asked or owned a device. `registered`: no user of the system. `disabled` is why an
    administrator has shut them out, or null; `closed` why the account does not count, "" when it does.

    `name` is what other verbs take: NAME:UID where the name means somebody else by now. `suspended` is since when they are gone
    or out of time, milliseconds UTC, or null; `retired`: for so long that a return has to be confirmed.
    """

    name: str
    uid: int
    registered: bool
    email: str
    ends: int | None
    disabled: str | None
    suspended: int | None
    retired: bool
    closed: str
    devices: list[str]
    open: int
    pending: int


class UserAddBody(TypedDict):
    """Register somebody who is no user of the system until `until`, milliseconds UTC."""

    user: str
    until: int
    email: NotRequired[str | None]
    reason: NotRequired[str | None]


class UserSetBody(TypedDict):
    """Change somebody; what is absent stays."""

    user: str
    until: NotRequired[int | None]
    email: NotRequired[str | None]
    reason: NotRequired[str | None]


class UserDisableBody(TypedDict):
    """Shut somebody out."""

    user: str
    reason: str


class UserBody(TypedDict):
    """A verb on somebody."""

    user: str
    reason: NotRequired[str | None]


class UserConfirmBody(TypedDict):
    """Who was away and is the same: `users`, or `all` who are back. `plan`: only say who would gain access; `confirm` is
    the token of the plan that was shown.
    """

    users: NotRequired[list[str] | None]
    all: NotRequired[bool | None]
    plan: NotRequired[bool | None]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class UserConfirmReply(ChangeReply):
    """Who was confirmed, or would be."""

    users: list[str]
    plan: Plan
    done: bool


class UserReply(ChangeReply):
    """The user after the verb. `already` is true when nothing had to be done."""

    user: UserView
    already: bool


class UsersReply(Reply):
    """Everybody."""

    users: list[UserView]


class GateBody(TypedDict):
    """Who speaks on this connection from now on: somebody who is registered and no user of the system."""

    user: str


class GateReply(Reply):
    """Who does. The uid is below 0, and tells apart those who were registered by the same name one after the other."""

    user: str
    uid: int
