"""The policy as a file."""

from typing import Literal, NotRequired, TypedDict

from jitd.wire.common import ChangeReply, Reply
from jitd.wire.plans import Plan


class PolicyReply(Reply):
    """Every network with its rules, as TOML."""

    text: str


class PolicyApplyBody(TypedDict):
    """A policy file as TOML. With `plan` nothing is changed; `confirm` is the token of the plan that was shown."""

    text: str
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class PolicyChange(TypedDict):
    """A difference: `sign` is + for a new network, - for one that goes, ~ for a setting that changes."""

    sign: Literal["+", "-", "~"]
    network: str
    key: str
    before: object
    after: object


class PolicyWider(TypedDict):
    """A running grant that reaches more than what was decided about."""

    id: int
    user: str
    network: str
    more: list[str]


class PolicyDifference(TypedDict):
    """What was, or would be, changed; nothing where `changes` is empty."""

    changes: list[PolicyChange]
    wider: list[PolicyWider]


class PolicyApplyReply(ChangeReply, PolicyDifference):
    """What was, or would be, changed."""

    plan: Plan
    done: bool
