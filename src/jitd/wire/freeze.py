"""Freezing everything."""

from typing import TypedDict

from jitd.wire.common import ChangeReply


class FreezeBody(TypedDict):
    """Close everything at once. The reason is what everybody is told."""

    reason: str


class FreezeView(TypedDict):
    """A freeze: since when, by whom, why."""

    since: int
    by: str
    reason: str


class FreezeReply(ChangeReply):
    """What holds after the verb, null when nothing is frozen. `kept` are those whom it does not close out; `warnings`
    tell of what it cannot close.
    """

    freeze: FreezeView | None
    kept: list[str]
    already: bool
    warnings: list[str]
