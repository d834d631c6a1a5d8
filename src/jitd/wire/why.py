"""Explanations of rules."""

from typing import NotRequired, TypedDict

from jitd.wire.common import Reply
from jitd.wire.events import EventView
from jitd.wire.requests import RequestView


class WhyQuery(TypedDict):
    """What to explain: a request, or what holds for a user (the caller, if none is named) on a network."""

    id: NotRequired[int]
    user: NotRequired[str]
    network: NotRequired[str]


class WhyLine(TypedDict):
    """A question, its answer, the rule that gave it, and what to type to change it ("" where there is nothing)."""

    question: str
    answer: str
    because: str
    change: str


class WhyReply(Reply):
    """Every rule that applies, in the order in which they decide; for a request also what became of it, by which of
    them (`outcome`), and its events.
    """

    user: str
    network: str
    request: RequestView | None
    outcome: NotRequired[list[WhyLine]]
    lines: list[WhyLine]
    events: list[EventView]
