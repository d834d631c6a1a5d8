"""What the second layer promises, with packets: for every kernel that the tests reach."""

import select
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from jitd.core import firewallrules
from jitd.core.elements import Lease, SetEntry
from jitd.core.firewall import Always, InterfaceRules, NetworkRules, Rules
from jitd.core.model import Ports
from jitd.enforce.firewall import NftFirewall
from jitd.enforce.nftchanges import NftChanges
from jitd.enforce.port import EnforceError
from support.firewall_scene import (
    ADDRESS,
    ADDRESS6,
    DB,
    DB_NEIGHBOUR,
    GATEWAY,
    INSIDE,
    ONE,
    TWO,
    Talk,
    build,
    called,
    index_of,
    ip,
    listen,
    nft,
    opens,
    passes,
    tcp,
    udp,
    wireguard,
)
from support.wait import until

PORT = 7000
OFFICE, DATABASE, SIX = 1, 2, 3
HOUR = 3_600_000  # ms
EARLY_MS = 60  # an element may go this much before its time; a busy machine's scheduling is in it
CLIENTS = {name: ip_address(address) for name, address in ADDRESS.items()}
CLIENTS6 = {name: ip_address(address) for name, address in ADDRESS6.items()}


GATEWAYS = {CLIENTS[GATEWAY], CLIENTS6[GATEWAY], CLIENTS[INSIDE], CLIENTS6[INSIDE]}


def network(number: int, name: str, *routes: str, ports: tuple[Ports, ...] = ()) -> NetworkRules:
    return NetworkRules(
        id=number, name=name, routes=tuple(ip_network(route) for route in routes), ports=ports
    )


def interface(*networks: NetworkRules) -> InterfaceRules:
    return InterfaceRules(
        name="wg0", gateway=(ip_address("10.9.0.1"), ip_address("fd09::1")), networks=networks
    )


RULES = Rules(
    interfaces=(
        interface(
            network(OFFICE, "office", "10.20.0.0/16", "10.1.0.0/16"),
            network(DATABASE, "prod-db", "10.1.2.3/32", ports=(Ports("tcp", PORT, PORT),)),
            network(SIX, "six", "fd20::/64"),
        ),
    ),
    always=(Always(to=None, protocol="udp", port=53), Always(to=None, protocol="icmp")),
)


