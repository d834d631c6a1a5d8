"""What crosses the socket, in both directions, as typed dictionaries: the one definition for daemon and command.

Typed dictionaries cost nothing to import and nothing to decode, so that jitctl stays quick; the daemon validates
against them with msgspec and generates the OpenAPI description from them. Times are integer milliseconds UTC,
durations integer milliseconds. A reader ignores keys that it does not know, so that either side may be newer.
"""

from typing import NotRequired, TypedDict

API_VERSION = "v1"


class Reply(TypedDict):
    """Every reply carries the daemon's time, from which the command computes time left."""

    now: int


class ChangeReply(Reply):
    """A reply to a verb that changed something.

    `agrees` is true when the kernel was read back and agrees with the store; otherwise `waiting` says what does
    not, and jitd goes on trying.
    """

    agrees: bool
    waiting: str


class ErrorBody(TypedDict):
    """The body of every reply with a status of 400 or more."""

    code: str
    message: str
    hint: str


class Health(Reply):
    """Who answers."""

    version: str
    api: str
    backend: str
    pid: int
    started: int
    seq: int


# --- requests and grants ---


class RequestView(TypedDict):
    """A request or grant, as shown.

    `status` is one of model.Status; `marks` hold activating, cutting, paused, frozen, closed, urgent, unreviewed.
    `managed_by` is who decided or ended it last. `wanted`, `starts`, `ends`, `decided` and `ended` are null where they
    do not apply. `start` and `until` are what was wished; `extends` is the grant that it asks more of. While it is
    pending, `approvals` is how many have to agree, and `approved_by` who does already.
    """

    id: int
    user: str
    network: str
    status: str
    tab: str
    marks: list[str]
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


class IdBody(TypedDict):
    """A verb on one request or grant. Without `id` the only one of the caller that the verb applies to.

    `network` narrows the choice; for release, pause and resume.
    """

    id: NotRequired[int | None]
    network: NotRequired[str | None]


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
    """Deny a request, revoke a grant, acknowledge break-glass."""

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


class ListQuery(TypedDict):
    """Filters of `list`, all of which have to agree. `status` and `tab` may hold several values; `since` and `until` are
    milliseconds UTC; `mine` are those of the caller, `decidable` those that they may decide now. `group` is for administrators.

    `sort` is default, newest, oldest or left (live grants by their end); `after` is the `next` of the page before, with the
    same `sort`. With `count` there are no requests in the reply, but how many there are.
    """

    status: NotRequired[list[str]]
    tab: NotRequired[list[str]]
    user: NotRequired[str]
    network: NotRequired[str]
    group: NotRequired[str]
    managed_by: NotRequired[str]
    since: NotRequired[int]
    until: NotRequired[int]
    search: NotRequired[str]
    mine: NotRequired[bool]
    decidable: NotRequired[bool]
    sort: NotRequired[str]
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
    counts: dict[str, int]
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
    events: list["EventView"]
    left_out: NotRequired[int]
    shortage: NotRequired[str]


class PastRequest(TypedDict):
    """A request of before. `lasted` is for how long its grant was open, milliseconds up to now, null where there was none.
    `usage` counts each device: with two of them it may be more.
    """

    request: RequestView
    lasted: int | None
    usage: UsageView | None


