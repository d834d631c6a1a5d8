"""Changes of rules that need several approvals."""

from typing import NotRequired, TypedDict

from jitd.core.choices import ChangeStatus
from jitd.wire.common import ChangeReply, Reply
from jitd.wire.plans import Plan


class ChangeView(TypedDict):
    """A change of rules that so many people have to agree to (`quorum`) as the networks ask for that it is about (none: who
    administers). `verb` are the words of its command, `what` the sentences of what it lets in, `mine`: the caller has agreed. It is not approved any more after `lapses`.
    """

    id: int
    verb: str
    networks: list[str]
    what: list[str]
    reason: str
    proposed: int
    proposed_by: str
    lapses: int
    quorum: int
    approved_by: list[str]
    status: ChangeStatus
    ended_by: str
    mine: bool


class ChangesReply(Reply):
    """The changes that wait for those who decide with the caller."""

    changes: list[ChangeView]


class ChangeBody(TypedDict):
    """Agree to a change. `plan`: only say what it would do; `confirm` is the token of the plan that was shown."""

    id: int
    comment: NotRequired[str | None]
    plan: NotRequired[bool | None]
    confirm: NotRequired[str | None]


class ChangeApproveReply(ChangeReply):
    """The change after the verb. `done`: it was made, or rejected. For a plan there is only the plan."""

    change: NotRequired[ChangeView]
    plan: NotRequired[Plan]
    done: bool
