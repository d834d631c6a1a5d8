"""Interfaces of jitd's own, and adopted ones."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from jitd.core.errors import JitError
from jitd.enforce.memoryfirewall import MemoryFirewall
from jitd.enforce.owner import Owner
from jitd.enforce.port import EnforceError, InterfaceGone, SetPeer
from jitd.queries import eventlog
from jitd.verbs import devices, grants, interfaces, networks, removal
from support.service import ALICE, BOB, ROOT, World, a_gateway_with_a_past, key


async def test_add_makes_the_link(world: World) -> None:
    """A new interface is up, with a key that never crosses the socket and the first address of its pool."""
    reply = await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24", "fd00:9::/64"], port=51900)
    state = world.wireguard.read("wg0")
    assert (state.port, state.up) == (51900, True)
    assert {str(address) for address in state.addresses} == {"10.9.0.1/24", "fd00:9::1/64"}
    assert reply["interface"]["public_key"] == state.public_key
    assert state.private_key not in str(reply)


async def test_a_device_has_one_address_of_each_version(world: World) -> None:
    """With two pools a device gets an IPv4 and an IPv6 address, and keeps them."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24", "fd00:9::/64"])
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    await world.granted(ALICE)
    assert world.peers() == {"alice": frozenset({"10.9.0.2/32", "fd00:9::2/128"})}


async def test_a_pool_that_is_used_up_is_refused(world: World) -> None:
    """In a /29 there is room for five devices; the sixth is refused, and nothing of it is there."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/29"])
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
    for number in range(5):
        await world.do(devices.add, ALICE, name=f"d{number}", public_key=key(str(number)))
    with pytest.raises(JitError) as caught:
        await world.do(devices.add, ALICE, name="d5", public_key=key("5"))
    assert caught.value.code == "refused"
    assert "the pool 10.9.0.0/29 is used up" in caught.value.message
    assert len((await world.ask(devices.list_, ALICE))["devices"]) == 5


async def test_a_freed_address_rests(world: World) -> None:
    """The address of a removed device is not the next one to be given out."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"])
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
    await world.do(devices.add, ALICE, name="a", public_key=key("alice"))
    await world.do(devices.add, ALICE, name="b", public_key=key("phone"))
    await world.do(removal.remove, ALICE, name="a")
    await world.do(devices.add, BOB, name="c", public_key=key("bob"))
    shown = (await world.ask(devices.list_, BOB))["devices"]
    assert shown[0]["addresses"] == {"wg0": ["10.9.0.4/32"]}


async def test_remove_takes_the_link_away(office: World) -> None:
    """An interface with a network is not removed; without one it leaves the machine."""
    with pytest.raises(JitError) as caught:
        await office.do(interfaces.remove, ROOT, name="wg0")
    assert caught.value.code == "conflict"
    await office.do(networks.remove, ROOT, name="office")
    await office.do(interfaces.remove, ROOT, name="wg0")
    with pytest.raises(InterfaceGone):
        office.wireguard.read("wg0")
    await office.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "wg0", "pools": ["10.8.0.0/24"]}, "conflict"),
        ({"name": "wg 1", "pools": ["10.8.0.0/24"]}, "bad_request"),
        ({"name": "w" * 16, "pools": ["10.8.0.0/24"]}, "bad_request"),
        ({"name": "5", "pools": ["10.8.0.0/24"], "port": 1}, "bad_request"),
        ({"name": "wg1", "pools": []}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.1/24"]}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/31"]}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/24", "10.7.0.0/24"]}, "bad_request"),
        ({"name": "wg1", "pools": ["10.9.0.128/25"]}, "conflict"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 51820}, "conflict"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 70000}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 1, "endpoint": "a b"}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 1, "endpoint": "host:99999"}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 1, "endpoint": "[::g]:1"}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 1, "dns": ["a resolver"]}, "bad_request"),
        ({"name": "wg1", "pools": ["10.8.0.0/24"], "port": 1, "mtu": 5}, "bad_request"),
    ],
)
async def test_what_cannot_be_added(office: World, body: dict[str, object], code: str) -> None:
    """Each wrong body is refused with its code; no link and no row comes of it."""
    with pytest.raises(JitError) as caught:
        await office.do(interfaces.add, ROOT, **body)
    assert caught.value.code == code
    assert [one["name"] for one in (await office.service.peek(interfaces.list_, ROOT, {}))["interfaces"]] == [
        "wg0"
    ]
    with pytest.raises(InterfaceGone):
        office.wireguard.read("wg1")


