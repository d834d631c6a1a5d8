"""doctor: what each part says, who may examine what, and that nothing waits for it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.diagnostics import doctor, registry
from jitd.diagnostics.registry import PARTS
from jitd.enforce.owner import Owner
from jitd.enforce.port import RemovePeer, SetPeer
from jitd.queries import overview
from jitd.verbs import devices, freezing, grants, holding, networks, users
from jitd.verbs import interfaces as verbs
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key

#: From the best to the worst.
LEVELS = ("ok", "unknown", "warning", "broken")


def said(reply: dict[str, Any], level: str) -> list[str]:
    """What was said at a level."""
    return [check["what"] for check in reply["checks"] if check["level"] == level]


def fixes(reply: dict[str, Any]) -> list[str]:
    """What to type."""
    return [check["fix"] for check in reply["checks"] if check["level"] == "broken"]


async def test_without_a_part_it_tells_what_there_is(office: World) -> None:
    """Administrators are told the parts, users their networks: the open ones, where there are any."""
    assert (await office.examine(CAROL))["parts"] == list(PARTS)
    await office.do(networks.add, ROOT, name="lab", routes=["192.0.2.0/24"])
    assert (await office.examine(ALICE))["networks"] == ["lab", "office"]
    await office.granted(ALICE)
    assert (await office.examine(ALICE))["networks"] == ["office"]


@pytest.mark.parametrize("part", list(PARTS))
async def test_parts_are_for_administrators(office: World, part: str) -> None:
    """An administrator gets the lines of a part, each by a check of that part and no worse than that can be; a user is
    not permitted.
    """
    found = (await office.examine(CAROL, part=part))["checks"]
    worst = {one.code: one.severity for one in registry.every() if one.part == part}
    assert found
    assert [one for one in found if LEVELS.index(one["level"]) > LEVELS.index(worst[one["code"]])] == []
    with pytest.raises(JitError) as refused:
        await office.examine(ALICE, part=part)
    assert refused.value.code == "not_permitted"


async def test_a_network_named_like_a_part(office: World) -> None:
    """The part is meant for administrators, unless they say network; for users the network is."""
    await office.do(networks.add, ROOT, name="store", routes=["192.0.2.0/24"])
    assert (await office.examine(CAROL, part="store"))["part"] == "store"
    assert (await office.examine(CAROL, network="store"))["network"] == "store"
    assert (await office.examine(ALICE, part="store"))["network"] == "store"


async def test_a_network_that_somebody_may_not_use_does_not_exist(office: World) -> None:
    """Not for them, and its name is not told apart from one that is none."""
    await office.do(networks.set_, ROOT, name="office", changes=["members=bob"])
    for name in ("office", "nosuch"):
        with pytest.raises(JitError, match=f"cannot find a network '{name}'"):
            await office.examine(ALICE, part=name)


async def test_nothing_of_somebody_else(office: World) -> None:
    """A user examines nobody else; an administrator does."""
    with pytest.raises(JitError) as refused:
        await office.examine(ALICE, network="office", user="bob")
    assert refused.value.code == "not_permitted"
    assert (await office.examine(CAROL, network="office", user="bob"))["user"] == "bob"


async def test_the_interfaces_part_compares_with_the_store(office: World) -> None:
    """Up with the right key and port it is ok; gone, or with another key and port, it is broken."""
    fine = await office.examine(ROOT, part="interfaces")
    assert said(fine, "ok") == ["wg0 is up on UDP port 51820 with the key that clients have; peers: 0"]
    office.wireguard.remove_link("wg0")
    gone = await office.examine(ROOT, part="interfaces")
    assert "wg0 does not exist: no traffic passes" in said(gone, "broken")
    office.wireguard.add_foreign_link("wg0", addresses=["10.9.0.1/24"], port=9)
    assert said(await office.examine(ROOT, part="interfaces"), "broken") == [
        "wg0 has a different key than its clients expect: no client can connect",
        "wg0 listens on UDP port 9 instead of 51820, which its clients use",
    ]


async def test_an_interface_without_an_endpoint_is_worth_a_warning(office: World) -> None:
    """And the warning has the command that sets one."""
    await office.do(verbs.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=1)
    found = await office.examine(ROOT, part="interfaces")
    (check,) = [one for one in found["checks"] if "no endpoint" in one["what"]]
    assert (check["level"], check["fix"]) == ("warning", "jitctl interface set wg1 --endpoint HOST:1")


async def test_a_clock_that_was_set_is_told(office: World) -> None:
    """Forward it is a warning; back behind its highest value it is broken."""
    assert "the clock was not set since jitd started" in said(await office.examine(ROOT, part="clock"), "ok")
    office.clock.step(HOUR)
    forward = said(await office.examine(ROOT, part="clock"), "warning")
    assert any("the clock was set forward by 1h since jitd started" in line for line in forward)
    await office.asked()
    office.clock.step(-3 * HOUR)
    (behind,) = said(await office.examine(ROOT, part="clock"), "broken")
    assert behind.startswith("the clock is 3h behind its highest value")


async def test_from_nothing_to_a_handshake(world: World) -> None:
    """Each step on the way to access is what is broken next, with what to type."""
    await world.do(verbs.add, ROOT, name="wg0", pools=["10.9.0.0/24"], endpoint="vpn.example.org:51820")
    await world.do(networks.add, ROOT, name="office", routes=["10.0.0.0/8"], ports=["tcp/443"])

    async def broken() -> list[str]:
        found = await world.examine(ALICE, part="office")
        assert "office is 10.0.0.0/8, only tcp/443, through wg0" in said(found, "ok")
        return fixes(found)

    assert await broken() == [
        'jitctl request office --reason "…"',
        "jitctl device add laptop --public-key KEY",
    ]
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    assert await broken() == ['jitctl request office --reason "…"']
    number = await world.asked()
    assert await broken() == [f"jitctl wait {number}"]
    await world.do(grants.grant, ROOT, id=number, duration=HOUR)
    found = await world.examine(ALICE, part="office")
    assert fixes(found) == []
    assert said(found, "ok") == [
        f"grant {number} is active, 1h left",
        "office is 10.0.0.0/8, only tcp/443, through wg0",
        "the gateway's wg0 is up and listens on UDP port 51820",
        f"the gateway has laptop as a peer with the registered key {key('alice')}",
    ]
    assert len(said(found, "warning")) == len(said(found, "unknown")) == 1

    state = world.wireguard.read("wg0")
    peer = replace(state.peers[key("alice")], last_handshake_ms=world.clock.now_ms() - 5000)
    world.wireguard._links["wg0"] = replace(state, peers={key("alice"): peer})
    found = await world.examine(ALICE, part="office")
    assert "laptop: last handshake 5s ago" in said(found, "ok")
    assert said(found, "warning") + said(found, "unknown") == []


async def test_a_peer_that_is_not_there_is_broken(office: World) -> None:
    """Somebody has removed it by hand: the user is told that the gateway does not let the device in."""
    await office.granted()
    office.wireguard.apply("wg0", [RemovePeer(key("alice"))])
    assert said(await office.examine(ALICE, part="office"), "broken") == [
        "the gateway has not opened access for laptop yet"
    ]


async def test_a_grant_for_another_network_is_named(office: World) -> None:
    """Who has access elsewhere is asked whether it is the right network."""
    await office.do(networks.add, ROOT, name="lab", routes=["192.0.2.0/24"])
    await office.granted()
    assert said(await office.examine(ALICE, part="lab"), "broken") == [
        "alice has no grant for lab, but for office: check the name of the network"
    ]


@pytest.mark.parametrize(
    ("verb", "actor", "body", "expected"),
    [
        (holding.release, ALICE, {"network": "office"}, "alice has no grant for office"),
        (freezing.freeze, ROOT, {"reason": "breach"}, "all access is frozen by root"),
        (users.disable, ROOT, {"user": "alice", "reason": "left"}, "alice has no access: "),
    ],
)
async def test_what_closes_is_told(
    office: World, verb: ChangeVerb, actor: Actor, body: dict[str, str], expected: str
) -> None:
    """A grant given back, a freeze and a disabled account are each named as what is broken."""
    await office.granted()
    await office.do(verb, actor, **body)
    found = said(await office.examine(ROOT, network="office", user="alice"), "broken")
    assert len(found) == 1
    assert found[0].startswith(expected)


async def test_a_paused_grant_is_broken(office: World) -> None:
    """Its user has forgotten it, perhaps."""
    await office.granted()
    await office.do(holding.pause, ALICE, network="office")
    assert fixes(await office.examine(ALICE, part="office")) == ["jitctl resume office"]


class Silent:
    """A mail server that takes a connection and never says a word."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def start(self) -> Mail:
        """The configuration that finds it; it is given up after 2 s."""
        self.server = await asyncio.start_server(self._hang, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return Mail(server="127.0.0.1", port=port, sender="jitd@example.org", timeout_seconds=2)

    async def _hang(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        await writer.wait_closed()


async def test_a_mail_server_that_hangs_makes_nobody_wait(office: World) -> None:
    """While the mail part waits for it, a grant is given and another part examined; then it is told what hangs."""
    silent = Silent()
    mail = await silent.start()
    office.service.reload(replace(office.config, mail=mail))
    examining = asyncio.create_task(office.examine(ROOT, part="mail"))
    await asyncio.wait_for(silent.asked.wait(), 10)
    await office.granted(BOB)
    assert (await office.examine(ROOT, part="store"))["checks"]
    assert not examining.done()
    (broken,) = said(await examining, "broken")
    assert broken == f"127.0.0.1:{mail.port} did not answer within 2 s"
    silent.server.close()


async def test_a_stop_in_the_middle(tmp_path: Path) -> None:
    """A stop does not hang in an examination, and whoever asked has an answer."""
    world, silent = World(tmp_path), Silent()
    await world.start()
    world.service.reload(replace(world.config, mail=await silent.start()))
    examining = asyncio.create_task(world.examine(ROOT, part="mail"))
    await asyncio.wait_for(silent.asked.wait(), 10)
    await asyncio.wait_for(world.stop(), 10)
    assert len(said(await examining, "broken")) == 1
    silent.server.close()


async def test_without_a_machine_it_says_so(office: World) -> None:
    """A service that nobody has given a machine refuses instead of saying that all is well."""
    office.service._machine = None
    with pytest.raises(JitError, match="cannot examine this machine"):
        await office.service.examine(doctor.doctor, ROOT, {"part": "store"})


async def test_a_missing_admin_group_is_broken(office: World) -> None:
    """With the command that makes it."""
    daemon = replace(office.config.daemon, admin_groups=("admins", "no-such-group"))
    office.service.reload(replace(office.config, daemon=daemon))
    found = await office.examine(ROOT, part="config")
    assert said(found, "broken") == ["[daemon] admin_groups: there is no group no-such-group"]
    assert fixes(found) == ["groupadd --system no-such-group"]


async def test_an_endpoint_with_another_port(office: World) -> None:
    """Clients that are told to call a port on which nobody listens are worth a warning, with the command that mends it."""
    await office.do(verbs.set_, ROOT, name="wg0", endpoint="[2001:db8::1]:443")
    (check,) = [
        one
        for one in (await office.examine(ROOT, part="interfaces"))["checks"]
        if "clients use UDP port" in one["what"]
    ]
    assert "clients use UDP port 443 ([2001:db8::1]:443), and wg0 listens on 51820" in check["what"]
    assert (check["level"], check["fix"]) == (
        "warning",
        "jitctl interface set wg0 --endpoint '[2001:db8::1]:51820'",
    )


async def test_a_renamed_interface_is_worth_a_warning(office: World) -> None:
    """With the commands that give it its own name again, whatever the other one is."""
    office.wireguard.rename_link("wg0", "wg'0")
    (check,) = [
        one for one in (await office.examine(ROOT, part="interfaces"))["checks"] if "is called" in one["what"]
    ]
    assert check["what"].startswith("wg0 is called wg'0 on this machine: the firewall covers both names")
    assert check["fix"].startswith("""ip link set 'wg'"'"'0' down; ip link set""")


async def test_what_the_owners_file_would_bring_back(world: World) -> None:
    """SaveConfig that is turned on later is broken, and a key that jitd let in is named with whose it is, for doctor and for
    status; keys that are its owner's own are not.
    """
    world.wireguard.add_foreign_link("wg0", addresses=["10.9.0.1/24"], port=51820)
    world.wireguard.apply("wg0", [SetPeer(public_key=key("old"), allowed_ips=frozenset())])
    await world.do(verbs.adopt, ROOT, name="wg0")
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    path = "/etc/wireguard/wg0.conf"
    world.owner = Owner(kind="wg-quick", path=path, keys=frozenset({key("old")}))
    assert "wg0.conf" not in str(await world.examine(ROOT, part="interfaces"))
    world.owner = Owner(
        kind="wg-quick", path=path, saves_config=True, keys=frozenset({key("alice"), key("old")})
    )
    found = await world.examine(ROOT, part="interfaces")
    assert any(line.startswith(f"{path} has SaveConfig = true") for line in said(found, "broken"))
    (saved,) = (line for line in said(found, "warning") if "that jitd manages" in line)
    assert f"alice's laptop ({key('alice')})." in saved
    assert key("old") not in saved
    await world.service.look_around()
    assert "SaveConfig" in str((await world.ask(overview.status, ROOT))["gateway"])