class HistoryReply(Reply):
    """What helps before a decision about `request`.

    `last` are its user's requests of before, newest first, at most five; `last_grant` is the newest grant on the same
    network, `open` are the user's other grants that are active or scheduled. Of the requests for the same network within
    the last `counted` milliseconds, `asked_before` were made and `granted_before` granted. `rule` says why its user has to
    ask. A yes that names no duration would give access from `starts` until `ends`, and `cap` names what makes that shorter
    than was wished; where nothing can be granted, `refused` says why and `hint` what to do. Approvers are told of the
    networks alone that they decide about.
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
    starts: int | None
    ends: int | None
    cap: str
    refused: str
    hint: str


class ReportQuery(TypedDict):
    """What to report on: requests made from `since` up to `until` (milliseconds UTC), or since and until so long before
    the daemon's now (`since_ago`, `until_ago`, milliseconds); the last 30 days where nothing is said.

    `by` is user, network or approver; all three where it is left away. `limit` is how many of each. `offset` is how far the
    caller's clocks are ahead of UTC, milliseconds, for `hours`.
    """

    since: NotRequired[int]
    since_ago: NotRequired[int]
    until: NotRequired[int]
    until_ago: NotRequired[int]
    by: NotRequired[str]
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

    `scope` is gateway (administrators), networks (approvers: those that `about` names) or own. `by` has a table for each
    of what was asked for (of one's own requests, none by user, where it was not). `marks` are parts of the time, `mark` milliseconds each, oldest first; `hours` how many requests
    were made in each of the 168 hours of a week, Monday's first hour first; `emergencies` the newest uses of break-glass.
    """

    scope: str
    about: list[str]
    since: int
    until: int
    total: ReportNumbers
    by: dict[str, ReportTable]
    mark: int
    marks: list[ReportMark]
    hours: list[int]
    emergencies: list[ReportEmergency]
    suggestions: list[Suggestion]


class NetworkStatus(TypedDict):
    """A network from its user's side.

    `state` is one of: request (may ask), pending, scheduled, active, standing, closed (may not use it).
    `paused` tells whether the active grant is switched off, `frozen` whether everything is, `asked` which pending
    request asks for more of it. `error` says what the kernel does not agree with yet, or why it is closed.
    """

    network: str
    interface: str
    state: str
    paused: bool
    id: int | None
    since: int | None
    starts: int | None
    ends: int | None
    devices: list[str]
    asked: int | None
    frozen: bool
    error: str


class StatusReply(Reply):
    """`status`: every network of the caller. `gateway` is there for administrators only.

    `heard` says when each of the caller's devices had its last handshake, by name, as in DeviceView; those that never had
    one are not in it. `address` says where the caller gets mail, "" where nobody knows; it is absent where there is no mail
    server, or the caller wants no mail.
    """

    user: str
    admin: bool
    networks: list[NetworkStatus]
    devices: int
    heard: NotRequired[dict[str, int]]
    address: NotRequired[str]
    gateway: NotRequired["GatewayStatus"]


class DoctorQuery(TypedDict):
    """What to examine: `part` of the gateway, or a `network`; a `part` that is none may be a network's name.

    With neither, the reply tells what there is. `user`: for whom a network is examined (administrators).
    """

    part: NotRequired[str]
    network: NotRequired[str]
    user: NotRequired[str]


class Check(TypedDict):
    """One line of doctor: `level` is ok, warning, broken, or unknown for what cannot be known from there; `fix` is what
    to type, "" when there is nothing.
    """

    level: str
    what: str
    fix: str


class KnownDevice(TypedDict):
    """A registered device. `last_handshake` was read just now: milliseconds UTC, 0 for never."""

    name: str
    public_key: str
    last_handshake: NotRequired[int]


class TunnelFacts(TypedDict):
    """What the tunnel to a network looks like on the user's machine, if it is right."""

    interface: str
    public_key: str  # of the gateway
    endpoint: str
    routes: list[str]
    devices: list[KnownDevice]


class DoctorReply(Reply):
    """What was found just now: about a `part`, or about a `network` for a `user`; or what there is to examine."""

    part: str
    checks: list[Check]
    network: NotRequired[str]
    user: NotRequired[str]
    tunnel: NotRequired[TunnelFacts]
    parts: NotRequired[list[str]]
    networks: NotRequired[list[str]]


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
    events: list["EventView"]


class GatewayStatus(TypedDict):
    """How the gateway itself is doing."""

    version: str
    backend: str
    firewall: str
    socket: str
    state_dir: str
    started: int
    pending: int
    active: int
    waiting: list[str]
    warnings: list[str]


# --- events ---


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


# --- plans ---


class PlanLine(TypedDict):
    """One device that a change would let in or cut off; `user` is empty for an unmanaged peer."""

    user: str
    device: str
    public_key: str
    network: str
    why: str


class PlanReach(TypedDict):
    """Somebody who keeps access to a network and reaches `more` or `less` by it: `why` is the grant, or the rule."""

    user: str
    network: str
    why: str
    more: list[str]
    less: list[str]


