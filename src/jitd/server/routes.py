"""The API as a table, to be read aloud: method, path, how it reaches the service, verb, who may call it, what it takes
and gives. Where access depends on an object, a loader in the same row finds it. `concerns` is whom the system is asked
about before. `counted=False`: no rate ever refuses it (server/rates.py). That is what closes access, and what may be long
lists of an administrator's.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict

from jitd import wire
from jitd.diagnostics import doctor
from jitd.queries import eventlog, history, listing, metrics, overview, report, show, why
from jitd.server.route import Kind, Route
from jitd.verbs import (
    changes,
    devices,
    freezing,
    grants,
    holding,
    interfaces,
    lookup,
    networks,
    notify,
    outbox,
    policies,
    removal,
    requests,
    restoring,
    users,
)
from jitd.verbs import concerned as about
from jitd.verbs.access import Access, Role, Rule, admins, deciders, either, owners, person

_CHANGE: Final = Kind.CHANGE
_QUERY: Final = Kind.QUERY
_PEEK: Final = Kind.PEEK

_ANY: Final = Access(Role.ANY)
_PERSON: Final = Access(Role.PERSON, loader=person)
_GATE: Final = Access(Role.GATE)
_OWNER_OR_ADMIN: Final = Access(Role.OWNER | Role.ADMIN, loader=person)


class NoQuery(TypedDict):
    """Takes nothing."""


ROUTES: Final[tuple[Route, ...]] = (
    # requests and grants
    Route("POST", "/v1/request", _CHANGE, requests.request, _PERSON,
          wire.RequestBody, wire.RequestReply, "Ask for access", concerns=about.USER),
    Route("POST", "/v1/ensure", _CHANGE, requests.ensure, _PERSON,
          wire.RequestBody, wire.RequestReply, "Make sure of access for a duration: request only what is "
              "missing", concerns=about.USER),
    Route("POST", "/v1/cancel", _CHANGE, requests.cancel, owners("cancel", lookup.mine),
          wire.IdBody, wire.RequestReply, "Withdraw a request", counted=False, concerns=about.REQUEST),
    Route("POST", "/v1/grant", _CHANGE, grants.grant, deciders("grant access", grants.asked),
          wire.GrantBody, wire.RequestReply, "Give access for a duration", concerns=about.USER_OR_REQUEST),
    Route("POST", "/v1/extend", _CHANGE, grants.extend, either(lookup.numbered),
          wire.ExtendBody, wire.RequestReply, "Extend a grant", concerns=about.REQUEST),
    Route("POST", "/v1/deny", _CHANGE, grants.deny, deciders("deny a request", lookup.numbered),
          wire.DecisionBody, wire.RequestReply, "Deny a request", counted=False, concerns=about.REQUEST),
    Route("POST", "/v1/revoke", _CHANGE, grants.revoke, deciders("revoke a grant", lookup.numbered),
          wire.DecisionBody, wire.RequestReply, "Revoke a grant of another user", counted=False, concerns=about.REQUEST),
    Route("POST", "/v1/acknowledge", _CHANGE, grants.acknowledge, deciders("acknowledge a grant", lookup.numbered),
          wire.DecisionBody, wire.RequestReply, "Acknowledge a use of break-glass", concerns=about.REQUEST),
    Route("POST", "/v1/freeze", _CHANGE, freezing.freeze, admins("freeze"),
          wire.FreezeBody, wire.FreezeReply, "Block all access at once", counted=False),
    Route("POST", "/v1/accept-restored", _CHANGE, restoring.accept_restored, admins("accept a restored store"),
          wire.AcceptRestoredBody, wire.AcceptRestoredReply, "Reopen access after the store was restored"),
    Route("POST", "/v1/thaw", _CHANGE, freezing.thaw, admins("thaw"),
          NoQuery, wire.FreezeReply, "End a freeze"),
    Route("POST", "/v1/release", _CHANGE, holding.release, owners("release", lookup.mine),
          wire.IdBody, wire.RequestReply, "Release one's own grant", counted=False, concerns=about.REQUEST),
    Route("POST", "/v1/pause", _CHANGE, holding.pause, owners("pause", lookup.mine),
          wire.IdBody, wire.RequestReply, "Switch a grant off for now", counted=False, concerns=about.REQUEST),
    Route("POST", "/v1/resume", _CHANGE, holding.resume, owners("resume", lookup.mine),
          wire.IdBody, wire.RequestReply, "Switch a grant on again", concerns=about.REQUEST),
    # networks
    Route("POST", "/v1/network/add", _CHANGE, networks.add, admins("add a network"),
          wire.NetworkAddBody, wire.NetworkReply, "Add a network", concerns=about.RULES),
    Route("POST", "/v1/network/set", _CHANGE, networks.set_, admins("change a network"),
          wire.NetworkSetBody, wire.NetworkReply, "Change a network", concerns=about.RULES),
    Route("POST", "/v1/network/remove", _CHANGE, networks.remove, admins("remove a network"),
          wire.NameBody, wire.NetworkReply, "Remove a network", counted=False),
    Route("POST", "/v1/network/jit", _CHANGE, networks.jit, admins("switch just-in-time access"),
          wire.NetworkJitBody, wire.NetworkReply, "Switch JIT on or off"),
    Route("GET", "/v1/network/list", _QUERY, networks.list_, _ANY,
          NoQuery, wire.NetworksReply, "List networks"),
    Route("GET", "/v1/network/show", _QUERY, networks.show, _ANY,
          wire.NameQuery, wire.NetworkShowReply, "Show a network"),
    Route("GET", "/v1/policy/export", _QUERY, policies.export, admins("export the policy"),
          NoQuery, wire.PolicyReply, "Export all networks as a policy file"),
    Route("POST", "/v1/policy/apply", _CHANGE, policies.apply, admins("apply a policy"),
          wire.PolicyApplyBody, wire.PolicyApplyReply, "Change the networks to match a policy "
              "file", counted=False, concerns=about.POLICY),
    Route("GET", "/v1/change/list", _QUERY, changes.list_, _ANY, NoQuery,
          wire.ChangesReply, "List rule changes that wait for approvals"),
    Route("POST", "/v1/change/approve", _CHANGE, changes.approve, deciders("approve a change", changes.numbered),
          wire.ChangeBody, wire.ChangeApproveReply, "Approve a rule change; the last approval applies "
              "it", concerns=about.CHANGE),
    Route("POST", "/v1/change/reject", _CHANGE, changes.reject, deciders("reject a change", changes.numbered),
          wire.DecisionBody, wire.ChangeApproveReply, "Reject a change", counted=False),
    # interfaces
    Route("POST", "/v1/interface/add", _CHANGE, interfaces.add, admins("add an interface"),
          wire.InterfaceAddBody, wire.InterfaceReply, "Create an interface"),
    Route("POST", "/v1/interface/set", _CHANGE, interfaces.set_, admins("change an interface"),
          wire.InterfaceSetBody, wire.InterfaceReply, "Change an interface"),
    Route("POST", "/v1/interface/remove", _CHANGE, interfaces.remove, admins("remove an interface"),
          wire.NameBody, wire.InterfaceReply, "Remove an interface", counted=False),
    Route("POST", "/v1/interface/adopt", _CHANGE, interfaces.adopt, admins("adopt an interface"),
          wire.InterfaceAdoptBody, wire.InterfaceReply, "Adopt an interface"),
    Route("POST", "/v1/interface/enforce", _CHANGE, interfaces.enforce, admins("enforce an interface"),
          wire.InterfaceEnforceBody, wire.InterfaceReply, "Control all peers, or only those of registered "
              "devices"),
    Route("GET", "/v1/interface/list", _PEEK, interfaces.list_, admins("list interfaces"), NoQuery,
          wire.InterfacesReply, "List interfaces"),
    Route("GET", "/v1/interface/show", _PEEK, interfaces.show, admins("show an interface"),
          wire.NameQuery, wire.InterfaceShowReply, "Show an interface and its peers"),
    # devices
    Route("POST", "/v1/device/add", _CHANGE, devices.add, _PERSON,
          wire.DeviceAddBody, wire.DeviceReply, "Register a public key", concerns=about.USER),
    Route("POST", "/v1/device/remove", _CHANGE, removal.remove, _OWNER_OR_ADMIN,
          wire.DeviceRemoveBody, wire.DeviceReply, "Remove a device", counted=False, concerns=about.USER),
    Route("POST", "/v1/device/rotate", _CHANGE, devices.rotate, _OWNER_OR_ADMIN,
          wire.DeviceRotateBody, wire.DeviceRotateReply, "Replace the public key of a device", concerns=about.USER),
    Route("POST", "/v1/device/import", _CHANGE, devices.import_, admins("import devices"),
          wire.DeviceImportBody, wire.DevicesChangeReply, "Assign unmanaged peers to users", counted=False, concerns=about.OWNERS),
    Route("POST", "/v1/device/config", _CHANGE, devices.config, _OWNER_OR_ADMIN,
          wire.DeviceRefBody, wire.DeviceConfigReply, "A wg-quick file for a device", concerns=about.USER),
    Route("GET", "/v1/device/list", _QUERY, devices.list_, Access(Role.OWNER | Role.ADMIN, loader=devices.listed),
          wire.DeviceQuery, wire.DevicesReply, "List devices", concerns=about.USER),
    # people
    Route("POST", "/v1/user/add", _CHANGE, users.add, admins("register a user"),
          wire.UserAddBody, wire.UserReply, "Register a person who has no account on this "
              "system", concerns=about.USER),
    Route("POST", "/v1/user/set", _CHANGE, users.set_, admins("change a user"),
          wire.UserSetBody, wire.UserReply, "Change somebody", concerns=about.USER),
    Route("POST", "/v1/user/disable", _CHANGE, users.disable, admins("disable a user"),
          wire.UserDisableBody, wire.UserReply, "Block all access of a user at "
              "once", counted=False, concerns=about.USER),
    Route("POST", "/v1/user/enable", _CHANGE, users.enable, admins("enable a user"),
          wire.UserBody, wire.UserReply, "Undo the block of a user", concerns=about.USER),
    Route("POST", "/v1/user/confirm", _CHANGE, users.confirm, admins("confirm a user"),
          wire.UserConfirmBody, wire.UserConfirmReply, "Confirm that returning accounts belong to the same "
              "people", concerns=about.USERS),
    Route("GET", "/v1/user/list", _QUERY, users.list_, admins("list the users"),
          NoQuery, wire.UsersReply, "List everybody"),
    Route("POST", "/v1/gate", Kind.GATE, users.gate, _GATE,
          wire.GateBody, wire.GateReply, "Act for a registered user, for the rest of this connection"),
    # telling people
    Route("GET", "/v1/outbox/list", _QUERY, outbox.list_, admins("list the outbox"),
          NoQuery, wire.OutboxReply, "List undelivered messages"),
    Route("POST", "/v1/outbox/retry", _CHANGE, outbox.retry, admins("retry messages"),
          wire.OutboxBody, wire.OutboxRetryReply, "Try to deliver messages again at once"),
    Route("POST", "/v1/outbox/drop", _CHANGE, outbox.drop, admins("drop messages"),
          wire.OutboxBody, wire.OutboxChangeReply, "Discard messages"),
    Route("POST", "/v1/notify/on", _CHANGE, notify.on, _OWNER_OR_ADMIN,
          wire.NotifyBody, wire.NotifyReply, "Turn mail on", concerns=about.USER),
    Route("POST", "/v1/notify/off", _CHANGE, notify.off, _OWNER_OR_ADMIN,
          wire.NotifyBody, wire.NotifyReply, "Turn mail off", concerns=about.USER),
    Route("GET", "/v1/notify/show", _QUERY, notify.show, _OWNER_OR_ADMIN,
          wire.NotifyQuery, wire.NotifyShowReply, "Show whether and where a user gets "
              "mail", concerns=about.USER),
    Route("POST", "/v1/notify/test", _CHANGE, notify.test, admins("send a test"),
          wire.NotifyTestBody, wire.NotifyTestReply, "Send a test message"),
    Route("GET", "/v1/notify/result", _QUERY, notify.result, admins("see what became of a test"),
          wire.IdQuery, wire.NotifyResultReply, "Show the result of a test message"),
    # looking
    Route("GET", "/v1/list", _QUERY, listing.list_, _ANY,
          wire.ListQuery, wire.ListReply, "List requests and grants", concerns=about.USER),
    Route("GET", "/v1/show", _QUERY, show.show, either(lookup.numbered),
          wire.IdQuery, wire.ShowReply, "Show a request with its history", concerns=about.REQUEST),
    Route("GET", "/v1/history", _QUERY, history.history, deciders("see the history behind a request", lookup.numbered),
          wire.IdQuery, wire.HistoryReply, "Show the background of a request before a "
              "decision", concerns=about.REQUEST),
    Route("GET", "/v1/why", _QUERY, why.why, either(why.explained),
          wire.WhyQuery, wire.WhyReply, "Explain which rules apply to a "
              "user", concerns=about.USER_OR_REQUEST),
    Route("GET", "/v1/report", _QUERY, report.report, either(report.about),
          wire.ReportQuery, wire.ReportReply, "Summarise requests and their outcomes in a "
              "period", concerns=about.USER),
    Route("GET", "/v1/status", _QUERY, overview.status, _ANY, NoQuery,
          wire.StatusReply, "Every network of the caller"),
    Route("GET", "/v1/doctor", Kind.EXAMINE, doctor.doctor, Access(Role.OWNER | Role.ADMIN, loader=doctor.examined),
          wire.DoctorQuery, wire.DoctorReply, "Examine a part of the gateway, or whether a network works", concerns=about.USER),
    Route("GET", "/v1/health", _QUERY, overview.health, _ANY,
          NoQuery, wire.Health, "Who answers"),
    Route("GET", "/v1/metrics", Kind.MEASURE, metrics.metrics, Access(Role.METRICS, "read the metrics"), NoQuery,
          NoQuery, "Metrics as OpenMetrics text"),
    Route("GET", "/v1/events", Kind.STREAM, eventlog.events_, _ANY,
          wire.EventsQuery, wire.EventView, "Print events; with follow, also new ones as they "
              "happen", concerns=about.USER_OR_REQUEST),
    Route("GET", "/v1/openapi.json", Kind.DOCUMENT, None, _ANY,
          NoQuery, NoQuery, "This description"),
)  # fmt: skip

#: What the engine is told of each verb; a verb that is not here is not run.
RULES: Final[Mapping[Callable[..., Any], Rule]] = {
    route.verb: Rule(route.access, route.concerns) for route in ROUTES if route.verb is not None
}
