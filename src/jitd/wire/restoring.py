"""A store that was restored from an older copy."""

from typing import NotRequired, TypedDict

from jitd.wire.common import ChangeReply
from jitd.wire.plans import Plan


class AcceptRestoredBody(TypedDict):
    """Let in again whom a store lets in that was restored from an older copy."""

    plan: NotRequired[bool]
    confirm: NotRequired[str | None]


class AcceptRestoredReply(ChangeReply):
    """Who gains access by it. For a plan `done` is false."""

    plan: NotRequired[Plan]
    done: NotRequired[bool]