class Plan(TypedDict):
    """Who gains and who loses access right now, who reaches more or less with the access that stays, and a sentence for
    everything else that ends or stays behind (`also`). Give `token` back as `confirm`: if the plan has changed meanwhile,
    the verb is refused as a conflict.
    """

    gains: list[PlanLine]
    loses: list[PlanLine]
    reaches: NotRequired[list[PlanReach]]
    also: NotRequired[list[str]]
    warnings: list[str]
    token: str


# --- networks ---


class NetworkView(TypedDict):
    """A network as its administrator sees it; others see name, interface, routes, ports, jit and durations.

    `settings` has everything that can be set, as plain values by the name that people type.
    """

    name: str
    interface: str
    routes: list[str]
    ports: list[str]
    jit: bool
    members: list[str]
    settings: dict[str, object]
    default_duration: int
    max_duration: int
    pending_ttl: int
    created: int
    active: int
    pending: int
    shortage: NotRequired[str]  # why too few people are left who may decide; absent, or "": enough are


class NetworkAddBody(TypedDict):
    """A new network, JIT on. Durations in milliseconds; `changes` are `KEY=VALUE` for every other setting."""

    name: str
    interface: NotRequired[str | None]
    routes: list[str]
    ports: NotRequired[list[str]]
    members: NotRequired[list[str]]
    default_duration: NotRequired[int | None]
    max_duration: NotRequired[int | None]
    pending_ttl: NotRequired[int | None]
    changes: NotRequired[list[str]]
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NetworkSetBody(TypedDict):
    """Change a network; what is absent stays. `changes` are `KEY=VALUE`, `KEY+=VALUE` and `KEY-=VALUE`."""

    name: str
    routes: NotRequired[list[str]]
    ports: NotRequired[list[str]]
    members: NotRequired[list[str]]
    default_duration: NotRequired[int]
    max_duration: NotRequired[int]
    pending_ttl: NotRequired[int]
    changes: NotRequired[list[str]]
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NetworkJitBody(TypedDict):
    """Switch just-in-time access of a network on or off."""

    name: str
    on: bool
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NameBody(TypedDict):
    """A verb on a named thing, with a plan where it can cut someone off."""

    name: str
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class NameQuery(TypedDict):
    """Show one named thing."""

    name: str


class IdQuery(TypedDict):
    """Show one request."""

    id: int


class NetworkReply(ChangeReply):
    """The network after the verb. For a plan there is only the plan, and `done` is false."""

    network: NotRequired[NetworkView]
    plan: NotRequired[Plan]
    done: NotRequired[bool]


class AcceptRestoredBody(TypedDict):
    """Let in again whom a store lets in that was restored from an older copy."""

    plan: NotRequired[bool]
    confirm: NotRequired[str | None]


class AcceptRestoredReply(ChangeReply):
    """Who gains access by it. For a plan `done` is false."""

    plan: NotRequired[Plan]
    done: NotRequired[bool]


class NetworkShowReply(Reply):
    """One network."""

    network: NetworkView


class NetworksReply(Reply):
    """All networks that the caller may know of."""

    networks: list[NetworkView]


# --- telling people ---


class MessageView(TypedDict):
    """A message that was not delivered yet. `next` is when it is tried next, null: when somebody says so."""

    id: int
    way: str
    recipient: str
    address: str
    template: str
    request: int | None
    created: int
    next: int | None
    attempts: int
    error: str


class OutboxReply(Reply):
    """What waits, oldest first: `messages_waiting` counts all, `stuck` those that are not tried by themselves any more. `tells`:
    whether there is a way to tell anybody anything.
    """

    messages: list[MessageView]
    messages_waiting: int
    stuck: int
    tells: bool


class OutboxBody(TypedDict):
    """Which messages; all that wait, where none are named."""

    ids: NotRequired[list[int] | None]


class OutboxChangeReply(ChangeReply):
    """What waits after the verb; `number` is how many it was about. Not tried again, and counted apart, are `outdated` ones
    (decided or over meanwhile, and given up), `collected` ones (they go out together in a moment) and `unreachable` ones
    (jitd.toml has no way to them any more).
    """

    messages: list[MessageView]
    messages_waiting: int
    stuck: int
    tells: bool
    number: int
    outdated: NotRequired[int]
    collected: NotRequired[int]
    unreachable: NotRequired[int]