async def test_a_name_that_another_kind_of_interface_has(world: World) -> None:
    """It is neither made nor adopted, the refusal says what it is and what to do, and nothing comes of it."""
    world.wireguard.add_other_link("eth0")
    for verb, body in ((interfaces.add, {"pools": ["10.8.0.0/24"]}), (interfaces.adopt, {})):
        with pytest.raises(JitError, match="is not a WireGuard interface") as caught:
            await world.do(verb, ROOT, name="eth0", **body)
        assert (caught.value.code, caught.value.hint.split(";")[0]) == (
            "enforcement",
            "Choose another name if this one is taken",
        )
    assert (await world.service.peek(interfaces.list_, ROOT, {}))["interfaces"] == []


async def test_adopting_disturbs_nobody(world: World) -> None:
    """Adopted peers pass as before, are listed as unmanaged, and survive checks and restarts."""
    await a_gateway_with_a_past(world)
    await world.service.check()
    await world.restart()
    assert world.peers() == {"old": frozenset({"10.9.0.2/32"}), "older": frozenset({"10.9.0.3/32"})}
    shown = await world.service.peek(interfaces.show, ROOT, {"name": "wg0"})
    assert (shown["interface"]["adopted"], shown["interface"]["enforced"]) == (True, False)
    assert (shown["interface"]["peers"], shown["interface"]["unmanaged"]) == (2, 2)
    assert [peer["managed"] for peer in shown["peers"]] == [False, False]


async def test_a_save_config_is_refused(world: World) -> None:
    """An interface whose owner writes today's peers down for the next boot is not adopted, and the reason is given."""
    world.wireguard.add_foreign_link("wg0", addresses=("10.9.0.1/24",), port=51820)
    world.owner = Owner(kind="wg-quick", path="/etc/wireguard/wg0.conf", saves_config=True)
    with pytest.raises(JitError) as caught:
        await world.do(interfaces.adopt, ROOT, name="wg0")
    assert caught.value.code == "refused"
    assert "SaveConfig = true" in caught.value.message


async def test_new_devices_get_addresses_that_nobody_has(world: World) -> None:
    """On an adopted interface the addresses of unmanaged peers are not given out."""
    await a_gateway_with_a_past(world)
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    await world.granted(ALICE)
    assert world.peers()["alice"] == frozenset({"10.9.0.4/32"})
    await world.do(grants.revoke, ROOT, id=1)
    assert set(world.peers()) == {"old", "older"}


async def test_an_import_names_the_owner_and_cuts_nobody(world: World) -> None:
    """A peer that was given to a person passes as before, also without a grant, until the interface is enforced."""
    await a_gateway_with_a_past(world)
    lines = [{"public_key": key("old"), "user": "alice", "name": "laptop"}]
    await world.do(devices.import_, ROOT, interface="wg0", devices=lines)
    await world.service.check()
    assert world.peers() == {"old": frozenset({"10.9.0.2/32"}), "older": frozenset({"10.9.0.3/32"})}
    shown = await world.service.peek(interfaces.show, ROOT, {"name": "wg0"})
    assert [(peer["user"], peer["device"]) for peer in shown["peers"]] == [("alice", "laptop"), ("", "")]


