"""Who may call what: every verb of the API against every kind of caller."""

from dataclasses import replace

import pytest
from world import ALICE, BOB, CAROL, DAVE, ROOT, World, key

from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.diagnostics import doctor
from jitd.queries import eventlog, history, listing, overview, report, show, whys
from jitd.server.route import Kind
from jitd.server.routes import ROUTES
from jitd.store import restored
from jitd.verbs import (
    changes,
    devices,
    freezing,
    grants,
    holding,
    interfaces,
    networks,
    notify,
    outbox,
    policies,
    removal,
    requests,
    restoring,
    users,
)

SERVICE = Actor(uid=1, user="daemon")
GATE = Actor(uid=61009, user="jit", login_uid=61009, login_user="jit")
SUDO_CAROL = Actor(uid=0, user="root", login_uid=61003, login_user="carol")
CALLERS = {
    "owner": ALICE,
    "other": BOB,
    "admin": CAROL,
    "root": ROOT,
    "sudo": SUDO_CAROL,
    "system": SERVICE,
    "gate": GATE,
}

#: For each verb: a body that works in the world below, and who may call it with that body.
#: "owner" is alice, whom request 1 (pending), request 2 (active) and the device laptop belong to.
ADMINS = {"admin", "root", "sudo"}
EVERYBODY = set(CALLERS)
MATRIX = {
    requests.request: ({"network": "lab", "reason": "x"}, {"owner", "other", "admin", "sudo"}),
    requests.ensure: ({"network": "lab", "reason": "x"}, {"owner", "other", "admin", "sudo"}),
    requests.cancel: ({"id": 1}, {"owner"}),
    holding.release: ({"id": 2}, {"owner"}),
    holding.pause: ({"id": 2}, {"owner"}),
    holding.resume: ({"id": 2}, {"owner"}),
    grants.grant: ({"id": 1}, ADMINS),
    grants.extend: ({"id": 2, "duration": 60_000}, {"owner", *ADMINS}),
    grants.deny: ({"id": 1}, ADMINS),
    grants.revoke: ({"id": 2}, ADMINS),
    grants.acknowledge: ({"id": 3, "comment": "looked at"}, ADMINS),
    freezing.freeze: ({"reason": "intruder"}, ADMINS),
    freezing.thaw: ({}, ADMINS),
    restoring.accept_restored: ({}, ADMINS),
    networks.add: ({"name": "new", "interface": "wg2", "routes": ["10.3.0.0/16"]}, ADMINS),
    networks.set_: ({"name": "office", "members": ["alice"]}, ADMINS),
    networks.jit: ({"name": "office", "on": True}, ADMINS),
    networks.remove: ({"name": "office"}, ADMINS),
    networks.list_: ({}, EVERYBODY),
    networks.show: ({"name": "office"}, EVERYBODY),
    interfaces.add: ({"name": "wg3", "pools": ["10.7.0.0/24"], "port": 3}, ADMINS),
    interfaces.set_: ({"name": "wg0", "mtu": 1400}, ADMINS),
    interfaces.remove: ({"name": "wg2"}, ADMINS),
    interfaces.adopt: ({"name": "wg9"}, ADMINS),
    interfaces.enforce: ({"name": "wg0", "on": True}, ADMINS),
    interfaces.list_: ({}, ADMINS),
    interfaces.show: ({"name": "wg0"}, ADMINS),
    devices.add: ({"name": "new", "public_key": key("new")}, {"owner", "other", "admin", "sudo"}),
    removal.remove: ({"name": "laptop", "user": "alice"}, {"owner", *ADMINS}),
    devices.rotate: ({"public_key": key("new"), "user": "alice"}, {"owner", *ADMINS}),
    devices.import_: ({"interface": "wg0", "devices": []}, ADMINS),
    devices.config: ({"name": "laptop", "user": "alice", "interface": "wg0"}, {"owner", *ADMINS}),
    devices.list_: ({"user": "alice"}, {"owner", *ADMINS}),
    notify.on: ({"user": "alice"}, {"owner", *ADMINS}),
    notify.off: ({"user": "alice"}, {"owner", *ADMINS}),
    notify.show: ({"user": "alice"}, {"owner", *ADMINS}),
    notify.test: ({"to": "you@example.org"}, ADMINS),
    notify.result: ({"id": 1}, ADMINS),
    outbox.list_: ({}, ADMINS),
    outbox.retry: ({}, ADMINS),
    outbox.drop: ({}, ADMINS),
    policies.export: ({}, ADMINS),
    policies.apply: ({"text": "[network.lab]\nroutes=['10.2.0.0/16']\ninterface='wg1'\n"}, ADMINS),
    users.add: ({"user": "zoe", "until": 1_790_100_000_000}, ADMINS),
    users.set_: ({"user": "bob", "email": "bob@example.org"}, ADMINS),
    users.disable: ({"user": "bob", "reason": "left"}, ADMINS),
    users.enable: ({"user": "bob"}, ADMINS),
    changes.list_: ({}, EVERYBODY),
    changes.approve: ({"id": 1}, {"admin", "sudo"}),
    changes.reject: ({"id": 1}, ADMINS),
    users.confirm: ({"all": True}, ADMINS),
    users.list_: ({}, ADMINS),
    users.gate: ({"user": "contractor"}, {"gate"}),
    listing.list_: ({}, EVERYBODY),
    show.show: ({"id": 1}, {"owner", *ADMINS}),
    history.history: ({"id": 1}, ADMINS),
    whys.why: ({"user": "alice", "network": "office"}, {"owner", *ADMINS}),
    report.report: ({"user": "alice"}, {"owner", *ADMINS}),
    overview.status: ({}, EVERYBODY),
    eventlog.events_: ({}, EVERYBODY),
    overview.health: ({}, EVERYBODY),
    doctor.doctor: ({"network": "office", "user": "alice"}, {"owner", *ADMINS}),
}


