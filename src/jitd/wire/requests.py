"""Requests and grants."""

from typing import NotRequired, TypedDict

from jitd.core.choices import Mark, Order, StatusName, TabName
from jitd.wire.common import ChangeReply, Reply
from jitd.wire.events import EventView


class RequestView(TypedDict):
    """A request or grant, as shown.

    `managed_by` is who decided or ended it last. `wanted`, `starts`, `ends`, `decided` and `ended` are null where they
    do not apply. `start` and `until` are what was wished; `extends` is the grant that it asks more of. While it is
    pending, `approvals` is how many have to agree, and `approved_by` who does already.
    """

    id: int
    user: str
    network: str
    status: StatusName
    tab: TabName
    marks: list[Mark]
    reason: str
    requested: int
    requested_by: str
    wanted: int | None
    lapses: int
    start: int | None
    until: int | None
    extends: int | None
    break_glass: bool
    approvals: int
    approved_by: list[str]
    reviewed: int | None
    reviewed_by: str
    reviewed_comment: str
    decided: int | None
    decided_by: str
    comment: str
    starts: int | None
    ends: int | None
    ended: int | None
    ended_by: str
    ended_comment: str
    managed_by: str
    devices: list[str]


class RequestBody(TypedDict):
    """Ask for access. Without `network` the only one that the user may ask for; `user` only for administrators.

    `until` in place of `duration`, and `start`, are milliseconds UTC. `again` takes the reason of the last request.
    `break_glass` opens at once, for those who may. With `plan` nothing is changed.
    """

    reason: str
    network: NotRequired[str | None]
    duration: NotRequired[int | None]
    until: NotRequired[int | None]
    start: NotRequired[int | None]
    urgent: NotRequired[bool]
    break_glass: NotRequired[bool]
    again: NotRequired[bool]
    user: NotRequired[str | None]
    plan: NotRequired[bool]


class GrantBody(TypedDict):
    """Grant a pending request (`id`), or give access without one (`user` and `network`).

    `duration`, or `until` in milliseconds UTC, falls back to what was wished, then to the network's default. With
    `plan` nothing is changed.
    """

    id: NotRequired[int | None]
    user: NotRequired[str | None]
    network: NotRequired[str | None]
    duration: NotRequired[int | None]
    until: NotRequired[int | None]
    comment: NotRequired[str | None]
    plan: NotRequired[bool]


class DecisionBody(TypedDict):
    """Deny a request, revoke a grant, acknowledge break-glass, reject a change of rules."""

    id: int
    comment: NotRequired[str | None]


class ExtendBody(TypedDict):
    """Lengthen an active grant by `duration`, or until `until` in milliseconds UTC, without a gap.

    Its own user asks for that, with `comment` as the reason.
    """

    id: int
    duration: NotRequired[int | None]
    until: NotRequired[int | None]
    comment: NotRequired[str | None]


class RequestReply(ChangeReply):
    """The request after the verb (for a plan: as it would be). `already` is true when nothing had to be done, and
    `request` is null when the network is open without one: `note` says why.
    """

    request: RequestView | None
    already: bool
    note: str


class ListQuery(TypedDict):
    """Filters of `list`, all of which have to agree. `status` and `tab` may hold several values; `since` and `until` are
    milliseconds UTC; `mine` are those of the caller, `decidable` those that they may decide now. `group` is for administrators.

    `after` is the `next` of the page before, with the same `sort`. With `count` there are no requests in the reply, but how many there are.
    """

    status: NotRequired[list[StatusName]]
    tab: NotRequired[list[TabName]]
    user: NotRequired[str]
    network: NotRequired[str]
    group: NotRequired[str]
    managed_by: NotRequired[str]
    since: NotRequired[int]
    until: NotRequired[int]
    search: NotRequired[str]
    mine: NotRequired[bool]
    decidable: NotRequired[bool]
    sort: NotRequired[Order]
    limit: NotRequired[int]
    after: NotRequired[str]
    count: NotRequired[bool]


class ListReply(Reply):
    """A page of requests: where nothing else was asked, pending first, then newest first. `next` is empty on the last
    page. `counts` are those by tab that the caller may see, `decides` is whether they decide about any network, `changes` how many
    changes of rules wait for their yes, `count` (where it was asked for) is how many match. `not_searched` are words of the search that are emoji or signs, or have some:
    only letters and digits are looked for.
    """

    requests: list[RequestView]
    next: str
    counts: dict[TabName, int]
    decides: bool
    changes: NotRequired[int]
    count: NotRequired[int]
    not_searched: NotRequired[list[str]]


class UsageView(TypedDict):
    """What a grant was really used for, as sampled: milliseconds, bytes as the gateway counts them, and UTC."""

    used: int
    rx_bytes: int
    tx_bytes: int
    last_handshake: int


class ShowReply(Reply):
    """One request with its history, oldest event first. `usage` is None while nothing was ever seen; `decides`: the
    caller decides about it. Of a long history `left_out` events between the first ones and the newest are not there.
    `shortage` says why too few people are left who may grant what waits, "" where enough are.
    """

    request: RequestView
    decides: bool
    usage: UsageView | None
    events: list[EventView]
    left_out: NotRequired[int]
    shortage: NotRequired[str]


class PastRequest(TypedDict):
    """A request of before. `lasted` is for how long its grant was open, milliseconds up to now, null where there was none.
    `usage` counts each device: with two of them it may be more.
    """

    request: RequestView
    lasted: int | None
    usage: UsageView | None


class Offer(TypedDict):
    """A yes that names no duration would give access from `starts` until `ends`, and `cap` names what makes that shorter than was
    wished; where nothing can be granted, `refused` says why and `hint` what to do.
    """

    starts: int | None
    ends: int | None
    cap: str
    refused: str
    hint: str


class HistoryReply(Reply, Offer):
    """What helps before a decision about `request`.

    `last` are its user's requests of before, newest first, at most five; `last_grant` is the newest grant on the same
    network, `open` are the user's other grants that are active or scheduled. Of the requests for the same network within
    the last `counted` milliseconds, `asked_before` were made and `granted_before` granted. `rule` says why its user has to
    ask. Approvers are told of the networks alone that they decide about.
    """

    request: RequestView
    last: list[PastRequest]
    last_grant: PastRequest | None
    open: list[RequestView]
    counted: int
    asked_before: int
    granted_before: int
    rule: str
    max_duration: int