async def test_enforce_cuts_just_who_the_plan_named_and_off_brings_them_back(world: World) -> None:
    """On: who has no reason goes, as the plan said; off: they pass again, with their preshared keys."""
    await a_gateway_with_a_past(world)
    await world.do(
        devices.import_,
        ROOT,
        interface="wg0",
        devices=[{"public_key": key("old"), "user": "alice", "name": "laptop"}],
    )
    await world.granted(ALICE)
    planned = await world.do(interfaces.enforce, ROOT, name="wg0", on=True, plan=True)
    assert [(line["user"], line["public_key"]) for line in planned["plan"]["loses"]] == [("", key("older"))]
    assert set(world.peers()) == {"old", "older"}
    await world.do(interfaces.enforce, ROOT, name="wg0", on=True, confirm=planned["plan"]["token"])
    assert set(world.peers()) == {"old"}
    assert world.wireguard.read("wg0").peers[key("old")].preshared_key == key("psk")
    await world.do(grants.revoke, ROOT, id=1)
    assert world.peers() == {}
    await world.do(interfaces.enforce, ROOT, name="wg0", on=False)
    assert set(world.peers()) == {"old", "older"}
    assert world.wireguard.read("wg0").peers[key("old")].preshared_key == key("psk")


async def test_the_owner_of_an_unenforced_interface_may_change_its_peers(world: World) -> None:
    """A peer that appears by hand is left alone and listed; one that is taken away is not brought back."""
    await a_gateway_with_a_past(world)
    from jitd.enforce.port import RemovePeer

    world.wireguard.apply(
        "wg0",
        [
            SetPeer(public_key=key("phone"), allowed_ips=frozenset({ip_network("10.9.0.9/32")})),
            RemovePeer(key("old")),
        ],
    )
    await world.service.check()
    assert set(world.peers()) == {"older", "phone"}
    kinds = [event["kind"] for event in (await world.ask(eventlog.events_, ROOT))["events"]]
    assert kinds[-2:] == ["unmanaged_seen", "unmanaged_gone"]


async def test_a_key_that_passes_already_is_given_by_administrators_only(world: World) -> None:
    """A user cannot take over an unmanaged peer; an administrator gives it to a person with its addresses."""
    await a_gateway_with_a_past(world)
    with pytest.raises(JitError) as caught:
        await world.do(devices.add, ALICE, name="laptop", public_key=key("old"))
    assert caught.value.code == "not_permitted"
    reply = await world.do(devices.add, ROOT, name="laptop", public_key=key("old"), user="alice")
    assert reply["device"]["addresses"] == {"wg0": ["10.9.0.2/32"]}


async def test_an_import_is_all_or_nothing(world: World) -> None:
    """One wrong line, and nothing is imported; the error names the line."""
    await a_gateway_with_a_past(world)
    lines = [
        {"public_key": key("old"), "user": "alice", "name": "laptop"},
        {"public_key": key("nobody"), "user": "bob", "name": "laptop"},
    ]
    with pytest.raises(JitError) as caught:
        await world.do(devices.import_, ROOT, interface="wg0", devices=lines)
    assert caught.value.code == "not_found"
    assert caught.value.message.endswith("(device 2); nothing was imported")
    assert (await world.ask(devices.list_, ROOT, all=True))["devices"] == []


