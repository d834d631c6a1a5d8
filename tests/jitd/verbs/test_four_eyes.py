"""Four eyes: one administrator alone gets around nothing where several have to agree."""

from dataclasses import replace
from typing import Any

import pytest

from jitd.core.configuration import Policy
from jitd.core.errors import JitError
from jitd.core.model import REGISTERED, Actor
from jitd.queries import eventlog, history, show
from jitd.store.database import FILE_NAME, Store
from jitd.store.schema import MIGRATIONS
from jitd.verbs import devices, grants, networks, requests, users
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key

SUDO_CAROL = Actor(uid=0, user="root", login_uid=61003, login_user="carol")
SUDO_DAVE = Actor(uid=0, user="root", login_uid=61004, login_user="dave")
ROOT_LOGIN = Actor(uid=0, user="root", login_uid=0, login_user="root")


async def refusal(world: World, verb: Any, actor: Actor, **body: Any) -> str:
    """Why a verb is refused."""
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    return caught.value.message


async def marks(world: World, number: int) -> list[str]:
    """The marks of a request."""
    return list((await world.ask(show.show, ROOT, id=number))["request"]["marks"])


@pytest.fixture
async def strict(office: World) -> World:
    """An office where two have to agree."""
    await office.do(networks.set_, ROOT, name="office", changes=["approvals=2"])
    return office


@pytest.fixture
async def everywhere(office: World) -> World:
    """An office where one yes is enough, on a gateway of root who wants four eyes."""
    office.service.reload(replace(office.config, policy=Policy(four_eyes=True)))
    return office


async def test_nobody_decides_for_a_key_that_they_registered(everywhere: World) -> None:
    """Attack: an administrator registers her own key as somebody else's device, and says yes to that one: by a new device,
    by another key of an old one, and behind sudo.
    """
    await everywhere.do(devices.add, CAROL, name="bobs", user="bob", public_key=key("carol"))
    number = await everywhere.asked(BOB)
    for actor in (CAROL, SUDO_CAROL):
        said = await refusal(everywhere, grants.grant, actor, id=number)
        assert said.startswith(f"cannot grant {number}: you registered bob's device bobs")
    assert "you registered" in (await everywhere.ask(history.history, CAROL, id=number))["refused"]
    assert (await everywhere.do(grants.grant, DAVE, id=number))["request"]["status"] == "active"
    assert "you registered" in await refusal(everywhere, grants.extend, CAROL, id=number, duration=HOUR)
    await everywhere.do(devices.rotate, CAROL, name="laptop", user="alice", public_key=key("phone"))
    hers = await everywhere.asked(ALICE)
    assert "you registered alice's device laptop" in await refusal(everywhere, grants.grant, CAROL, id=hers)
    # Its user puts a key of her own in its place: nothing of carol's is left.
    await everywhere.do(devices.rotate, ALICE, name="laptop", public_key=key("old"))
    assert (await everywhere.do(grants.grant, CAROL, id=hers))["request"]["status"] == "active"


async def test_nobody_decides_for_a_person_whom_they_made(everywhere: World) -> None:
    """Attack: a contractor who does not exist, with a key of the administrator's own."""
    await everywhere.do(users.add, CAROL, user="svc-x", until=everywhere.clock.now_ms() + 24 * HOUR)
    await everywhere.do(devices.add, CAROL, name="d", user="svc-x", public_key=key("carol"))
    said = await refusal(everywhere, grants.grant, CAROL, user="svc-x", network="office")
    assert said.startswith(
        "cannot grant access to svc-x: you registered svc-x, and on office another approver"
    )
    given = await everywhere.do(grants.grant, DAVE, user="svc-x", network="office")
    assert given["request"]["status"] == "active"


async def test_elsewhere_somebody_else_looks_at_it(office: World) -> None:
    """Where one yes is enough it opens, and stays unreviewed until somebody else has acknowledged it."""
    await office.do(devices.add, CAROL, name="bobs", user="bob", public_key=key("carol"))
    number = await office.asked(BOB)
    await office.do(grants.grant, CAROL, id=number)
    assert await marks(office, number) == ["unreviewed"]
    said = await refusal(office, grants.acknowledge, SUDO_CAROL, id=number, comment="all well")
    assert "you registered bob's device bobs" in said
    await office.do(grants.acknowledge, DAVE, id=number, comment="asked bob")
    assert await marks(office, number) == []
    await office.do(grants.extend, CAROL, id=number, duration=HOUR)
    assert await marks(office, number) == ["unreviewed"]
    fine = await office.asked(ALICE)
    await office.do(grants.grant, CAROL, id=fine)
    assert await marks(office, fine) == []


async def test_root_without_a_login_is_nobody_of_several(strict: World) -> None:
    """Attack: one administrator says yes, and once more as root in a service (sudo systemd-run), where no login uid is."""
    number = await strict.asked(ALICE)
    await strict.do(grants.grant, CAROL, id=number)
    for actor in (ROOT, ROOT_LOGIN):
        assert "no login identifies this person" in await refusal(strict, grants.grant, actor, id=number)
    assert "approved it already" in await refusal(strict, grants.grant, SUDO_CAROL, id=number)
    assert (await strict.do(grants.grant, SUDO_DAVE, id=number))["request"]["status"] == "active"


