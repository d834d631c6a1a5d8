"""Addresses, pools, routes, ports and endpoints: what is free on this machine, and what happens where it is not."""

from ipaddress import ip_interface, ip_network
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.placing import Host
from jitd.enforce.port import EnforceError, LinkSpec, SetPeer
from jitd.verbs import devices, interfaces, networks, policies, removal
from support.service import ALICE, BOB, ROOT, World, key

DAY = 24 * 3_600_000
MACHINE = Host(
    addresses=(("eth0", ip_interface("192.168.1.5/24")), ("wg0", ip_interface("10.9.0.1/24"))),
    routes=(
        ("eth0", ip_network("192.168.1.0/24")),
        ("docker0", ip_network("172.17.0.0/16")),
        ("eth0", ip_network("10.64.0.0/10")),
        ("wg0", ip_network("10.9.0.0/24")),
    ),
)


def gateway_of(world: World, name: str = "wg0") -> set[str]:
    return {str(one) for one in world.wireguard.read(name).addresses}


async def refused(world: World, verb: Any, words: str, code: str = "conflict", **body: Any) -> None:
    """The verb is refused with these words, and the interface listens and is addressed as before."""
    before = world.wireguard.read("wg0")
    with pytest.raises(JitError) as caught:
        await world.do(verb, ROOT, **body)
    assert caught.value.code == code, caught.value.message
    assert words in caught.value.message
    after = world.wireguard.read("wg0")
    assert (after.port, after.addresses, after.up) == (before.port, before.addresses, True)


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ("192.168.1.0/24", "this machine has 192.168.1.5/24 on eth0"),
        ("192.168.0.0/16", "this machine has 192.168.1.5/24 on eth0"),
        ("172.17.0.0/16", "this machine has a route to it through docker0"),
        ("10.9.0.128/25", "overlaps with 10.9.0.0/24 of wg0"),
        ("203.0.113.0/24", "wg0 is reached at 203.0.113.7"),
        ("127.0.0.0/8", "loopback"),
        ("224.0.0.0/8", "multicast"),
        ("169.254.1.0/24", "link-local"),
        ("0.0.0.0/0", "addresses of this host"),
        ("fe80::/64", "link-local"),
    ],
)
async def test_a_pool_that_is_taken_is_refused(office: World, pool: str, words: str) -> None:
    """What the machine, another interface or an endpoint has, and what is no address of a client, is no pool: for a new
    interface and for one that is changed.
    """
    office.host.host = MACHINE
    await office.do(interfaces.set_, ROOT, name="wg0", endpoint="203.0.113.7:51820")
    await refused(office, interfaces.add, words, name="wg1", pools=[pool], port=51821)
    await office.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=51821)
    await refused(office, interfaces.set_, words, name="wg1", pools=[pool])
    assert gateway_of(office, "wg1") == {"10.8.0.1/24"}


async def test_a_pool_that_overlaps_is_warned_of(office: World) -> None:
    """A route of the machine to more than the pool, and a network that opens it, can both be meant."""
    office.host.host = MACHINE
    reply = await office.do(interfaces.add, ROOT, name="wg1", pools=["10.64.3.0/24"], port=51821)
    assert reply["warnings"] == [
        "the pool 10.64.3.0/24: this machine has a route to 10.64.0.0/10 through eth0",
        "the pool 10.64.3.0/24: the network office opens 10.0.0.0/8",
    ]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("203.0.113.0/24", "wg0 is reached at 203.0.113.7, which is inside it"),
        ("203.0.113.7/32", "wg0 is reached at 203.0.113.7"),
        ("127.0.0.1/32", "loopback"),
        ("224.0.0.1/32", "multicast"),
    ],
)
async def test_a_route_that_cannot_be_reached_is_refused(office: World, route: str, words: str) -> None:
    """A network with the gateway's own endpoint in it would send the tunnel through itself: by add, set and policy."""
    await office.do(interfaces.set_, ROOT, name="wg0", endpoint="203.0.113.7:51820")
    await refused(office, networks.add, words, name="lab", routes=[route])
    await refused(office, networks.set_, words, name="office", routes=["10.0.0.0/8", route])
    await refused(office, networks.set_, words, name="office", changes=[f"routes+={route}"])
    text = f'[network.lab]\nroutes = ["{route}"]\n'
    await refused(office, policies.apply, words, text=text)