#: The same, with the addresses that were given out.
GIVEN = replace(
    RULES,
    interfaces=(
        replace(RULES.interfaces[0], given=frozenset({*CLIENTS.values(), *CLIENTS6.values()}) - GATEWAYS),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def scene() -> Iterator[None]:
    """The wires, and a server inside."""
    build()
    server = listen(INSIDE, PORT)
    here = listen(GATEWAY, PORT + 1)
    for client in (ONE, TWO):
        for address in (ADDRESS[INSIDE], ADDRESS6[INSIDE], ADDRESS[GATEWAY], ADDRESS6[GATEWAY]):
            port = PORT if address in (ADDRESS[INSIDE], ADDRESS6[INSIDE]) else PORT + 1
            until(
                partial(reachable, client, address, port),
                f"{client} reaches {address}",
            )
    yield
    server.close()
    here.close()


@pytest.fixture
def firewall() -> Iterator[NftFirewall]:
    """The firewall with the rules loaded and nobody in."""
    firewall = NftFirewall()
    firewall.ensure(RULES)
    yield firewall
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    firewall.close()


def let(firewall: NftFirewall, client: str, number: int = OFFICE, ms: int = HOUR) -> None:
    ips = CLIENTS6 if number == SIX else CLIENTS
    firewall.apply([Lease(number, ips[client], ms)], [])


def cut(firewall: NftFirewall, client: str, number: int = OFFICE) -> None:
    ips = CLIENTS6 if number == SIX else CLIENTS
    firewall.apply([], [SetEntry(number, ips[client])])


def reachable(client: str, address: str, port: int) -> bool:
    """Whether a connection opens; while neighbours are looked for it takes too long."""
    try:
        return opens(client, address, port)
    except TimeoutError:
        return False


def connected(client: str, address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection."""
    server = listen(INSIDE, port)
    line = tcp(client, address, port)
    other, _ = server.accept()
    server.close()
    return line, other


def test_who_is_not_in_is_told_so(firewall: NftFirewall) -> None:
    """Without an element a connection is refused at once, as prohibited, over IPv4 and IPv6; with one it opens."""
    for address, number in ((ADDRESS[INSIDE], OFFICE), (ADDRESS6[INSIDE], SIX)):
        begun = time.monotonic()
        with pytest.raises(OSError, match=r"No route to host|Permission denied"):
            tcp(ONE, address, PORT, seconds=8)
        # Silence would take all of the 8 s; see `opens` for why it is not always at once.
        assert time.monotonic() - begun < 5
        let(firewall, ONE, number)
        assert opens(ONE, address, PORT)
        assert not opens(TWO, address, PORT)


def test_both_directions_end_on_time_by_themselves(firewall: NftFirewall) -> None:
    """At the timeout nothing more passes either way, with nobody acting; how late is printed."""
    with Talk(ONE, INSIDE, ADDRESS[INSIDE], source=ADDRESS[ONE]) as talk:
        let(firewall, ONE)
        talk.flows()
        let(firewall, ONE, ms=700)
        end_ns = time.monotonic_ns() + 700_000_000
        until(lambda: time.monotonic_ns() > end_ns + 200_000_000, "the time is over")
        talk.sends(300)
        late = [(last - end_ns) / 1e6 for last in talk.last_ns()]
        print(f"last packets passed {late[0]:.1f} and {late[1]:.1f} ms after the end")
        assert talk.after(end_ns) == [0, 0]
        assert min(late) > -EARLY_MS


def test_a_cut_ends_established_connections_both_ways(firewall: NftFirewall) -> None:
    """A removal stops a TCP connection towards the inside and towards the client at once."""
    let(firewall, ONE)
    line, other = connected(ONE, ADDRESS[INSIDE], 7100)
    with line, other:
        assert passes(line, other)
        assert passes(other, line)
        cut(firewall, ONE)
        assert not passes(other, line)
        assert not passes(line, other)
        # TCP sends again what was not confirmed.
        let(firewall, ONE)
        assert passes(line, other, 5)


def test_an_extension_has_no_gap(firewall: NftFirewall) -> None:
    """Nothing of a stream of a thousand packets a second is lost while its end is moved a hundred times."""
    let(firewall, ONE)
    with Talk(ONE, INSIDE, ADDRESS[INSIDE], source=ADDRESS[ONE]) as talk:
        talk.flows()
        begin = [len(sent) for sent in talk.sent]
        for trial in range(100):
            let(firewall, ONE, ms=HOUR + trial)
            talk.sends(3)
        end = [len(sent) for sent in talk.sent]
        talk.flows()
        for index in (0, 1):
            assert set(range(begin[index], end[index])) <= talk.received[index].keys()


def test_a_timeout_is_set_in_place(firewall: NftFirewall) -> None:
    """Setting it again makes it longer or shorter, in all copies alike; none at all or less takes it away."""
    for ms in (10_000, 50_000, 5_000):
        let(firewall, ONE, ms=ms)
        (found,) = firewall.read()
        assert (found.network_id, found.ip) == (OFFICE, CLIENTS[ONE])
        assert ms - 1000 < found.least_ms <= found.most_ms <= ms
        assert firewall.read_some(
            [SetEntry(OFFICE, CLIENTS[ONE]), SetEntry(OFFICE, CLIENTS[TWO])]
        ).keys() == {SetEntry(OFFICE, CLIENTS[ONE])}
    let(firewall, ONE, ms=0)
    assert firewall.read() == []


def test_the_most_specific_destination_decides(firewall: NftFirewall) -> None:
    """Office opens all of 10.1.0.0/16 but the database's port, which prod-db opens and nothing else."""
    other = listen(INSIDE, PORT + 5)
    with other:
        let(firewall, ONE, OFFICE)
        let(firewall, TWO, DATABASE)
        seen = {
            (client, address, port): opens(client, address, port)
            for client in (ONE, TWO)
            for address in (DB, DB_NEIGHBOUR)
            for port in (PORT, PORT + 5)
        }
    assert {place for place, is_open in seen.items() if is_open} == {
        (ONE, DB, PORT + 5),
        (ONE, DB_NEIGHBOUR, PORT),
        (ONE, DB_NEIGHBOUR, PORT + 5),
        (TWO, DB, PORT),
    }


def test_the_end_of_one_network_leaves_the_other(firewall: NftFirewall) -> None:
    """A client in two networks loses the one that ends, with its open connection, and keeps the other."""
    let(firewall, ONE, OFFICE)
    let(firewall, ONE, DATABASE)
    line, other = connected(ONE, ADDRESS[INSIDE], 7101)
    db = tcp(ONE, DB, PORT)
    with line, other, db:
        cut(firewall, ONE, DATABASE)
        assert passes(line, other)
        assert passes(other, line)
        assert not opens(ONE, DB, PORT)
        assert opens(ONE, DB_NEIGHBOUR, PORT)


def test_the_gateway_itself(firewall: NftFirewall) -> None:
    """Of the gateway, members reach what is always allowed and nothing else; who is no member not even that."""
    answers = ["ip", "netns", "exec"]

    def pings(client: str) -> bool:
        argv = [*answers, client, "ping", "-c1", "-W1", ADDRESS[GATEWAY]]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0

    let(firewall, ONE, DATABASE)
    assert pings(ONE)
    assert not pings(TWO)
    assert not opens(ONE, ADDRESS[GATEWAY], PORT + 1)
    assert not opens(ONE, "10.20.0.1", PORT + 1)
    let(firewall, ONE, OFFICE)
    assert opens(ONE, "10.20.0.1", PORT + 1)
    # The gateway may speak with its members by itself.
    server = listen(ONE, 7102)
    with server:
        assert opens(GATEWAY, ADDRESS[ONE], 7102)
        cut(firewall, ONE, OFFICE)
        cut(firewall, ONE, DATABASE)
        with pytest.raises(OSError, match=r"timed out|not permitted"):
            tcp(GATEWAY, ADDRESS[ONE], 7102, seconds=0.5)


def test_a_stream_from_the_gateway_ends_too(firewall: NftFirewall) -> None:
    """A connection to a service on the gateway, which a route holds, ends both ways with its own network."""
    let(firewall, ONE, OFFICE)
    let(firewall, ONE, DATABASE)
    server = listen(GATEWAY, 7103)
    line = tcp(ONE, "10.20.0.1", 7103)
    other, _ = server.accept()
    with server, line, other:
        assert passes(other, line)
        cut(firewall, ONE, OFFICE)
        assert not passes(line, other)
        assert not passes(other, line)


def test_ordinary_users_of_the_gateway(firewall: NftFirewall) -> None:
    """From the gateway an ordinary uid cannot connect to a network's routes; root can, and so can all with the switch."""

    def reaches(uid: int) -> bool:
        dial = f"exec 3<>/dev/tcp/{ADDRESS[INSIDE]}/{PORT}"
        argv = ["setpriv", f"--reuid={uid}", "--clear-groups", "timeout", "3", "bash", "-c", dial]
        return subprocess.run(argv, check=False, capture_output=True, cwd="/").returncode == 0

    assert reaches(0)
    assert not reaches(1234)
    assert not reaches(100_000)
    assert reaches(61184)
    firewall.ensure(replace(RULES, close_local_users=False))
    assert reaches(1234)


def test_clients_do_not_reach_each_other(firewall: NftFirewall) -> None:
    """Two members of a network reach each other only where a network routes there; the one reached can answer."""
    server = listen(TWO, 7104)
    with server:
        let(firewall, ONE, OFFICE)
        let(firewall, TWO, OFFICE)
        assert not opens(ONE, ADDRESS[TWO], 7104)
        mesh = network(9, "mesh", "10.9.0.0/24")
        firewall.ensure(replace(RULES, interfaces=(interface(*RULES.interfaces[0].networks, mesh),)))
        let(firewall, ONE, 9)
        assert opens(ONE, ADDRESS[TWO], 7104)
        cut(firewall, ONE, 9)
        assert not opens(ONE, ADDRESS[TWO], 7104)


def test_from_the_inside(firewall: NftFirewall) -> None:
    """A host of a network's routes reaches its members; towards others, packets are dropped without a word."""
    server = listen(ONE, 7105)
    with server:
        with pytest.raises(TimeoutError):
            tcp(INSIDE, ADDRESS[ONE], 7105, seconds=0.5)
        let(firewall, ONE, OFFICE)
        assert opens(INSIDE, ADDRESS[ONE], 7105)


def test_the_inside_can_say_no(firewall: NftFirewall) -> None:
    """An ICMP error from the inside about a member's packet reaches the member, also where ports are limited."""
    rules = network(DATABASE, "u", "10.1.2.3/32", ports=(Ports("udp", 9, 9),))
    firewall.ensure(replace(RULES, interfaces=(interface(rules),)))
    let(firewall, ONE, DATABASE)
    with udp(ONE) as line:
        line.connect((DB, 9))
        line.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            line.recv(1)


def test_fragments(firewall: NftFirewall) -> None:
    """A packet in fragments passes a network that is limited to ports."""
    rules = network(DATABASE, "u", "10.1.2.3/32", ports=(Ports("udp", 7778, 7778),))
    firewall.ensure(replace(RULES, interfaces=(interface(rules),)))
    let(firewall, ONE, DATABASE)
    with udp(INSIDE) as server, udp(ONE) as line:
        server.bind((DB, 7778))
        line.sendto(b"x" * 8000, (DB, 7778))
        assert len(server.recv(10_000)) == 8000


def test_an_interface_that_is_not_enforced(firewall: NftFirewall) -> None:
    """Only addresses that jitd gave out are judged there: everybody else passes, both ways and to the gateway."""
    adopted = replace(RULES.interfaces[0], enforced=False, given=frozenset({CLIENTS[TWO]}))
    firewall.ensure(replace(RULES, interfaces=(adopted,)))
    assert opens(ONE, ADDRESS[INSIDE], PORT)
    assert opens(ONE, ADDRESS[GATEWAY], PORT + 1)
    with listen(ONE, 7106):
        assert opens(INSIDE, ADDRESS[ONE], 7106)
    assert not opens(TWO, ADDRESS[INSIDE], PORT)
    let(firewall, TWO)
    assert opens(TWO, ADDRESS[INSIDE], PORT)
    firewall.ensure(replace(RULES, interfaces=(replace(adopted, given=frozenset({CLIENTS[ONE]})),)))
    assert not opens(ONE, ADDRESS[INSIDE], PORT)


def renamed(rules: Rules, way: str) -> Rules:
    """The rules as they know an interface when it is renamed: by its index, or only by the addresses given out there."""
    mine = rules.interfaces[0]
    known = replace(mine, index=index_of("wg0")) if way == "index" else mine
    return replace(rules, interfaces=(known,))


@pytest.mark.parametrize("way", ["index", "address"])
def test_a_renamed_interface_lets_nobody_stay(firewall: NftFirewall, way: str) -> None:
    """Attack: an interface is renamed while its clients are in, so that no rule about its name holds any more. Ends and
    cuts count all the same, in both directions, for TCP that is established, and for whom has never been in.
    """
    firewall.ensure(renamed(GIVEN, way))
    let(firewall, ONE)
    line, other = connected(ONE, ADDRESS[INSIDE], 7120)
    with line, other, called("wg0", "renamed"):
        assert passes(line, other, 5)
        assert passes(other, line, 5)
        assert not opens(TWO, ADDRESS[INSIDE], PORT)
        assert not opens(TWO, ADDRESS6[INSIDE], PORT)
        assert not opens(TWO, ADDRESS[GATEWAY], PORT + 1)
        cut(firewall, ONE)
        assert not passes(other, line)
        assert not passes(line, other)
        assert not opens(ONE, ADDRESS[INSIDE], PORT)
        with listen(ONE, 7121), pytest.raises(TimeoutError):
            tcp(INSIDE, ADDRESS[ONE], 7121, seconds=0.5)


def test_another_name_of_an_interface_changes_nothing(firewall: NftFirewall) -> None:
    """Attack: an alternative name and an alias are set. The interface is what it was, and the rules stand."""
    firewall.ensure(renamed(GIVEN, "index"))
    ip("link property add dev wg0 altname wg0-too")
    ip("link set wg0 alias office")
    try:
        assert firewall.present()
        assert not opens(ONE, ADDRESS[INSIDE], PORT)
    finally:
        ip("link property del dev wg0 altname wg0-too")


def test_names_that_were_swapped(firewall: NftFirewall) -> None:
    """Attack: an enforced interface takes the name of one that is not. It is judged as what it is, and so is the other."""
    ip("link add wg7 type veth peer name wg7-far")
    try:
        there = replace(renamed(GIVEN, "index").interfaces[0], given=frozenset())
        open_one = InterfaceRules(
            name="wg7", gateway=(), networks=(), enforced=False, index=index_of("wg7"), called="wg7"
        )
        firewall.ensure(replace(RULES, interfaces=(there, open_one)))
        let(firewall, TWO)
        ip("link set wg7 name wg7-tmp")
        with called("wg0", "wg7"):
            ip("link set wg7-tmp name wg0")
            assert not opens(ONE, ADDRESS[INSIDE], PORT)
            assert opens(TWO, ADDRESS[INSIDE], PORT)
            # As jitd finds them a moment later: their chains stand on the devices that they belong to.
            swapped = (replace(there, called="wg7"), replace(open_one, called="wg0"))
            firewall.ensure(replace(RULES, interfaces=swapped))
            assert 'device "wg7"' in nft("list chain inet jitd ingress-wg0")
            assert 'device "wg0"' in nft("list chain netdev jitd egress-wg7")
            assert not opens(ONE, ADDRESS[INSIDE], PORT)
            assert opens(TWO, ADDRESS[INSIDE], PORT)
            ip("link set wg0 name wg7-tmp")
    finally:
        ip("link del wg7-tmp")


def test_the_chains_of_a_renamed_device_are_made_anew(firewall: NftFirewall) -> None:
    """A rename shows, and with the next ensure the chains of the device stand on it alone, under its new name."""
    firewall.ensure(renamed(GIVEN, "index"))
    with called("wg0", "renamed"):
        assert not firewall.present()
        known = replace(renamed(GIVEN, "none").interfaces[0], index=index_of("renamed"), called="renamed")
        assert firewall.ensure(replace(GIVEN, interfaces=(known,)))
        assert firewall.present()
        for family, chain in (("inet", "ingress-wg0"), ("netdev", "egress-wg0")):
            assert 'device "renamed"' in nft(f"list chain {family} jitd {chain}")
        let(firewall, ONE)
        assert opens(ONE, ADDRESS[INSIDE], PORT)
        assert not opens(TWO, ADDRESS[INSIDE], PORT)


def test_a_renamed_interface_that_is_not_enforced(firewall: NftFirewall) -> None:
    """Whoever its owner let in passes on under any name; whom jitd let in is judged."""
    adopted = replace(RULES.interfaces[0], enforced=False, given=frozenset({CLIENTS[TWO]}))
    firewall.ensure(replace(RULES, interfaces=(replace(adopted, index=index_of("wg0")),)))
    with called("wg0", "renamed"):
        assert opens(ONE, ADDRESS[INSIDE], PORT)
        assert opens(ONE, ADDRESS[GATEWAY], PORT + 1)
        assert not opens(TWO, ADDRESS[INSIDE], PORT)
        let(firewall, TWO)
        assert opens(TWO, ADDRESS[INSIDE], PORT)


def test_an_index_that_another_interface_has(firewall: NftFirewall) -> None:
    """What is gone keeps its index for its return; an interface that came to have that number is not judged for it."""
    ip("link add wg7 type veth peer name wg7-far")
    gone = InterfaceRules(name="wg6", gateway=(), networks=(), index=index_of("wg0"), gone=True)
    try:
        firewall.ensure(Rules(interfaces=(gone,)))
        assert opens(ONE, ADDRESS[INSIDE], PORT)
        firewall.ensure(Rules(interfaces=(replace(gone, gone=False),)))
        assert not opens(ONE, ADDRESS[INSIDE], PORT)
    finally:
        ip("link del wg7")


def test_whoever_is_let_in_is_judged_by_address_from_then_on(firewall: NftFirewall) -> None:
    """An address that was given out after the rules were loaded is known in the same step that lets it in."""
    let(firewall, ONE)
    assert ADDRESS[ONE] in nft("list set inet jitd given-wg0-4")
    cut(firewall, ONE)
    with called("wg0", "renamed"):
        assert not opens(ONE, ADDRESS[INSIDE], PORT)


def test_closed_by_address(firewall: NftFirewall) -> None:
    """Attack: the gateway boots with the interface under another name, and jitd does not start. The file for boot knows
    the addresses.
    """
    firewall.remove_all()
    subprocess.run(
        ["nft", "-f", "-"], input=firewallrules.closed(GIVEN), text=True, check=True, capture_output=True
    )
    with called("wg0", "renamed"):
        assert not opens(ONE, ADDRESS[INSIDE], PORT)
        assert not opens(ONE, ADDRESS6[INSIDE], PORT)


def test_just_expired(firewall: NftFirewall) -> None:
    """Taking and giving at the very moment of an expiry never fails, in a hundred trials around it."""
    for trial in range(100):
        let(firewall, ONE, ms=8)
        moment = time.monotonic() + 0.004 + (trial % 50) / 5000
        while time.monotonic() < moment:
            pass
        if trial % 2:
            cut(firewall, ONE)
            assert firewall.read() == []
        else:
            let(firewall, ONE)
            assert len(firewall.read()) == 1


def test_other_rules_keep_the_elements(firewall: NftFirewall) -> None:
    """New rules leave a member's element and its end as they are, and a stream of a thousand a second loses nothing."""
    let(firewall, ONE, ms=60_000)
    before = firewall.read()[0].least_ms
    more = replace(
        RULES, interfaces=(interface(*RULES.interfaces[0].networks, network(9, "more", "10.30.0.0/16")),)
    )
    with Talk(ONE, INSIDE, ADDRESS[INSIDE], source=ADDRESS[ONE]) as talk:
        talk.flows()
        begin = [len(sent) for sent in talk.sent]
        for rules in (more, RULES, more):
            assert firewall.ensure(rules)
            assert not firewall.ensure(rules)
            talk.sends(20)
        # A daemon that starts again knows nothing of what stands there.
        assert NftFirewall().ensure(more)
        end = [len(sent) for sent in talk.sent]
        talk.flows()
        for index in (0, 1):
            assert set(range(begin[index], end[index])) <= talk.received[index].keys()
    (found,) = firewall.read()
    assert before - 20_000 < found.least_ms <= found.most_ms < before


@pytest.mark.parametrize(
    "line",
    [
        "flush ruleset",
        "delete table inet jitd",
        "delete table netdev jitd",
        "insert rule inet jitd forward accept",
        "flush chain inet jitd n1-from",
        "flush chain netdev jitd egress-wg0",
        "add table inet jitd { flags dormant; }",
        "flush set inet jitd given-wg0-4",
        "add element inet jitd given-wg0-4 { 192.0.2.1 }",
    ],
)
def test_what_somebody_changed_is_seen_and_repaired(firewall: NftFirewall, line: str) -> None:
    """A change of the table by hand shows, and ensure puts it right."""
    assert firewall.present()
    firewall.ensure(GIVEN)
    nft(line)
    assert not firewall.present()
    assert firewall.ensure(GIVEN)
    assert firewall.present()
    assert not opens(ONE, ADDRESS[INSIDE], PORT)
    let(firewall, ONE)
    assert opens(ONE, ADDRESS[INSIDE], PORT)


def test_elements_that_somebody_changed(firewall: NftFirewall) -> None:
    """A copy that is missing, and one that lives too long, show in what is read."""
    let(firewall, ONE, ms=60_000)
    nft("delete element netdev jitd n1-4 { 10.9.0.2 }")
    nft("add element inet jitd n1-4 { 10.9.0.3 timeout 5h }")
    found = {element.ip: element for element in firewall.read()}
    assert found[CLIENTS[ONE]].least_ms == 0
    assert found[CLIENTS[TWO]].most_ms > 17_000_000
    let(firewall, ONE, ms=60_000)
    cut(firewall, TWO)
    (found_one,) = firewall.read()
    assert found_one.least_ms > 50_000


def test_a_foreign_table_of_our_name(firewall: NftFirewall) -> None:
    """Where the table's sets and hooks are of other kinds it is made anew, in one step, with the other's elements."""
    let(firewall, ONE, ms=60_000)
    nft("delete table netdev jitd; add table netdev jitd; add set netdev jitd n1-4 { type inet_service; }")
    assert firewall.ensure(RULES)
    (element,) = firewall.read()
    assert 30_000 < element.most_ms < 60_000
    nft(
        "delete table inet jitd; add table inet jitd; add chain inet jitd forward { type nat hook output priority 0; }"
    )
    assert firewall.ensure(RULES)
    assert firewall.present()


def test_an_interface_made_again(firewall: NftFirewall) -> None:
    """An interface that goes and comes back has its hooks again after ensure, and is closed before."""
    ip("link add wg7 type veth peer name wg7-far")
    rules = replace(RULES, interfaces=(*RULES.interfaces, replace(interface(), name="wg7")))
    firewall.ensure(rules)
    try:
        ip("link del wg7")
        assert not firewall.present()
        firewall.ensure(rules)
        assert firewall.present()
        ip("link add wg7 type veth peer name wg7-far")
        assert not firewall.present()
        firewall.ensure(rules)
        for family, chain in (("inet", "ingress-wg7"), ("netdev", "egress-wg7")):
            assert 'device "wg7"' in nft(f"list chain {family} jitd {chain}")
    finally:
        ip("link del wg7")


def test_closed(firewall: NftFirewall) -> None:
    """The file for boot cuts everyone, and the rules take its place with the next ensure."""
    let(firewall, ONE)
    assert opens(ONE, ADDRESS[INSIDE], PORT)
    subprocess.run(
        ["nft", "-f", "-"], input=firewallrules.closed(RULES), text=True, check=True, capture_output=True
    )
    assert not opens(ONE, ADDRESS[INSIDE], PORT)
    assert not opens(ONE, ADDRESS[GATEWAY], PORT + 1)
    assert firewall.ensure(RULES)
    let(firewall, ONE)
    assert opens(ONE, ADDRESS[INSIDE], PORT)


def test_remove_all(firewall: NftFirewall) -> None:
    """Nothing of the tables is left, other tables are, and a second time does no harm."""
    nft("add table inet other")
    firewall.remove_all()
    assert nft("list tables").split() == ["table", "inet", "other"]
    firewall.remove_all()
    assert not firewall.present()
    assert opens(ONE, ADDRESS[INSIDE], PORT)


def test_a_real_tunnel(firewall: NftFirewall) -> None:
    """On a device of WireGuard, too, a client is refused, passes with its element, and stops both ways with a cut."""
    wireguard("wg8", INSIDE, "wg8c")
    # The client sits where the host inside is; its way to `one` leads through the tunnel.
    ip(f"-n {INSIDE} route add {ADDRESS[ONE]}/32 dev wg8c")
    mine = InterfaceRules(
        name="wg8",
        gateway=(ip_address("10.11.0.1"),),
        networks=(network(5, "clients", "10.9.0.0/24"), network(6, "gate", "10.11.0.1/32")),
    )
    # Only this tunnel is guarded here: wg0 leads to the destination.
    firewall.ensure(Rules(interfaces=(mine,)))
    client = ip_address("10.11.0.2")
    server = listen(ONE, 7107)
    try:
        with server:
            assert not opens(INSIDE, ADDRESS[ONE], 7107)
            firewall.apply([Lease(5, client, HOUR)], [])
            line = tcp(INSIDE, ADDRESS[ONE], 7107, seconds=8)
            other, _ = server.accept()
            with line, other:
                assert passes(line, other)
                assert passes(other, line)
                assert not opens(INSIDE, "10.11.0.1", PORT + 1)
                firewall.apply([], [SetEntry(5, client)])
                assert not passes(other, line)
                assert not passes(line, other)
    finally:
        ip("link del wg8")
        ip(f"-n {INSIDE} link del wg8c")


def test_without_a_table(firewall: NftFirewall) -> None:
    """A change where the table is gone is an error, and reading finds nothing."""
    nft("flush ruleset")
    with pytest.raises(EnforceError, match="No such file"):
        let(firewall, ONE)
    assert firewall.read() == []
    assert firewall.read_some([SetEntry(OFFICE, CLIENTS[ONE])]) == {}


def test_ten_thousand(firewall: NftFirewall) -> None:
    """One change and its read-back cost the same among ten thousand members as among a hundred."""
    medians = {}
    for number in (100, 10_000):
        firewall.apply([Lease(OFFICE, IPv4Address(0x0A400000 + n), HOUR) for n in range(number)], [])
        times = []
        for trial in range(200):
            entry = SetEntry(DATABASE, IPv4Address(0x0A500000 + trial % 20))
            begun = time.perf_counter()
            firewall.apply([Lease(*entry, HOUR)], [])
            firewall.read_some([entry])
            firewall.apply([], [entry])
            firewall.read_some([entry])
            times.append(time.perf_counter() - begun)
        medians[number] = sorted(times)[100]
    assert len(firewall.read()) == 10_000
    print(f"grant, read, cut, read: {medians[100] * 1e3:.3f} ms, {medians[10_000] * 1e3:.3f} ms at 10,000")
    assert medians[10_000] < 3 * medians[100]


def test_changes_are_heard_of(firewall: NftFirewall) -> None:
    """Somebody else's change of our tables is heard of; our own changes and other tables are not."""
    changes = firewall.changes()
    try:
        let(firewall, ONE)
        cut(firewall, ONE)
        nft("add table inet other")
        assert not heard(changes)
        for line in (
            "add element inet jitd n1-4 { 10.9.0.3 timeout 5h }",
            "flush chain inet jitd n1-from",
            "flush ruleset",
        ):
            nft(line)
            assert heard(changes), line
            assert not heard(changes)
    finally:
        changes.close()


def heard(changes: NftChanges) -> bool:
    """Whether there is word of a change; the kernel sends it before the change's author has his answer."""
    readable, _, _ = select.select([changes], [], [], 0)
    return bool(readable) and changes.foreign()
