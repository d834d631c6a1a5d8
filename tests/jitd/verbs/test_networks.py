"""Networks, and just-in-time access on and off."""

from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, listing, overview, show
from jitd.verbs import devices, grants, interfaces, networks
from support.service import ALICE, CAROL, HOUR, ROOT, World, key


async def test_a_network_starts_with_jit_on(office: World) -> None:
    """A new network lets nobody in but administrators."""
    shown = (await office.ask(networks.show, ROOT, name="office"))["network"]
    assert (shown["jit"], shown["default_duration"], shown["max_duration"]) == (True, 2 * HOUR, 8 * HOUR)
    assert office.peers() == {}


async def test_administrators_have_standing_access(office: World) -> None:
    """An administrator's device passes without a grant, also while JIT is on."""
    await office.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    assert set(office.peers()) == {"carol"}


async def test_standing_access_begins_with_the_address(world: World) -> None:
    """An administrator whose device is older than the interface is let in once the device has its configuration."""
    await world.do(devices.add, CAROL, name="laptop", public_key=key("carol"))
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"], endpoint="vpn.example.org")
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"])
    assert world.peers() == {}
    await world.do(devices.config, CAROL)
    assert set(world.peers()) == {"carol"}


async def test_jit_off_needs_members(office: World) -> None:
    """A network without members cannot be opened for everybody by accident."""
    with pytest.raises(JitError) as caught:
        await office.do(networks.jit, ROOT, name="office", on=False)
    assert caught.value.code == "refused"
    assert caught.value.hint == "Add members first: jitctl network set office --member @staff"


async def test_jit_off_and_on_again(office: World) -> None:
    """Off lets the members' devices in at once; on removes the peers of all who have no grant at once."""
    await office.do(networks.set_, ROOT, name="office", members=["@staff"])
    await office.do(networks.jit, ROOT, name="office", on=False)
    assert set(office.peers()) == {"alice"}
    await office.do(networks.jit, ROOT, name="office", on=True)
    assert office.peers() == {}


async def test_jit_on_leaves_who_has_a_grant(office: World) -> None:
    """Turning JIT on cuts nobody who has a grant."""
    await office.granted(ALICE)
    await office.do(networks.set_, ROOT, name="office", members=["alice", "bob"])
    await office.do(networks.jit, ROOT, name="office", on=False)
    assert set(office.peers()) == {"alice", "bob"}
    await office.do(networks.jit, ROOT, name="office", on=True)
    assert set(office.peers()) == {"alice"}


async def test_the_plan_names_who_gains_and_loses(office: World) -> None:
    """The plan of a switch is true, changes nothing, and is held against what is confirmed."""
    await office.do(networks.set_, ROOT, name="office", members=["@staff"])
    planned = await office.do(networks.jit, ROOT, name="office", on=False, plan=True)
    assert [(line["user"], line["device"]) for line in planned["plan"]["gains"]] == [("alice", "laptop")]
    assert planned["plan"]["loses"] == []
    assert office.peers() == {}
    await office.do(devices.add, ALICE, name="phone", public_key=key("phone"))
    with pytest.raises(JitError) as caught:
        await office.do(networks.jit, ROOT, name="office", on=False, confirm=planned["plan"]["token"])
    assert caught.value.code == "conflict"
    assert office.peers() == {}


async def test_members_who_are_named_later_gain_at_once(office: World) -> None:
    """With JIT off, a changed list of members takes effect at once, both ways."""
    await office.do(networks.set_, ROOT, name="office", members=["alice"])
    await office.do(networks.jit, ROOT, name="office", on=False)
    await office.do(networks.set_, ROOT, name="office", members=["bob"])
    assert set(office.peers()) == {"bob"}


async def test_a_group_that_does_not_exist_lets_nobody_in_and_is_named(office: World) -> None:
    """A member group that the system does not have gives a warning and no access."""
    reply = await office.do(networks.set_, ROOT, name="office", members=["@nosuch"])
    assert reply["plan"]["warnings"] == ["there is no group nosuch now: it lets nobody in"]
    await office.do(networks.jit, ROOT, name="office", on=False)
    assert office.peers() == {}


async def test_who_may_not_use_a_network_does_not_see_it(office: World) -> None:
    """A network with members is invisible for others: not listed, not shown, not asked for."""
    await office.do(networks.set_, ROOT, name="office", members=["bob"])
    assert (await office.ask(networks.list_, ALICE))["networks"] == []
    assert (await office.ask(overview.status, ALICE))["networks"] == []
    for asking in (office.ask(networks.show, ALICE, name="office"), office.asked(ALICE)):
        with pytest.raises(JitError) as caught:
            await asking
        assert caught.value.code == "not_found"


async def test_members_are_for_administrators_to_see(office: World) -> None:
    """A user sees a network's routes and durations, not who else may use it."""
    await office.do(networks.set_, ROOT, name="office", members=["@staff", "bob"])
    assert (await office.ask(networks.show, ALICE, name="office"))["network"]["members"] == []
    assert (await office.ask(networks.show, ROOT, name="office"))["network"]["members"] == ["@staff", "bob"]