def test_every_verb_of_the_api_is_in_the_matrix() -> None:
    """A route whose verb is not here fails this test: nobody has said who may call it."""
    assert {route.verb for route in ROUTES if route.verb is not None} == set(MATRIX)


@pytest.mark.parametrize("caller", sorted(CALLERS))
@pytest.mark.parametrize(
    "verb", MATRIX, ids=lambda verb: f"{verb.__module__.rpartition('.')[2]}.{verb.__name__}"
)
async def test_who_may_call_what(world: World, verb, caller: str) -> None:
    """Who may call a verb succeeds; everybody else is refused, and not one event is recorded."""
    world.service.reload(replace(world.config, mail=Mail(server="localhost", sender="jitd@example.org")))
    await world.furnish()
    await world.do(notify.test, ROOT, to="you@example.org")
    await world.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=1)
    await world.do(interfaces.add, ROOT, name="wg2", pools=["10.6.0.0/24"], port=2)
    await world.do(networks.add, ROOT, name="lab", interface="wg1", routes=["10.2.0.0/16"])
    await world.do(requests.request, ALICE, network="lab", reason="pending")
    await world.granted(ALICE)
    vault = {
        "name": "vault",
        "interface": "wg1",
        "routes": ["10.4.0.0/16"],
        "changes": ["jit.break_glass=bob"],
    }
    await world.do(networks.add, ROOT, **vault)
    await world.do(requests.request, BOB, network="vault", reason="it is on fire", break_glass=True)
    await world.do(users.add, ROOT, user="contractor", until=1_790_100_000_000)
    strict = {"name": "strict", "interface": "wg1", "routes": ["10.8.0.0/16"], "changes": ["approvals=2"]}
    await world.do(networks.add, ROOT, **strict)
    with pytest.raises(JitError, match="waits as change 1"):
        await world.do(networks.set_, DAVE, name="strict", changes=["approvals=1"])
    if caller == "owner" and verb is requests.request:
        await world.do(requests.cancel, ALICE, id=1)
    if verb is restoring.accept_restored:
        await world.service.record_delivery(lambda rows: restored.note(rows, 1, 1, 2))
    world.wireguard.add_foreign_link("wg9", addresses=("10.5.0.1/24",), port=9)
    route = next(route for route in ROUTES if route.verb is verb)
    body, allowed = MATRIX[verb]
    before = (await world.ask(eventlog.events_, ROOT))["next"]
    call = (
        world.service.query
        if route.kind in (Kind.STREAM, Kind.GATE)
        else getattr(world.service, route.kind.value)
    )
    if caller in allowed:
        await call(verb, CALLERS[caller], body)
        return
    with pytest.raises(JitError) as caught:
        await call(verb, CALLERS[caller], body)
    assert caught.value.code in ("not_permitted", "not_found")
    assert (await world.ask(eventlog.events_, ROOT))["next"] == before
