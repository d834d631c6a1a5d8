"""Closed sets of words, each written once: types on both sides of the socket, choices of the command line.

This imports next to nothing: jitctl reads it at its start.

Words cross the socket as they are. Where code compares them often, there is an enumeration with the same words.
"""

from enum import StrEnum
from typing import Final, Literal

StatusName = Literal[
    "pending", "scheduled", "active", "denied", "expired", "revoked", "released", "cancelled", "lapsed"
]
TabName = Literal["pending", "approved", "denied", "ended"]
#: What is said of a request beside its status.
Mark = Literal["activating", "cutting", "paused", "frozen", "closed", "urgent", "unreviewed"]
#: How requests are listed. `left` are live grants, by their end.
Order = Literal["default", "newest", "oldest", "left"]
#: What a report sums up by.
ReportBy = Literal["user", "network", "approver"]
#: How messages leave.
Channel = Literal["mail", "chat"]
ChangeStatus = Literal["pending", "approved", "rejected"]


class Status(StrEnum):
    """The one status of a request."""

    _value_: StatusName
    PENDING = "pending"
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    DENIED = "denied"
    EXPIRED = "expired"
    REVOKED = "revoked"
    RELEASED = "released"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"


class Tab(StrEnum):
    """Where a status is listed."""

    _value_: TabName
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    ENDED = "ended"


TAB_OF: Final[dict[Status, Tab]] = {
    Status.PENDING: Tab.PENDING,
    Status.SCHEDULED: Tab.APPROVED,
    Status.ACTIVE: Tab.APPROVED,
    Status.DENIED: Tab.DENIED,
    Status.EXPIRED: Tab.ENDED,
    Status.REVOKED: Tab.ENDED,
    Status.RELEASED: Tab.ENDED,
    Status.CANCELLED: Tab.ENDED,
    Status.LAPSED: Tab.ENDED,
}
