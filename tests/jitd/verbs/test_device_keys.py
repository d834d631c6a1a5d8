"""Keys of devices that are replaced, and devices that are lost."""

from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.enforce.port import Change, SetPeer
from jitd.queries import eventlog, overview, show
from jitd.store import devices as stored
from jitd.store.database import FILE_NAME, open_reader
from jitd.verbs import devices, grants, interfaces, networks, removal
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, a_gateway_with_a_past, key, locked


async def told(world: World, *kinds: str) -> list[dict[str, Any]]:
    """The events of these kinds."""
    return [one for one in (await world.ask(eventlog.events_, ROOT))["events"] if one["kind"] in kinds]


async def refused(world: World, verb: ChangeVerb, actor: Actor, **body: object) -> JitError:
    """What a verb says that changes nothing."""
    before = (await world.ask(eventlog.events_, ROOT))["next"]
    with pytest.raises(JitError) as caught:
        await world.do(verb, actor, **body)
    assert (await world.ask(eventlog.events_, ROOT))["next"] == before
    return caught.value


async def test_rotate_keeps_everything_but_the_key(office: World) -> None:
    """Name, addresses, end and running grant stay; the old key is out of the kernel, and nobody else is touched."""
    ends = office.clock.now_ms() + 3 * HOUR
    await office.do(devices.add, ALICE, name="phone", public_key=key("phone"), until=ends)
    number = await office.granted(ALICE)
    await office.granted(BOB)
    members = office.entries()
    reply = await office.do(devices.rotate, ALICE, name="phone", public_key=key("new"), replaces=key("phone"))
    assert (reply["agrees"], reply["already"], reply["replaced"]) == (True, False, key("phone"))
    device = reply["device"]
    assert (device["name"], device["public_key"], device["ends"]) == ("phone", key("new"), ends)
    assert device["addresses"] == {"wg0": ["10.9.0.4/32"]}
    assert office.peers() == {
        "alice": {"10.9.0.2/32"},
        "bob": {"10.9.0.3/32"},
        key("new"): {"10.9.0.4/32"},
    }
    assert office.entries() == members
    shown = (await office.ask(show.show, ROOT, id=number))["request"]
    assert (shown["status"], shown["devices"]) == ("active", ["laptop", "phone"])
    (event,) = await told(office, "device_rotated")
    assert (event["user"], event["device"], event["actor"]["user"]) == ("alice", "phone", "alice")
    assert (event["data"]["public_key"], event["data"]["replaced"]) == (key("new"), key("phone"))
    await office.advance(HOUR)
    assert office.peers() == {}