async def test_routes_that_can_be_meant_are_warned_of(office: World) -> None:
    """Everything, a large network with the pool in it, and clients among each other."""
    reply = await office.do(
        networks.add, ROOT, name="lab", routes=["0.0.0.0/0", "10.9.0.0/16", "10.9.0.7/32"]
    )
    assert [one for one in reply["plan"]["warnings"] if "opens" in one] == [
        "lab opens 0.0.0.0/0: it takes all traffic of its users' machines",
        "lab opens 10.9.0.0/16: the pool 10.9.0.0/24 of wg0 is inside it",
        "lab opens 10.9.0.7/32: it is inside the pool 10.9.0.0/24 of wg0",
    ]
    again = await office.do(networks.set_, ROOT, name="lab", members=["alice"])
    assert not [one for one in again["plan"]["warnings"] if "opens" in one]


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("10.9.0.1:51820", "in its own pool"),
        ("10.1.2.3:51820", "which the network office opens"),
        ("224.0.0.1:1", "multicast"),
    ],
)
async def test_an_endpoint_inside_is_refused(office: World, endpoint: str, words: str) -> None:
    """Clients would look for the gateway behind the gateway."""
    await refused(office, interfaces.set_, words, name="wg0", endpoint=endpoint)


async def test_a_port_that_is_taken_is_refused(office: World) -> None:
    """What another program or interface listens on is refused, by add and by set; its own port is no other's."""
    office.host.ports = {53530, 51820}
    await refused(office, interfaces.set_, "another program uses it", name="wg0", port=53530)
    await refused(office, interfaces.add, "another program", name="wg1", pools=["10.8.0.0/24"], port=53530)
    await office.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=51821)
    await refused(office, interfaces.set_, "wg1 does", name="wg0", port=51821)
    await refused(office, interfaces.set_, "cannot listen on port 0", "bad_request", name="wg0", port=0)
    await office.do(interfaces.set_, ROOT, name="wg0", port=51820, mtu=1400)


async def test_what_the_kernel_refuses_is_not_recorded(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program takes the port between the test and the change: the old port is kept, in the store and in the kernel."""
    real, refusing = office.wireguard.ensure_link, [53530]

    def ensure(spec: LinkSpec) -> bool:
        if spec.port in refusing:
            raise EnforceError("wg0 cannot listen on UDP port 53530: it is already in use")
        return real(spec)

    monkeypatch.setattr(office.wireguard, "ensure_link", ensure)
    await refused(office, interfaces.set_, "already in use", "enforcement", name="wg0", port=53530)
    shown = (await office.service.peek(interfaces.show, ROOT, {"name": "wg0"}))["interface"]
    assert shown["port"] == 51820


async def test_a_smaller_pool_takes_no_devices_address(world: World) -> None:
    """The gateway has the first address of the pool: a pool whose first address a device has is refused."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.7.0.0/24"])
    await world.do(networks.add, ROOT, name="office", routes=["10.20.0.0/16"])
    for number in range(4):
        await world.do(devices.add, BOB, name=f"d{number}", public_key=key(f"d{number}"))
    for number in range(3):
        await world.do(removal.remove, BOB, name=f"d{number}")
    await refused(
        world,
        interfaces.set_,
        "bob's d3 has 10.7.0.5/32, and the gateway would get that address",
        name="wg0",
        pools=["10.7.0.4/30"],
    )