async def test_a_rule_decides_for_no_foreign_key(everywhere: World) -> None:
    """Attack: automatic approval and break-glass let in a key that somebody else put beside the user's."""
    rules = ["jit.auto_approve=bob,alice up to 1h, 9 a week", "jit.break_glass=bob"]
    for network in (rules,):
        everywhere.service.reload(everywhere.config)
        await everywhere.do(networks.set_, ROOT, name="office", changes=network)
        everywhere.service.reload(replace(everywhere.config, policy=Policy(four_eyes=True)))
    await everywhere.do(devices.add, CAROL, name="bobs", user="bob", public_key=key("carol"))
    asked = await everywhere.do(requests.request, BOB, network="office", reason="logs", duration=HOUR)
    assert (asked["request"]["status"], asked["note"]) == (
        "pending",
        "needs a decision: carol registered bob's device bobs",
    )
    hers = await everywhere.do(
        requests.request, CAROL, network="office", reason="x", duration=HOUR, user="alice"
    )
    assert (hers["request"]["status"], hers["note"]) == ("pending", "needs a decision: carol asks for alice")
    await everywhere.do(requests.request, BOB, network="office", reason="it is on fire", break_glass=True)
    assert set(everywhere.peers()) == {"bob"}


async def test_no_foreign_key_gets_standing_access_at_once(office: World) -> None:
    """Attack: the key of an administrator as the device of somebody who never has to ask."""
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=bob"])
    await office.do(networks.set_, ROOT, name="office", changes=["approvals=2"])
    said = await refusal(office, devices.add, CAROL, name="bobs", user="bob", public_key=key("carol"))
    assert "office would be open for it at once" in said
    assert "at once" in await refusal(
        office, devices.rotate, CAROL, name="laptop", user="bob", public_key=key("carol")
    )
    await office.do(devices.add, BOB, name="phone", public_key=key("phone"))
    assert set(office.peers()) == {"bob", "phone"}


async def test_root_with_a_login_decides_where_too_few_are_left(strict: World) -> None:
    """One of two administrators has left: root with a login uid decides, and that is told; without one, nobody does."""
    number = await strict.asked(ALICE)
    strict.people.take_out_of("dave", "admins")
    assert (await strict.do(grants.grant, CAROL, id=number))["request"]["status"] == "pending"
    assert "no login identifies" in await refusal(strict, grants.grant, ROOT, id=number)
    assert (await strict.do(grants.grant, SUDO_DAVE, id=number))["request"]["status"] == "active"
    (alone,) = (await strict.ask(eventlog.events_, ROOT, kind="decided_alone"))["events"]
    assert "only carol may decide about office" in alone["data"]["comment"]
    # Not for themselves, whoever is left.
    own = await strict.do(requests.request, BOB, network="office", reason="x")
    sudo_bob = Actor(uid=0, user="root", login_uid=61002, login_user="bob")
    assert "your own" in await refusal(strict, grants.grant, sudo_bob, id=own["request"]["id"])


async def test_a_contractor_s_own_key_is_theirs(everywhere: World) -> None:
    """What somebody registers through the gate is their own, whoever made them may not decide all the same."""
    await everywhere.do(users.add, CAROL, user="zoe", until=everywhere.clock.now_ms() + 24 * HOUR)
    await everywhere.do(devices.add, Actor(uid=REGISTERED, user="zoe"), name="d", public_key=key("phone"))
    given = {"user": "zoe", "network": "office"}
    assert "you registered zoe," in await refusal(everywhere, grants.grant, CAROL, **given)
    await everywhere.do(grants.grant, DAVE, **given)


async def test_who_registered_keys_before_an_update_is_known(office: World) -> None:
    """The registrars of what was there are taken from the events: a key of one's own, one by sudo, one of somebody else's."""
    await office.do(devices.add, CAROL, name="bobs", user="bob", public_key=key("carol"))
    await office.do(devices.add, SUDO_CAROL, name="mine", public_key=key("phone"))
    await office.do(devices.rotate, DAVE, name="laptop", user="alice", public_key=key("old"))
    await office.do(users.add, CAROL, user="zoe", until=office.clock.now_ms() + 24 * HOUR)
    await office.service.stop()
    store = Store(office.config.daemon.state_dir / FILE_NAME)
    found = "SELECT coalesce(d.name, a.name) AS what, r.uid, r.login_uid, r.name FROM registrar r"
    found += (
        " LEFT JOIN device d ON d.id = r.device_id LEFT JOIN account a ON a.id = r.account_id ORDER BY what"
    )
    with store.transaction() as rows:
        before = rows.all(found)
        for undo in (
            *(
                "DROP TABLE registrar",
                "DROP TABLE change_vote",
                "DROP TABLE change",
                "DROP INDEX request_unreviewed",
            ),
            "ALTER TABLE request DROP COLUMN unreviewed",
            "CREATE INDEX request_unreviewed ON request (id) WHERE break_glass = 1",
        ):
            rows.run(undo)
        number = next(at for at, one in enumerate(MIGRATIONS) if "CREATE TABLE registrar" in one)
        store._database.executescript(MIGRATIONS[number])
        assert rows.all(found) == before
    assert [one["what"] for one in before] == ["bobs", "laptop", "zoe"]
    store.close()
    await office.start_anew()
