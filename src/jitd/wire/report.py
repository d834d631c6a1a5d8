"""Reports."""

from typing import Literal, NotRequired, TypedDict

from jitd.core.choices import ReportBy
from jitd.wire.common import Reply

#: The whole gateway (for administrators), the networks that the caller decides about, or what the caller asked for.
Scope = Literal["gateway", "networks", "own"]


class ReportQuery(TypedDict):
    """What to report on: requests made from `since` up to `until` (milliseconds UTC), or since and until so long before
    the daemon's now (`since_ago`, `until_ago`, milliseconds); the last 30 days where nothing is said.

    `by`: all three where it is left away. `limit` is how many of each. `offset` is how far the
    caller's clocks are ahead of UTC, milliseconds, for `hours`.
    """

    since: NotRequired[int]
    since_ago: NotRequired[int]
    until: NotRequired[int]
    until_ago: NotRequired[int]
    by: NotRequired[ReportBy]
    network: NotRequired[str]
    user: NotRequired[str]
    limit: NotRequired[int]
    offset: NotRequired[int]


class ReportNumbers(TypedDict):
    """Sums over requests; durations in milliseconds.

    `granted` and `denied` were decided by people who were asked, and `approval_rate` is the share of the first (0 to 1,
    null where nobody decided anything); `automatic` were granted by a rule, `break_glass` by their users, `direct` by an
    administrator without being asked; `lapsed` were decided by nobody. `median` and `p90` are how long half and nine of ten
    waited for the decision of somebody, within a twentieth; null where nobody did. Of the `grants` that gave access,
    `given` is how long they were to last, `open` how long they have lasted, `used` in how much of that something came from
    the client; `unused` are over and were never used.
    """

    asked: int
    granted: int
    denied: int
    automatic: int
    break_glass: int
    direct: int
    lapsed: int
    cancelled: int
    pending: int
    approval_rate: float | None
    median: int | None
    p90: int | None
    grants: int
    given: int
    open: int
    used: int
    unused: int


class ReportRow(ReportNumbers):
    """The sums of one user, network or approver."""

    name: str


class ReportTable(TypedDict):
    """Who asked for (approvers: decided) most first; `of` is how many there are in all."""

    rows: list[ReportRow]
    of: int


class ReportMark(TypedDict):
    """What was asked for in one part of the time, which begins `at`, and how much of that was granted, by whomever."""

    at: int
    asked: int
    granted: int
    denied: int
    break_glass: int


class ReportEmergency(TypedDict):
    """A use of break-glass; `reviewed_by` is "" while nobody has looked at it."""

    id: int
    user: str
    network: str
    reason: str
    at: int
    reviewed_by: str


class Suggestion(TypedDict):
    """Another rule that would fit better, and what an administrator types for it."""

    why: str
    command: str


class ReportReply(Reply):
    """Sums over the requests made from `since` up to `until`.

    `about` names the networks of the scope networks. `by` has a table for each
    of what was asked for (of one's own requests, none by user, where it was not). `marks` are parts of the time, `mark` milliseconds each, oldest first; `hours` how many requests
    were made in each of the 168 hours of a week, Monday's first hour first; `emergencies` the newest uses of break-glass.
    """

    scope: Scope
    about: list[str]
    since: int
    until: int
    total: ReportNumbers
    by: dict[ReportBy, ReportTable]
    mark: int
    marks: list[ReportMark]
    hours: list[int]
    emergencies: list[ReportEmergency]
    suggestions: list[Suggestion]