async def test_the_gateways_own_address_is_nobody_elses(world: World) -> None:
    """An adopted gateway may have any address of its pool: no device gets it, and files lead to it."""
    world.wireguard.add_foreign_link("wg0", addresses=["10.8.0.2/24"], port=51820)
    await world.do(interfaces.adopt, ROOT, name="wg0", endpoint="vpn.example.org:51820")
    await world.do(networks.add, ROOT, name="office", routes=["10.20.0.0/16"])
    added = await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    assert added["device"]["addresses"] == {"wg0": ["10.8.0.3/32"]}
    file = (await world.do(devices.config, ALICE))["config"]
    assert "AllowedIPs = 10.8.0.2/32, 10.20.0.0/16\n" in file


async def test_a_peer_with_somebodys_address_is_named(world: World) -> None:
    """The owner of an adopted interface gives a peer an address that jitd gave out: doctor says whose it is, and to take
    the peer over is refused in words.
    """
    world.wireguard.add_foreign_link("wg0", addresses=["10.8.0.1/24"], port=51820)
    await world.do(interfaces.adopt, ROOT, name="wg0")
    await world.do(networks.add, ROOT, name="office", routes=["10.20.0.0/16"])
    await world.do(devices.add, ALICE, name="laptop", public_key=key("alice"))
    for name, ip in (("bob", "10.8.0.2/32"), ("carol", "10.8.0.1/32")):
        peer = SetPeer(public_key=key(name), allowed_ips=frozenset({ip_network(ip)}))
        world.wireguard.apply("wg0", [peer])
    await world.service.check()
    told = [
        one["what"]
        for one in (await world.examine(ROOT, part="interfaces"))["checks"]
        if one["level"] == "broken"
    ]
    assert any(f"{key('bob')} has 10.8.0.2/32, which alice's laptop has, too" in one for one in told)
    assert any(f"{key('carol')} has 10.8.0.1/32, which the gateway has, too" in one for one in told)
    for verb, body in (
        (devices.add, {"name": "desk", "user": "bob", "public_key": key("bob")}),
        (
            devices.import_,
            {"interface": "wg0", "devices": [{"public_key": key("bob"), "user": "bob", "name": "desk"}]},
        ),
    ):
        with pytest.raises(JitError, match=r"alice's laptop has 10\.8\.0\.2/32 already") as caught:
            await world.do(verb, ROOT, **body)
        assert caught.value.code == "conflict"