async def test_removing_an_adopted_interface_leaves_it_to_its_owner(world: World) -> None:
    """jitd forgets an adopted interface; everybody who was there passes as before."""
    await a_gateway_with_a_past(world)
    await world.do(networks.remove, ROOT, name="office")
    await world.do(interfaces.remove, ROOT, name="wg0")
    await world.service.check()
    assert set(world.peers()) == {"old", "older"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_removed_device_is_nobody_elses_peer(
    world: World, monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    """On an interface that is not enforced, a removed device is cut, imported or not, and is not taken for a peer that its
    owner wants there: not while WireGuard cannot be changed, and not by a jitd that was started meanwhile.
    """
    await a_gateway_with_a_past(world)
    await world.do(interfaces.set_, ROOT, name="wg0", pools=["10.9.0.0/24"])
    await world.do(devices.add, ROOT, name="old", public_key=key("old"), user="alice")
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    await world.granted(ALICE)
    assert set(world.peers()) == {"old", "older", "alice"}

    def refuse(name: str, changes: object) -> None:
        raise EnforceError("not now")

    with monkeypatch.context() as broken:
        broken.setattr(world.wireguard, "apply", refuse)
        for device in ("laptop", "old"):
            assert not (await world.do(removal.remove, ALICE, name=device))["agrees"]
        assert isinstance(world.firewall, MemoryFirewall)
        (rules,) = world.firewall.asked.interfaces
        assert {str(one) for one in rules.given} == {"10.9.0.2", "10.9.0.4"}
        if restarted:
            await world.restart()
    await world.advance(60_000)
    await world.service.check()
    assert set(world.peers()) == {"older"}
    kinds = [event["kind"] for event in (await world.ask(eventlog.events_, ROOT))["events"]]
    assert {"unmanaged_seen", "stranger_removed"}.isdisjoint(kinds)
    # Now its owner may put it there again.
    world.wireguard.apply(
        "wg0", [SetPeer(public_key=key("old"), allowed_ips=frozenset({ip_network("10.9.0.2/32")}))]
    )
    await world.service.check()
    assert set(world.peers()) == {"old", "older"}


@pytest.mark.parametrize("enforced", [False, True])
@pytest.mark.parametrize("rotated", [False, True])
async def test_a_saved_peer_that_jitd_had_let_in_does_not_come_back(
    world: World, *, enforced: bool, rotated: bool
) -> None:
    """Attack: somebody is let in by a grant, wg-quick saves today's peers, and after the device is removed (or has another
    key) its file brings the old one back, for ever. It goes at once, each time, and is told with whose it was; also where the
    interface was enforced when the device went, and is not any more.
    """
    world.wireguard.add_foreign_link("wg0", addresses=["10.9.0.1/24"], port=51820)
    await world.do(interfaces.adopt, ROOT, name="wg0")
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    await world.granted(ALICE)
    (saved,) = world.wireguard.read("wg0").peers.values()
    if enforced:
        await world.do(interfaces.enforce, ROOT, name="wg0", on=True)
    if rotated:
        await world.do(devices.rotate, ALICE, name="laptop", public_key=key("phone"))
    else:
        await world.do(removal.remove, ALICE, name="laptop")
    await world.service.check()
    if enforced:
        await world.do(interfaces.enforce, ROOT, name="wg0", on=False)
    there = world.peers()
    assert "alice" not in there
    for _ in range(2):
        known = len((await world.ask(eventlog.events_, ROOT))["events"])
        world.wireguard.apply("wg0", [SetPeer(public_key=key("alice"), allowed_ips=saved.allowed_ips)])
        await world.service.look()
        assert "alice" not in world.peers()
        told = (await world.ask(eventlog.events_, ROOT))["events"][known:]
        assert [one["kind"] for one in told][:1] == ["stranger_removed"]
        assert "unmanaged_seen" not in [one["kind"] for one in told]
        assert (told[0]["user"], told[0]["data"]["device"]) == ("alice", "laptop")
    # Who comes again with this key, and is somebody, is in again.
    if not rotated:
        await world.do(devices.add, ALICE, name="again", public_key=key("alice"))
        await world.granted(ALICE)
        await world.service.check()
        assert "alice" in world.peers()


async def test_a_renamed_interface_is_not_adopted_a_second_time(office: World) -> None:
    """Attack: an interface of jitd's is renamed and adopted under its new name, so that two would fight over its peers."""
    state = office.wireguard.read("wg0")
    office.wireguard.add_foreign_link("renamed", addresses=["10.77.0.1/24"], port=51877)
    office.wireguard._links["renamed"] = replace(state, name="renamed")
    with pytest.raises(JitError, match="it has the key of wg0"):
        await office.do(interfaces.adopt, ROOT, name="renamed")