# --- being told ---


class NotifyBody(TypedDict):
    """Whom it is about; without `user`, the caller."""

    user: NotRequired[str | None]


class NotifyQuery(TypedDict):
    """Whom it is about; without `user`, the caller."""

    user: NotRequired[str]


class NotifyReply(ChangeReply):
    """Whether somebody wants to be told by mail, and where ("": nobody knows). `mail`: whether there is a mail server."""

    user: str
    told: bool
    address: str
    mail: bool


class NotifyShowReply(Reply):
    """The same, to a question."""

    user: str
    told: bool
    address: str
    mail: bool


class NotifyTestBody(TypedDict):
    """Where to: a mail address or the name of a room; without it, the caller and every room."""

    to: NotRequired[str | None]


class NotifyTestMessage(TypedDict):
    """A test that was put into the outbox."""

    id: int
    to: str


class NotifyTestReply(ChangeReply):
    """What was put into the outbox."""

    messages: list[NotifyTestMessage]


class NotifyResultReply(Reply):
    """`state` is waiting, delivered or failed; `error` is what was said against it last."""

    state: str
    error: str


# --- policy ---


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

    sign: str
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


class PolicyApplyReply(ChangeReply):
    """What was, or would be, changed; nothing where `changes` is empty."""

    plan: Plan
    changes: list[PolicyChange]
    wider: list[PolicyWider]
    done: bool


# --- interfaces ---


class PeerView(TypedDict):
    """A peer of an interface as read back. `user` and `device` are empty for an unmanaged peer."""

    public_key: str
    user: str
    device: str
    allowed_ips: list[str]
    endpoint: str
    last_handshake: int
    rx_bytes: int
    tx_bytes: int
    managed: bool


class InterfaceView(TypedDict):
    """An interface. Private keys never cross the socket."""

    name: str
    adopted: bool
    enforced: bool
    public_key: str
    port: int
    pools: list[str]
    endpoint: str
    dns: list[str]
    mtu: int
    networks: list[str]
    up: bool
    peers: int
    unmanaged: int
    error: str


class InterfaceAddBody(TypedDict):
    """A new interface of jitd's own. `pools` holds at most one IPv4 and one IPv6 network; the gateway takes the
    first host address of each.
    """

    name: str
    pools: list[str]
    port: NotRequired[int]
    endpoint: NotRequired[str]
    dns: NotRequired[list[str]]
    mtu: NotRequired[int]


class InterfaceSetBody(TypedDict):
    """Change an interface; what is absent stays. Port, pools and MTU of adopted interfaces belong to their owner."""

    name: str
    port: NotRequired[int]
    pools: NotRequired[list[str]]
    endpoint: NotRequired[str]
    dns: NotRequired[list[str]]
    mtu: NotRequired[int]


class InterfaceAdoptBody(TypedDict):
    """Take part in an interface that exists. Nobody on it is disturbed. `pools` default to its own addresses."""

    name: str
    endpoint: NotRequired[str]
    pools: NotRequired[list[str]]
    dns: NotRequired[list[str]]


class InterfaceEnforceBody(TypedDict):
    """Let jitd decide about every peer of an adopted interface (on), or leave unmanaged ones alone (off)."""

    name: str
    on: bool
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]
    reason: NotRequired[str | None]


class InterfaceReply(ChangeReply):
    """The interface after the verb, with its peers. For a plan there is only the plan, and `done` is false."""

    interface: NotRequired[InterfaceView]
    peers: NotRequired[list[PeerView]]
    plan: NotRequired[Plan]
    done: NotRequired[bool]
    warnings: NotRequired[list[str]]


class InterfaceShowReply(Reply):
    """One interface with its peers as read back just now."""

    interface: InterfaceView
    peers: list[PeerView]


class InterfacesReply(Reply):
    """All interfaces."""

    interfaces: list[InterfaceView]


# --- people ---


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


