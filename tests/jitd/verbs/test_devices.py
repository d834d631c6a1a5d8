"""Devices and their configurations."""

from pathlib import Path

import pytest

from jitd.core.configuration import Limits
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.verbs import devices, interfaces, networks, removal
from support.service import ALICE, BOB, CAROL, ROOT, World, key


async def test_a_key_belongs_to_one_device(office: World) -> None:
    """A key that is somebody else's is refused without telling whose it is; one's own is named."""
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, BOB, name="mine", public_key=key("alice"))
    assert caught.value.code == "conflict"
    assert "alice" not in caught.value.message
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, ALICE, name="again", public_key=key("alice"))
    assert caught.value.message == "cannot use this public key: alice has it already"


async def test_the_gateways_own_key_is_no_device(office: World) -> None:
    """The public key of the interface itself cannot be registered."""
    gateway = office.wireguard.read("wg0").public_key
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, ALICE, name="x", public_key=gateway)
    assert caught.value.code == "refused"


async def test_only_administrators_register_for_someone_else(office: World) -> None:
    """A user cannot add a device to another user; an administrator can."""
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, ALICE, name="x", public_key=key("x"), user="bob")
    assert caught.value.code == "not_permitted"
    reply = await office.do(devices.add, CAROL, name="x", public_key=key("x"), user="bob")
    assert reply["device"]["user"] == "bob"


async def test_devices_per_user_are_limited(tmp_path: Path) -> None:
    """Above the limit a user gets no further device, and removing one makes room."""
    world = World(tmp_path, Limits(devices_per_user=1))
    await world.start()
    try:
        await world.furnish()
        with pytest.raises(JitError) as caught:
            await world.do(devices.add, ALICE, name="phone", public_key=key("phone"))
        assert caught.value.code == "limit"
        await world.do(removal.remove, ALICE, name="laptop")
        await world.do(devices.add, ALICE, name="phone", public_key=key("phone"))
    finally:
        await world.stop()


async def test_the_configuration_never_changes_with_a_grant(office: World) -> None:
    """The file is the same before, during and after a grant, and has no private key in it."""
    before = (await office.do(devices.config, ALICE))["config"]
    gateway = office.wireguard.read("wg0")
    assert before == (
        "# alice's laptop on wg0. Keep this file private (chmod 600).\n"
        "[Interface]\n"
        "# Insert the private key of this device here; it never leaves this machine.\n"
        "PrivateKey = REPLACE_WITH_PRIVATE_KEY\n"
        "Address = 10.9.0.2/32\n"
        "\n"
        "[Peer]\n"
        f"PublicKey = {gateway.public_key}\n"
        "Endpoint = vpn.example.org:51820\n"
        "AllowedIPs = 10.9.0.1/32, 10.0.0.0/8\n"
        "PersistentKeepalive = 25\n"
    )
    await office.granted(ALICE)
    assert (await office.do(devices.config, ALICE))["config"] == before


async def test_a_configuration_without_an_endpoint_says_who_sets_it(world: World) -> None:
    """Where nobody said how clients reach the interface, the error has the command."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"])
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    with pytest.raises(JitError) as caught:
        await world.do(devices.config, ALICE)
    assert "jitctl interface set wg0 --endpoint" in caught.value.hint


async def test_lists_are_ones_own(office: World) -> None:
    """A user lists their devices, an administrator a user's or everybody's; others' are refused."""
    assert [one["user"] for one in (await office.ask(devices.list_, ALICE))["devices"]] == ["alice"]
    assert [one["user"] for one in (await office.ask(devices.list_, ROOT))["devices"]] == ["alice", "bob"]
    assert [one["user"] for one in (await office.ask(devices.list_, CAROL, user="bob"))["devices"]] == ["bob"]
    for query in ({"user": "bob"}, {"all": True}):
        with pytest.raises(JitError) as caught:
            await office.ask(devices.list_, ALICE, **query)
        assert caught.value.code == "not_permitted"


async def test_the_same_uid_with_another_name_is_a_new_person(office: World) -> None:
    """Who gets a removed user's uid has neither their devices nor their grants nor their history."""
    await office.granted(ALICE)
    office.people.remove("alice")
    from jitd.core.people import Answer, Person

    office.people.people["zoe"] = Person(name="zoe", exists=Answer.YES, uid=61001)
    zoe = Actor(uid=61001, user="zoe", login_uid=61001, login_user="zoe")
    await office.service.check()
    assert office.peers() == {}
    assert (await office.ask(devices.list_, zoe))["devices"] == []
    with pytest.raises(JitError) as caught:
        await office.asked(zoe)
    assert "has no device" in caught.value.message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "laptop", "public_key": key("new")}, "conflict"),
        ({"name": "La\x1b[31m", "public_key": key("new")}, "bad_request"),
        ({"name": "x", "public_key": "short"}, "bad_request"),
        ({"name": "x", "public_key": key("new")[:-4]}, "bad_request"),
        ({"name": "x", "public_key": "A" * 43 + "="}, "bad_request"),
    ],
)
async def test_what_cannot_be_added(office: World, body: dict[str, object], code: str) -> None:
    """A taken or hostile name and what is no key are refused, and nothing is added."""
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, ALICE, **body)
    assert caught.value.code == code
    assert len((await office.ask(devices.list_, ALICE))["devices"]) == 1


async def test_an_interface_without_a_network_for_somebody_does_not_exist(office: World) -> None:
    """Attack: `device config --interface` of an interface on which one may use nothing would give an address, the
    gateway's key and its endpoint. It is told as one that is not there, and no address is taken.
    """
    more = {"pools": ["10.8.0.0/24"], "port": 7, "endpoint": "secret.example.org:7"}
    await office.do(interfaces.add, ROOT, name="wg7", **more)
    await office.do(
        networks.add, ROOT, name="vault", interface="wg7", routes=["10.7.0.0/16"], members=["bob"]
    )
    for name in ("wg7", "wg8"):
        with pytest.raises(JitError) as caught:
            await office.do(devices.config, ALICE, name="laptop", interface=name)
        assert (caught.value.code, caught.value.message) == (
            "not_found",
            f"cannot find an interface '{name}'",
        )
    with pytest.raises(JitError) as caught:
        await office.do(devices.config, CAROL, name="laptop", user="alice", interface="wg7")
    assert caught.value.message == "cannot write a configuration for wg7: alice may use no network on it"
    (mine,) = (await office.ask(devices.list_, ALICE))["devices"]
    assert list(mine["addresses"]) == ["wg0"]
    assert (
        "secret.example.org"
        in (await office.do(devices.config, BOB, name="laptop", interface="wg7"))["config"]
    )
