"""Every verb of the API: a body that works, and the world that it works in."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from jitd.core.configuration import Mail, Metrics
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.core.people import Answer, Person
from jitd.diagnostics import doctor
from jitd.queries import eventlog, history, listing, metrics, overview, report, show, why
from jitd.server.route import Kind, Route
from jitd.server.routes import RULES
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
from jitd.verbs.access import Role
from support.service import ALICE, BOB, CAROL, DAVE, ROOT, World, key

ERIN = Actor(uid=61005, user="erin", login_uid=61005, login_user="erin")
SERVICE = Actor(uid=1, user="daemon")
GATE = Actor(uid=61009, user="jit", login_uid=61009, login_user="jit")
SCRAPER = Actor(uid=112, user="prometheus")  # a system account, member of [metrics] group
SUDO_CAROL = Actor(uid=0, user="root", login_uid=61003, login_user="carol")
CALLERS = {
    "owner": ALICE,
    "other": BOB,
    "decider": ERIN,
    "admin": CAROL,
    "root": ROOT,
    "sudo": SUDO_CAROL,
    "system": SERVICE,
    "gate": GATE,
    "metrics": SCRAPER,
}

#: For each verb: a body that works in the world below.
BODIES: dict[Callable[..., Any], Mapping[str, Any]] = {
    requests.request: {"network": "lab", "reason": "x"},
    requests.ensure: {"network": "lab", "reason": "x"},
    requests.cancel: {"id": 1},
    holding.release: {"id": 2},
    holding.pause: {"id": 2},
    holding.resume: {"id": 2},
    grants.grant: {"id": 1},
    grants.extend: {"id": 2, "duration": 60_000},
    grants.deny: {"id": 1},
    grants.revoke: {"id": 2},
    grants.acknowledge: {"id": 3, "comment": "looked at"},
    freezing.freeze: {"reason": "intruder"},
    freezing.thaw: {},
    restoring.accept_restored: {},
    networks.add: {"name": "new", "interface": "wg2", "routes": ["10.3.0.0/16"]},
    networks.set_: {"name": "office", "members": ["alice"]},
    networks.jit: {"name": "office", "on": True},
    networks.remove: {"name": "office"},
    networks.list_: {},
    networks.show: {"name": "office"},
    interfaces.add: {"name": "wg3", "pools": ["10.7.0.0/24"], "port": 3},
    interfaces.set_: {"name": "wg0", "mtu": 1400},
    interfaces.remove: {"name": "wg2"},
    interfaces.adopt: {"name": "wg9"},
    interfaces.enforce: {"name": "wg0", "on": True},
    interfaces.list_: {},
    interfaces.show: {"name": "wg0"},
    devices.add: {"name": "new", "public_key": key("new")},
    removal.remove: {"name": "laptop", "user": "alice"},
    devices.rotate: {"public_key": key("new"), "user": "alice"},
    devices.import_: {"interface": "wg0", "devices": []},
    devices.config: {"name": "laptop", "user": "alice", "interface": "wg0"},
    devices.list_: {"user": "alice"},
    notify.on: {"user": "alice"},
    notify.off: {"user": "alice"},
    notify.show: {"user": "alice"},
    notify.test: {"to": "you@example.org"},
    notify.result: {"id": 1},
    outbox.list_: {},
    outbox.retry: {},
    outbox.drop: {},
    policies.export: {},
    policies.apply: {"text": "[network.lab]\nroutes=['10.2.0.0/16']\ninterface='wg1'\n"},
    users.add: {"user": "zoe", "until": 1_790_100_000_000},
    users.set_: {"user": "bob", "email": "bob@example.org"},
    users.disable: {"user": "bob", "reason": "left"},
    users.enable: {"user": "bob"},
    changes.list_: {},
    changes.approve: {"id": 1},
    changes.reject: {"id": 1},
    users.confirm: {"all": True},
    users.list_: {},
    users.gate: {"user": "contractor"},
    listing.list_: {},
    show.show: {"id": 1},
    history.history: {"id": 1},
    why.why: {"user": "alice", "network": "office"},
    report.report: {"user": "alice"},
    overview.status: {},
    eventlog.events_: {},
    overview.health: {},
    metrics.metrics: {},
    doctor.doctor: {"network": "office", "user": "alice"},
}


async def furnish(world: World, verb: Callable[..., Any], caller: str) -> None:
    """Make the world that the bodies are for, as this verb of this caller finds it."""
    mail, reader = Mail(server="localhost", sender="jitd@example.org"), Metrics(group="monitoring")
    world.service.reload(replace(world.config, mail=mail, metrics=reader))
    scraper = Person(name="prometheus", exists=Answer.YES, uid=112, groups=frozenset({"monitoring"}))
    world.people.people["prometheus"] = scraper
    world.people.people["erin"] = Person(name="erin", exists=Answer.YES, uid=61005, groups=frozenset())
    await world.furnish()
    await world.do(devices.add, ERIN, name="laptop", public_key=key("erin"))
    await world.do(notify.test, ROOT, to="you@example.org")
    await world.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=1)
    await world.do(interfaces.add, ROOT, name="wg2", pools=["10.6.0.0/24"], port=2)
    decided = ["approvers+=erin"]
    await world.do(networks.add, ROOT, name="lab", interface="wg1", routes=["10.2.0.0/16"], changes=decided)
    await world.do(networks.set_, ROOT, name="office", changes=decided)
    await world.do(requests.request, ALICE, network="lab", reason="pending")
    await world.granted(ALICE)
    vault = {
        "name": "vault",
        "interface": "wg1",
        "routes": ["10.4.0.0/16"],
        "changes": ["jit.break_glass=bob", *decided],
    }
    await world.do(networks.add, ROOT, **vault)
    await world.do(requests.request, BOB, network="vault", reason="it is on fire", break_glass=True)
    await world.do(users.add, ROOT, user="contractor", until=1_790_100_000_000)
    strict = {
        "name": "strict",
        "interface": "wg1",
        "routes": ["10.8.0.0/16"],
        "changes": ["approvals=2", *decided],
    }
    await world.do(networks.add, ROOT, **strict)
    with pytest.raises(JitError, match="waits as change 1"):
        await world.do(networks.set_, DAVE, name="strict", changes=["approvals=1"])
    if caller == "owner" and verb is requests.request:
        await world.do(requests.cancel, ALICE, id=1)
    if verb is restoring.accept_restored:
        await world.service.record_delivery(lambda rows: restored.note(rows, 1, 1, 2))
    world.wireguard.add_foreign_link("wg9", addresses=("10.5.0.1/24",), port=9)


async def ask(world: World, route: Route, actor: Actor, body: Mapping[str, Any]) -> Any:
    """Run the verb of a route as the server does."""
    kind = Kind.QUERY if route.kind in (Kind.STREAM, Kind.GATE) else route.kind
    return await getattr(world.service, kind.value)(route.verb, actor, body)


#: Whom a role of the table lets in, in the world below. "owner" is alice, whom request 1 (pending), request 2 (active) and
#: the device laptop belong to; "decider" is an approver of every network, and no administrator.
ADMINS = {"admin", "root", "sudo"}
LET_IN = {
    Role.ADMIN: ADMINS,
    Role.DECIDER: {"decider", *ADMINS},
    Role.OWNER: {"owner"},
    Role.PERSON: {"owner", "other", "decider", "admin", "sudo"},
    Role.GATE: {"gate"},
    Role.METRICS: {"metrics", *ADMINS},
    Role.ANY: set(CALLERS),
}
#: Of several people who have to agree, root in nobody's name is none.
REFUSED_ALL_THE_SAME = {changes.approve: {"root"}}


def allowed(verb: Callable[..., Any]) -> set[str]:
    """Which callers the API's table lets in."""
    named = set[str]().union(*(LET_IN[role] for role in RULES[verb].access.roles))
    return named - REFUSED_ALL_THE_SAME.get(verb, set())