async def test_without_a_firewall_a_second_network_and_ports_are_refused(tmp_path: Path) -> None:
    """Without the second layer a grant would open both networks, and all ports; the refusals say so."""
    world = World(tmp_path, firewall=False)
    await world.start()
    await world.furnish()
    for body in ({"name": "lab", "routes": ["10.20.0.0/16"]}, {"name": "office", "ports": ["tcp/22"]}):
        with pytest.raises(JitError) as caught:
            await world.do(networks.add if "routes" in body else networks.set_, ROOT, **body)
        assert caught.value.code == "refused"
        assert 'enforce.firewall is "none"' in caught.value.message
    await world.stop()


async def test_the_same_route_in_two_networks_is_refused(office: World) -> None:
    """Where nothing says which of two networks decides, adding and changing are refused; with other ports it is clear."""
    same = {"name": "lab", "routes": ["10.0.0.0/8"]}
    with pytest.raises(JitError, match="it is not clear which network applies"):
        await office.do(networks.add, ROOT, **same)
    await office.do(networks.add, ROOT, **same, ports=["tcp/22"])
    with pytest.raises(JitError, match="it is not clear which network applies"):
        await office.do(networks.set_, ROOT, name="lab", ports=[])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "office", "routes": ["10.0.0.0/8"]}, "conflict"),
        ({"name": "Office!", "routes": ["10.0.0.0/8"]}, "bad_request"),
        ({"name": "lab", "routes": []}, "bad_request"),
        ({"name": "lab", "routes": ["10.0.0.1/8"]}, "bad_request"),
        ({"name": "lab", "routes": ["10.0.0.0/8", "10.0.0.0/8"]}, "bad_request"),
        ({"name": "lab", "routes": ["everything"]}, "bad_request"),
        ({"name": "lab", "routes": ["10.0.0.0/8"], "ports": ["tcp/0"]}, "bad_request"),
        ({"name": "lab", "routes": ["10.0.0.0/8"], "ports": ["tcp/5433-5432"]}, "bad_request"),
        ({"name": "lab", "routes": ["10.0.0.0/8"], "interface": "wg7"}, "not_found"),
        ({"name": "lab", "routes": ["10.0.0.0/8"], "interface": "wg1", "members": ["nosuch"]}, "not_found"),
        ({"name": "lab", "routes": ["10.0.0.0/8"], "interface": "wg1", "members": ["@"]}, "bad_request"),
        ({"name": "lab", "routes": ["10.0.0.0/8"], "interface": "wg1", "members": ["a\x1b"]}, "bad_request"),
        (
            {
                "name": "lab",
                "routes": ["10.0.0.0/8"],
                "interface": "wg1",
                "default_duration": 9,
                "max_duration": 8,
            },
            "bad_request",
        ),
        (
            {"name": "lab", "routes": ["10.0.0.0/8"], "interface": "wg1", "max_duration": 366 * 24 * HOUR},
            "bad_request",
        ),
        (
            {"name": "lab", "routes": ["10.0.0.0/8"], "interface": "wg1", "default_duration": 9 * HOUR},
            "bad_request",
        ),
    ],
)
async def test_what_cannot_be_added(office: World, body: dict[str, object], code: str) -> None:
    """Each wrong body is refused with its code, and no network comes of it."""
    await office.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=51821)
    if "interface" not in body:
        body = {**body, "interface": "wg1"}
    with pytest.raises(JitError) as caught:
        await office.do(networks.add, ROOT, **body)
    assert caught.value.code == code
    assert [one["name"] for one in (await office.ask(networks.list_, ROOT))["networks"]] == ["office"]


async def test_who_has_no_right_any_more_is_not_called_active(office: World) -> None:
    """What a change of members takes away is ended with it: no list, status or reply says for a moment that it is active."""
    number = await office.granted(ALICE)
    await office.do(networks.set_, ROOT, name="office", members=["bob"], confirmed=True)
    assert (await office.ask(show.show, ALICE, id=number))["request"]["status"] == "revoked"
    assert office.entries() == {}
    assert not (await office.ask(listing.list_, ROOT, status=["active"]))["requests"]


async def test_a_scheduled_grant_without_a_right_never_begins(office: World) -> None:
    """Its user is gone at its start, which nobody has noticed yet: it ends, and no event says that it is open now."""
    start = office.clock.now_ms() + HOUR
    number = await office.asked(start=start)
    await office.do(grants.grant, ROOT, id=number, duration=HOUR)
    office.people.people.pop("alice")
    await office.advance(HOUR)
    assert (await office.ask(show.show, ROOT, id=number))["request"]["status"] == "revoked"
    told = [one["kind"] for one in (await office.ask(eventlog.events_, ROOT))["events"]]
    assert "activated" not in told
    assert told[-2:] == ["revoked", "cut_confirmed"] or told[-1] == "revoked"