async def test_rotate_removes_the_old_key_first(office: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment do both keys pass: WireGuard is told to remove before it is told to let in, and behind the record."""
    await office.granted(ALICE)
    apply, seen = office.wireguard.apply, list[list[str]]()

    def watched(name: str, changes: list[Change]) -> None:
        kept = open_reader(office.config.daemon.state_dir / FILE_NAME)
        assert stored.by_key(kept, key("new")) is not None
        assert stored.by_key(kept, key("alice")) is None
        kept.close()
        seen.append([f"{type(one).__name__} {one.public_key}" for one in changes])
        apply(name, changes)

    monkeypatch.setattr(office.wireguard, "apply", watched)
    await office.do(devices.rotate, ALICE, public_key=key("new"))
    assert seen == [[f"RemovePeer {key('alice')}", f"SetPeer {key('new')}"]]


async def test_rotate_twice_changes_nothing(office: World) -> None:
    """The key that is registered already is told as such, whatever the caller wanted to replace; no second event."""
    await office.do(devices.rotate, ALICE, public_key=key("new"), replaces=key("alice"))
    again = await office.do(devices.rotate, ALICE, public_key=key("new"), replaces=key("alice"))
    assert (again["already"], again["replaced"]) == (True, "")
    assert len(await told(office, "device_rotated")) == 1


async def test_of_two_who_rotate_one_wins(office: World) -> None:
    """Who would replace a key that is not registered any more is told so, and the winner's stays."""
    await office.do(devices.rotate, ALICE, public_key=key("new"), replaces=key("alice"))
    error = await refused(office, devices.rotate, ALICE, public_key=key("newer"), replaces=key("alice"))
    assert error.code == "conflict"
    assert (await office.ask(devices.list_, ALICE))["devices"][0]["public_key"] == key("new")


async def test_rotate_to_a_key_that_is_somebodys(office: World) -> None:
    """Another device's key, the gateway's own, an unmanaged peer's (an administrator too) and what is no key."""
    office.wireguard.add_foreign_link("wg9", addresses=("10.5.0.1/24",), port=9)
    office.wireguard.apply("wg9", [SetPeer(public_key=key("old"), allowed_ips=frozenset())])
    await office.do(interfaces.adopt, ROOT, name="wg9")
    for public_key, code in (
        (key("bob"), "conflict"),
        (office.wireguard.read("wg0").public_key, "refused"),
        (key("old"), "not_permitted"),
        ("nonsense", "bad_request"),
    ):
        for actor in (ALICE, CAROL):
            error = await refused(office, devices.rotate, actor, public_key=public_key, user="alice")
            assert error.code == code
            assert "bob" not in error.message or actor is CAROL


async def test_a_preshared_key_goes_with_the_old_key(world: World) -> None:
    """An imported peer's: the new key passes without it once the interface is enforced, and the reply says so. Until then
    its owner's file lets the old key in, so that it cannot be rotated here.
    """
    await a_gateway_with_a_past(world)
    await world.do(devices.add, ROOT, name="laptop", public_key=key("old"), user="alice")
    error = await refused(world, devices.rotate, ALICE, public_key=key("alice"))
    assert (error.code, "wg0 is not enforced" in error.message) == ("refused", True)
    await world.do(interfaces.enforce, ROOT, name="wg0", on=True)
    await world.granted(ALICE)
    assert world.wireguard.read("wg0").peers[key("old")].preshared_key == key("psk")
    reply = await world.do(devices.rotate, ALICE, public_key=key("alice"))
    assert reply["preshared_key_dropped"]
    assert world.peers() == {"alice": {"10.9.0.2/32"}}
    assert world.wireguard.read("wg0").peers[key("alice")].preshared_key != key("psk")
    assert "PresharedKey" not in (await world.do(devices.config, ALICE))["config"]
    # Nor is the old one put back with the others.
    await world.do(interfaces.enforce, ROOT, name="wg0", on=False)
    assert set(world.peers()) == {"alice", "older"}


async def test_rotate_on_an_interface_that_is_not_enforced(world: World) -> None:
    """A device of jitd's own there: the old key is not taken for a peer that its owner wants."""
    await a_gateway_with_a_past(world)
    await world.do(interfaces.set_, ROOT, name="wg0", pools=["10.9.0.0/24"])
    await world.do(devices.add, ALICE, name="laptop", public_key=key("phone"))
    await world.granted(ALICE)
    await world.do(devices.rotate, ALICE, public_key=key("alice"))
    await world.service.check()
    assert set(world.peers()) == {"old", "older", "alice"}
    assert await told(world, "unmanaged_seen", "stranger_removed") == []


async def test_what_a_plan_of_a_device_says(office: World) -> None:
    """With `config` there is the file in the same step; with `plan` it is only said, and nothing is registered."""
    body = {"name": "phone", "public_key": key("phone"), "config": True}
    plan = await office.do(devices.add, ALICE, **body, plan=True)
    assert not plan["done"]
    assert len((await office.ask(devices.list_, ALICE))["devices"]) == 1
    reply = await office.do(devices.add, ALICE, **body)
    assert (
        reply["config"] == plan["config"] == (await office.do(devices.config, ALICE, name="phone"))["config"]
    )
    await refused(
        office, devices.add, ALICE, **{**body, "name": "p2", "public_key": key("p2"), "interface": "x"}
    )


async def test_a_lost_device_is_cut_and_never_comes_back(office: World) -> None:
    """It is gone at once with the grant that was for it alone; its key is refused for ever, to administrators too."""
    await office.do(devices.add, BOB, name="phone", public_key=key("phone"))
    number, other = await office.granted(ALICE), await office.granted(BOB)
    reply = await office.do(removal.remove, ALICE, name="laptop", lost=True)
    assert (reply["agrees"], reply["already"]) == (True, False)
    assert [line["network"] for line in reply["plan"]["loses"]] == ["office"]
    assert set(office.peers()) == {"bob", "phone"}
    assert (await office.ask(show.show, ROOT, id=number))["request"]["status"] == "released"
    assert (await office.ask(show.show, ROOT, id=other))["request"]["status"] == "active"
    (event,) = await told(office, "device_lost")
    assert (event["device"], event["data"]["networks"], event["data"]["public_key"]) == (
        "laptop",
        ["office"],
        key("alice"),
    )
    assert await told(office, "device_removed") == []
    await office.restart()
    for actor in (ALICE, BOB, CAROL):
        error = await refused(office, devices.add, actor, name="found", public_key=key("alice"))
        assert (error.code, "reported lost" in error.message) == ("refused", True)
    error = await refused(office, devices.rotate, BOB, name="phone", public_key=key("alice"))
    assert "reported lost" in error.message


async def test_a_lost_device_is_reported_twice_or_late(office: World) -> None:
    """The second time says so; one that was removed before is marked all the same, unless its key has come back."""
    await office.do(removal.remove, ROOT, name="laptop", user="alice", lost=True)
    again = await office.do(removal.remove, ALICE, name="laptop", lost=True)
    assert again["already"]
    assert len(await told(office, "device_lost")) == 1
    await office.do(removal.remove, BOB, name="laptop")
    assert not (await office.do(removal.remove, BOB, name="laptop", lost=True))["already"]
    error = await refused(office, devices.add, BOB, name="laptop", public_key=key("bob"))
    assert "reported lost" in error.message
    await office.do(devices.add, BOB, name="phone", public_key=key("phone"))
    await office.do(removal.remove, BOB, name="phone")
    await office.do(devices.add, BOB, name="phone2", public_key=key("phone"))
    error = await refused(office, removal.remove, BOB, name="phone", lost=True)
    assert (error.code, "registered again as phone2" in error.message) == ("conflict", True)
    assert (await refused(office, removal.remove, BOB, name="nothing", lost=True)).code == "not_found"


async def test_a_lost_key_is_kept_out_where_nobody_else_is(world: World) -> None:
    """On an interface that is not enforced it stays out, also when its owner's file brings it back."""
    await a_gateway_with_a_past(world)
    await world.do(devices.add, ROOT, name="laptop", public_key=key("old"), user="alice")
    await world.do(removal.remove, ALICE, name="laptop", lost=True)
    assert set(world.peers()) == {"older"}
    back = SetPeer(public_key=key("old"), allowed_ips=frozenset())
    world.wireguard.apply("wg0", [back])
    await world.service.look()
    assert set(world.peers()) == {"older"}
    assert len(await told(world, "stranger_removed")) == 1


async def test_a_device_that_came_back_by_its_owner_and_is_lost(world: World) -> None:
    """Removed, put back by hand on an interface that is not enforced, and reported lost: cut in the same step."""
    await a_gateway_with_a_past(world)
    await world.do(devices.add, ROOT, name="laptop", public_key=key("old"), user="alice")
    await world.do(removal.remove, ALICE, name="laptop")
    world.wireguard.apply("wg0", [SetPeer(public_key=key("old"), allowed_ips=frozenset())])
    await world.service.look()
    assert set(world.peers()) == {"old", "older"}
    await world.do(removal.remove, ALICE, name="laptop", lost=True)
    assert set(world.peers()) == {"older"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_lost_device_is_cut_without_the_store(office: World, *, restarted: bool) -> None:
    """While the store cannot be written it is cut from memory with all that it has, stays so over a restart, and is
    recorded with who and when. The user's other device keeps its access.
    """
    await office.do(devices.add, ALICE, name="phone", public_key=key("phone"))
    await office.do(networks.add, ROOT, name="lab", routes=["10.20.0.0/16"])
    first = await office.granted(ALICE)
    second = await office.asked(ALICE, network="lab")
    await office.do(grants.grant, ROOT, id=second, duration=2 * HOUR)
    with locked(office):
        at_ms = office.clock.now_ms()
        for actor, user in ((BOB, None), (BOB, "alice")):
            with pytest.raises(JitError) as caught:
                await office.do(removal.remove, actor, name="phone", lost=True, user=user)
            assert caught.value.code == "store"
        assert set(office.peers()) == {"alice", "phone"}
        with pytest.raises(JitError) as caught:
            await office.do(removal.remove, CAROL, name="phone", user="alice", lost=True)
        assert caught.value.code == "unrecorded"
        assert caught.value.message.startswith("cut: alice's phone; it cannot be recorded yet")
        assert set(office.peers()) == {"alice"}
        assert set(office.entries()) == {"1 10.9.0.2", "2 10.9.0.2"}
        status = await office.ask(overview.status, ROOT)
        assert "the loss of alice's phone is done, but not recorded yet" in status["gateway"]["waiting"][0]
        await office.service.compare()
        assert set(office.peers()) == {"alice"}
        if restarted:
            await office.service.stop()
    if restarted:
        office.service = office._new()
        await office.service.start()
    await office.advance(10_000)
    await office.service.check()
    (event,) = await told(office, "device_lost")
    assert (event["at"], event["actor"]["user"], event["data"]["networks"]) == (
        at_ms,
        "carol",
        ["lab", "office"],
    )
    assert event["data"]["recorded_later"]
    assert [one["name"] for one in (await office.ask(devices.list_, ALICE))["devices"]] == ["laptop"]
    assert set(office.peers()) == {"alice"}
    assert (await office.ask(overview.status, ROOT))["gateway"]["waiting"] == []
    assert (await office.ask(show.show, ROOT, id=first))["request"]["status"] == "active"


async def test_a_lost_device_with_nothing_open_says_what_to_do(office: World) -> None:
    """There is nothing to cut, and the store cannot be written: the error says that it is to be reported again."""
    with locked(office):
        with pytest.raises(JitError) as caught:
            await office.do(removal.remove, ALICE, lost=True)
        assert caught.value.code == "store"
        assert "Report it again" in caught.value.hint