async def test_a_freed_address_rests_for_a_day(world: World) -> None:
    """The newest device is removed: what is on its way to it is not for the next one. After 24 h its address is free."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"])
    await world.do(networks.add, ROOT, name="office", routes=["10.20.0.0/16"])
    await world.do(devices.add, ALICE, name="a", public_key=key("alice"))
    await world.do(devices.add, BOB, name="b", public_key=key("bob"))
    await world.do(removal.remove, BOB, name="b")
    added = await world.do(devices.add, BOB, name="c", public_key=key("c"))
    assert added["device"]["addresses"] == {"wg0": ["10.9.0.4/32"]}
    await world.do(removal.remove, BOB, name="c")
    await world.advance(DAY + 1)
    added = await world.do(devices.add, BOB, name="d", public_key=key("d"))
    assert added["device"]["addresses"] == {"wg0": ["10.9.0.3/32"]}


async def test_the_one_that_rested_longest_goes_first(world: World) -> None:
    """Where nothing else is free, the address that was given back first is given out first."""
    await world.do(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/29"])
    await world.do(networks.add, ROOT, name="office", routes=["10.20.0.0/16"])
    for number in range(5):
        await world.do(devices.add, ALICE, name=f"d{number}", public_key=key(f"d{number}"))
    for number in (3, 1, 4):
        await world.do(removal.remove, ALICE, name=f"d{number}")
        await world.advance(60_000)
    given = []
    for number in range(3):
        added = await world.do(devices.add, BOB, name=f"e{number}", public_key=key(f"e{number}"))
        given += added["device"]["addresses"]["wg0"]
    assert given == ["10.9.0.5/32", "10.9.0.3/32", "10.9.0.6/32"]


async def test_a_full_pool_keeps_nobody_off_others(office: World) -> None:
    """One interface that has no address left is told; the device has its address on the others, and there once it is free."""
    await office.do(
        interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/30"], port=51821, endpoint="vpn.example.org"
    )
    await office.do(networks.add, ROOT, name="lab", interface="wg1", routes=["10.20.0.0/16"])
    first = await office.do(devices.add, ALICE, name="one", public_key=key("one"))
    assert first["device"]["addresses"].keys() == {"wg0", "wg1"}
    second = await office.do(devices.add, BOB, name="two", public_key=key("two"))
    assert second["device"]["addresses"].keys() == {"wg0"}
    assert second["warnings"] == ["cannot give out another address on wg1: the pool 10.8.0.0/30 is used up"]
    await office.do(removal.remove, ALICE, name="one")
    await office.do(devices.config, BOB, name="two", interface="wg1")
    shown = (await office.ask(devices.list_, BOB))["devices"]
    assert {one["name"]: one["addresses"] for one in shown}["two"]["wg1"] == ["10.8.0.2/32"]


async def test_devices_get_an_address_of_a_family_that_comes_later(office: World) -> None:
    """A second pool is added: every device has an address of it at once, also in the kernel, and keeps the one it has."""
    await office.granted(ALICE)
    await office.do(interfaces.set_, ROOT, name="wg0", pools=["10.9.0.0/24", "fd00:9::/64"])
    shown = (await office.ask(devices.list_, BOB))["devices"]
    assert shown[0]["addresses"] == {"wg0": ["10.9.0.3/32", "fd00:9::3/128"]}
    assert office.peers()["alice"] == {"10.9.0.2/32", "fd00:9::2/128"}
    assert gateway_of(office) == {"10.9.0.1/24", "fd00:9::1/64"}


async def test_what_can_be_set_can_be_emptied(office: World) -> None:
    """An empty text takes back DNS, endpoint, ports and members; search domains are taken beside servers."""
    await office.do(interfaces.set_, ROOT, name="wg0", dns=["10.9.0.1", "Corp.example", "10.9.0.1"])
    file = (await office.do(devices.config, ALICE))["config"]
    assert "DNS = 10.9.0.1, corp.example\n" in file
    await office.do(networks.set_, ROOT, name="office", ports=["tcp/22"], members=["alice"])
    await office.do(networks.set_, ROOT, name="office", ports=[""], members=[""])
    shown = (await office.ask(networks.show, ROOT, name="office"))["network"]
    assert (shown["ports"], shown["members"]) == ([], [])
    reply = await office.do(interfaces.set_, ROOT, name="wg0", dns=[""], endpoint="", mtu=0)
    assert (reply["interface"]["dns"], reply["interface"]["endpoint"]) == ([], "")
    await refused(office, interfaces.set_, "would have no addresses", "bad_request", name="wg0", pools=[""])
    await refused(office, networks.set_, "without routes", "bad_request", name="office", routes=[""])


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (
            {"endpoint": "127.0.0.1:51820"},
            "the endpoint 127.0.0.1:51820: it is one of the loopback addresses (127.0.0.0/8)",
        ),
        ({"endpoint": "192.0.2.7:443"}, "clients are sent to port 443, and wg0 listens on 51820"),
        ({"port": 51999}, "clients are sent to port 51820, and wg0 listens on 51999"),
        (
            {"dns": ["127.0.0.53"]},
            "the DNS server 127.0.0.53: it is one of the loopback addresses (127.0.0.0/8)",
        ),
        ({"dns": ["::1"]}, "the DNS server ::1: it is one of the addresses of this host (::/96)"),
    ],
    ids=str,
)
async def test_what_no_other_machine_reaches_is_warned_of(
    office: World, change: dict[str, Any], warning: str
) -> None:
    """It can be meant (a client on the same machine, a port that something forwards), and is said when it is set."""
    said = await office.do(interfaces.set_, ROOT, name="wg0", **change)
    (told,) = said["warnings"]
    assert told.startswith(warning)
    again = await office.do(interfaces.set_, ROOT, name="wg0", mtu=1380)
    assert "warnings" not in again, "what did not change is not told again"