class ChangeView(TypedDict):
    """A change of rules that so many people have to agree to (`quorum`) as the networks ask for that it is about (none: who
    administers). `verb` are the words of its command, `what` the sentences of what it lets in, `status` is pending, approved or
    rejected, `mine`: the caller has agreed. It is not approved any more after `lapses`.
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
    status: str
    ended_by: str
    mine: bool


class ChangesReply(Reply):
    """The changes that wait for those who decide with the caller."""

    changes: list[ChangeView]


class ChangeBody(TypedDict):
    """A verb on a change. `plan`: only say what it would do; `confirm` is the token of the plan that was shown."""

    id: int
    comment: NotRequired[str | None]
    plan: NotRequired[bool | None]
    confirm: NotRequired[str | None]


class ChangeApproveReply(ChangeReply):
    """The change after the verb. `done`: it was made, or rejected. For a plan there is only the plan."""

    change: NotRequired[ChangeView]
    plan: NotRequired[Plan]
    done: bool


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


# --- devices ---


class DeviceView(TypedDict):
    """A device with its tunnel addresses, by interface name. `ends` is when it is removed by itself, or null.

    `last_handshake` is as it was read last, milliseconds UTC: at most 30 s ago. 0 is never.
    """

    user: str
    name: str
    public_key: str
    created: int
    ends: int | None
    addresses: dict[str, list[str]]
    last_handshake: int


class DeviceAddBody(TypedDict):
    """Register a public key, until `until` (milliseconds UTC) or for good; `user` only for administrators.

    With `config` the reply has the device's wg-quick file too, for `interface` if there are several, and nothing is
    registered where there is none. With `plan` nothing is registered at all, and the reply is what it would be.
    """

    name: str
    public_key: str
    until: NotRequired[int | None]
    user: NotRequired[str | None]
    config: NotRequired[bool]
    interface: NotRequired[str | None]
    plan: NotRequired[bool]


class DeviceRefBody(TypedDict):
    """A verb on one device; without `name` the only one of the user."""

    name: NotRequired[str | None]
    user: NotRequired[str | None]
    interface: NotRequired[str | None]
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]


class DeviceRemoveBody(DeviceRefBody):
    """Remove a device. `lost`: it was lost, so that its key is never let in again, and administrators are told."""

    lost: NotRequired[bool]


class DeviceRotateBody(TypedDict):
    """Put another public key in the place of a device's; without `name` the only device of the user.

    `replaces` is the key that the caller takes for the registered one: where it is not, nothing is changed.
    """

    public_key: str
    replaces: NotRequired[str | None]
    name: NotRequired[str | None]
    user: NotRequired[str | None]


class DeviceQuery(TypedDict):
    """Whose devices; administrators may name a user or see all."""

    user: NotRequired[str]
    all: NotRequired[bool]


class ImportLine(TypedDict):
    """One unmanaged peer and whose it is."""

    public_key: str
    user: str
    name: str


class DeviceImportBody(TypedDict):
    """Name the owners of unmanaged peers, all or none."""

    interface: str
    devices: list[ImportLine]


class DeviceReply(ChangeReply):
    """The device after the verb. For a plan there is only what it would be, and `done` is false.

    `config` is there where it was asked for. `already`: it had been reported lost before, and nothing was changed.
    """

    device: NotRequired[DeviceView]
    plan: NotRequired[Plan]
    done: NotRequired[bool]
    warnings: NotRequired[list[str]]
    config: NotRequired[str]
    already: NotRequired[bool]


class DeviceRotateReply(ChangeReply):
    """The device with its new key. `already`: it had that before, and nothing was changed.

    `replaced` is the key that it had, "" for `already`. `preshared_key_dropped`: the old key came with a preshared key,
    which went with it.
    """

    device: DeviceView
    replaced: str
    preshared_key_dropped: bool
    already: bool


class DevicesReply(Reply):
    """Devices."""

    devices: list[DeviceView]


class DevicesChangeReply(ChangeReply):
    """Devices after an import."""

    devices: list[DeviceView]


class DeviceConfigReply(ChangeReply):
    """A wg-quick file with a place for the private key, which never leaves the user's machine."""

    device: str
    interface: str
    config: str
