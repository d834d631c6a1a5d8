"""The second layer behind the verbs: set entries with a timeout, beside the peers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jitd.core.elements import LEASE_MS, Lease, SetEntry
from jitd.core.errors import JitError
from jitd.core.firewall import InterfaceRules, Rules
from jitd.enforce.firewallport import Ensured, nothing
from jitd.enforce.memoryfirewall import MemoryFirewall
from jitd.enforce.port import EnforceError, SetPeer
from jitd.engine import scheduler
from jitd.queries import eventlog, show
from jitd.reconcile.firewall import MARGIN_MS
from jitd.verbs import devices, grants, holding, interfaces, networks, removal
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key

MINUTE = 60_000


class Broken(MemoryFirewall):
    """A firewall that can be made to fail. `loading` is called while rules that were flushed are loaded again, and
    `applying` before entries are given.
    """

    fails = ""
    loading: Callable[[], object] = staticmethod(nothing)
    applying: Callable[[], object] = staticmethod(nothing)

    def ensure(self, rules: Rules, repairing: Callable[[], None] = nothing) -> Ensured:
        """Load them, and let others look meanwhile."""

        def slowly() -> None:
            repairing()
            self.loading()

        return super().ensure(rules, slowly)

    def apply(self, leases: Sequence[Lease], removals: Collection[SetEntry]) -> None:
        """Fail when told to."""
        if self.fails:
            raise EnforceError(self.fails)
        if leases:
            self.applying()
        super().apply(leases, removals)


class BrokenWorld(World):
    """A service behind a firewall that can be made to fail."""

    firewall: Broken


async def kinds(world: World) -> list[str]:
    """The events so far."""
    return [event["kind"] for event in (await world.ask(eventlog.events_, ROOT))["events"]]


async def test_an_entry_ends_with_its_grant_while_nobody_acts(office: World) -> None:
    """The element has what is left of the grant, so that the kernel ends it whether or not the daemon does."""
    await office.granted(ALICE, duration=HOUR)
    assert office.entries() == {"1 10.9.0.2": HOUR}
    office.clock.advance(HOUR - MARGIN_MS - 1)
    assert office.entries() == {"1 10.9.0.2": MARGIN_MS + 1}
    office.clock.advance(1)
    assert office.entries() == {}


async def test_ends_and_switches_reach_the_entry(office: World) -> None:
    """Extension lengthens it at once; pause, resume, revoke and release take and give it."""
    number = await office.granted(ALICE, duration=HOUR)
    await office.do(grants.extend, ROOT, id=number, duration=HOUR)
    assert office.entries() == {"1 10.9.0.2": 2 * HOUR}
    await office.do(holding.pause, ALICE, id=number)
    assert office.entries() == {}
    office.clock.advance(MINUTE)
    await office.do(holding.resume, ALICE, id=number)
    assert office.entries() == {"1 10.9.0.2": 2 * HOUR - MINUTE}
    await office.do(grants.revoke, ROOT, id=number)
    assert office.entries() == {}


async def test_a_removed_device_has_no_entry(office: World) -> None:
    """Its address is taken out of every network before anybody else can get it."""
    await office.granted(ALICE)
    await office.do(removal.remove, ALICE, name="laptop")
    assert office.entries() == {}
    assert office.peers() == {}


async def test_networks_of_one_interface_are_granted_apart(office: World) -> None:
    """A grant for one network makes an entry of that one, and its end leaves the other."""
    await office.do(networks.add, ROOT, name="prod-db", routes=["10.1.2.3/32"], ports=["tcp/5432"])
    first = await office.granted(ALICE)
    second = await office.asked(ALICE, network="prod-db")
    await office.do(grants.grant, ROOT, id=second, duration=2 * HOUR)
    assert office.entries() == {"1 10.9.0.2": HOUR, "2 10.9.0.2": 2 * HOUR}
    await office.do(holding.release, ALICE, id=first)
    assert office.entries() == {"2 10.9.0.2": 2 * HOUR}
    assert office.peers() == {"alice": {"10.9.0.2/32"}}
    await office.advance(2 * HOUR)
    assert office.peers() == {}


async def test_standing_access_is_a_lease_that_is_renewed(office: World) -> None:
    """It runs out by itself when nobody renews it, and the check renews it."""
    await office.do(networks.set_, ROOT, name="office", members=["@staff"])
    await office.do(networks.jit, ROOT, name="office", on=False)
    assert office.entries() == {"1 10.9.0.2": LEASE_MS}
    office.clock.advance(LEASE_MS // 2 + 1)
    await office.service.check()
    assert office.entries() == {"1 10.9.0.2": LEASE_MS}
    office.clock.advance(LEASE_MS)
    assert office.entries() == {}


async def test_a_flushed_table_is_repaired_and_told(office: World) -> None:
    """After `nft flush ruleset` the next look puts rules and entries back, with what is left now."""
    await office.granted(ALICE)
    office.firewall.remove_all()
    office.clock.advance(MINUTE)
    await office.service.check()
    assert office.entries() == {"1 10.9.0.2": HOUR - MINUTE}
    assert (await kinds(office))[-1] == "firewall_repaired"


async def test_a_verb_repairs_a_flushed_table_on_its_way(office: World) -> None:
    """A grant after a flush opens nothing without rules: they come back first, and the others' entries with them."""
    await office.granted(ALICE)
    office.firewall.remove_all()
    await office.granted(BOB)
    assert office.entries() == {"1 10.9.0.2": HOUR, "1 10.9.0.3": HOUR}
    assert office.firewall.present()


async def test_entries_that_somebody_changed_are_put_right_and_told(office: World) -> None:
    """One added by hand goes, one that was lengthened is shortened, one that was deleted comes back."""
    await office.granted(ALICE)
    (alice,) = office.firewall.read()
    stranger = SetEntry(1, alice.ip + 1)
    for lease, removals, told in (
        (Lease(*stranger, HOUR), [], "element_removed"),
        (Lease(1, alice.ip, 9 * HOUR), [], "element_shortened"),
        (None, [SetEntry(1, alice.ip)], "element_restored"),
    ):
        office.firewall.apply([lease] if lease else [], removals)
        await office.service.check()
        assert office.entries() == {"1 10.9.0.2": HOUR}
        assert (await kinds(office))[-1] == told


async def test_a_peer_that_somebody_changed_is_put_right_and_told(office: World) -> None:
    """Widened allowed IPs, and a known peer put back by hand, are repaired at the next look, with an event."""
    from ipaddress import ip_network

    await office.granted(ALICE)
    everywhere = frozenset({ip_network("0.0.0.0/0")})
    for name in ("alice", "bob"):
        office.wireguard.apply("wg0", [SetPeer(public_key=key(name), allowed_ips=everywhere)])
        await office.service.check()
        assert office.peers() == {"alice": {"10.9.0.2/32"}}
        assert (await kinds(office))[-1] == "peer_repaired"


async def test_a_stepped_wall_clock_moves_the_timeout(office: World) -> None:
    """A step forward shortens what the kernel counts; a step back never lengthens it."""
    await office.granted(ALICE)
    office.clock.step(HOUR // 2)
    await office.service.check()
    assert office.entries() == {"1 10.9.0.2": HOUR // 2}
    office.clock.step(-2 * HOUR)
    await office.service.check()
    assert office.entries() == {"1 10.9.0.2": HOUR}
    assert not [kind for kind in await kinds(office) if kind.startswith("element_")]


async def test_what_ran_out_after_a_step_of_the_clock_was_nobodys_doing(office: World) -> None:
    """An entry that was shortened because the clock was set, and given again when it was set back, accuses nobody."""
    await office.granted(ALICE)
    office.clock.step(HOUR // 2)
    await office.service.check()
    office.clock.advance(HOUR // 2 - MARGIN_MS)
    office.clock.step(-HOUR // 2)
    await office.service.check()
    assert office.entries() == {"1 10.9.0.2": HOUR // 2 + MARGIN_MS}
    assert not [kind for kind in await kinds(office) if kind.startswith("element_")]


async def test_what_was_given_late_is_given_again(broken: BrokenWorld) -> None:
    """Where jitd had to wait between looking at the clock and the kernel, the entry does not live on for so much longer."""
    waits = [40, 30]
    broken.firewall.applying = lambda: broken.clock.advance(waits.pop(0))
    await broken.granted(ALICE, duration=HOUR)
    assert waits == []
    (alice,) = broken.firewall.read()
    assert HOUR - 200 < 40 + 30 + alice.most_ms <= HOUR - MARGIN_MS


@pytest.fixture
async def broken(tmp_path: Path) -> AsyncIterator[BrokenWorld]:
    """An office whose firewall can be made to fail."""
    world = BrokenWorld(tmp_path)
    world.firewall = Broken(world.clock.boot_ms)
    world.service = world._new()
    await world.start()
    await world.furnish()
    yield world
    await world.stop()


@pytest.mark.parametrize("left", [5_000, 0])
async def test_nobody_is_in_past_the_end_while_a_flushed_table_is_loaded(
    broken: BrokenWorld, left: int
) -> None:
    """Whose grant ends within the time that it may take is stopped in WireGuard first, and passes again behind it."""
    await broken.granted(ALICE, duration=HOUR)
    await broken.granted(BOB, duration=2 * HOUR)
    seen = []
    broken.firewall.loading = lambda: seen.append(broken.peers())
    broken.firewall.remove_all()
    broken.clock.advance(HOUR - left)
    await broken.service.compare()
    bob = {"bob": {"10.9.0.3/32"}}
    assert seen == [{"alice": frozenset(), **bob}]
    assert broken.peers() == ({"alice": {"10.9.0.2/32"}, **bob} if left else bob)
    assert (await kinds(broken))[-1] == "firewall_repaired"


async def test_what_is_closed_does_not_wait_for_a_flushed_table(broken: BrokenWorld) -> None:
    """Where a revoke finds the table flushed, WireGuard lets nobody pass before that is loaded again."""
    number = await broken.granted(ALICE, duration=HOUR)
    seen = []
    broken.firewall.loading = lambda: seen.append(broken.peers())
    broken.firewall.remove_all()
    await broken.do(grants.revoke, ROOT, id=number)
    assert seen == [{"alice": frozenset()}]
    assert broken.peers() == {}


async def test_behind_a_failing_firewall_nothing_opens(broken: BrokenWorld) -> None:
    """A grant is recorded and says that the kernel does not agree; the peer comes when the firewall works again."""
    broken.firewall.fails = "nftables refused: try later"
    number = await broken.asked(ALICE)
    reply = await broken.do(grants.grant, ROOT, id=number, duration=HOUR)
    assert not reply["agrees"]
    assert "try later" in reply["waiting"]
    assert reply["request"]["marks"] == ["activating"]
    assert broken.peers() == {}
    broken.firewall.fails = ""
    await broken.advance(2000)
    assert broken.peers() == {"alice": {"10.9.0.2/32"}}
    assert broken.entries() == {"1 10.9.0.2": HOUR - 2000}


async def test_a_failing_firewall_keeps_nobody_in(broken: BrokenWorld) -> None:
    """Revoke takes the peer away all the same, and is not called cut before the entry is gone, too."""
    number = await broken.granted(ALICE)
    broken.firewall.fails = "nftables refused: try later"
    reply = await broken.do(grants.revoke, ROOT, id=number)
    assert not reply["agrees"]
    assert reply["request"]["marks"] == ["cutting"]
    assert broken.peers() == {}
    assert "cut_confirmed" not in await kinds(broken)
    broken.firewall.fails = ""
    await broken.advance(2000)
    assert broken.entries() == {}
    assert "cut_confirmed" in await kinds(broken)


async def test_a_removed_device_is_not_called_cut_before_it_is(broken: BrokenWorld) -> None:
    """While the entry of a removed device could not be taken out, its grant is `cutting`; then it is confirmed."""
    number = await broken.granted(ALICE)
    broken.firewall.fails = "nftables refused: try later"
    await broken.do(removal.remove, ALICE, name="laptop")
    assert (await broken.ask(show.show, ROOT, id=number))["request"]["marks"] == ["cutting"]
    assert "cut_confirmed" not in await kinds(broken)
    broken.firewall.fails = ""
    await broken.advance(2000)
    assert (await broken.ask(show.show, ROOT, id=number))["request"]["marks"] == []
    assert (await kinds(broken)).count("cut_confirmed") == 1
    assert "stranger_removed" not in await kinds(broken)


async def test_a_cut_that_failed_is_confirmed_after_a_restart(broken: BrokenWorld) -> None:
    """An end whose confirmation a stop or a kill came before gets it from the next jitd that sees the kernel agree, once."""
    number = await broken.granted(ALICE)
    broken.firewall.fails = "nftables refused: try later"
    await broken.do(grants.revoke, ROOT, id=number)
    await broken.restart()
    assert "cut_confirmed" not in await kinds(broken)
    broken.firewall.fails = ""
    await broken.restart()
    await broken.restart()
    assert (await kinds(broken)).count("cut_confirmed") == 1


async def test_what_was_cut_long_ago_is_not_cut_again(broken: BrokenWorld) -> None:
    """Where a device cannot be let in, its grants of before are not marked: they were seen to be cut."""
    before = await broken.granted(ALICE)
    await broken.do(holding.release, ALICE)
    broken.firewall.fails = "nftables refused: try later"
    number = await broken.asked(ALICE)
    await broken.do(grants.grant, ROOT, id=number, duration=HOUR)
    marks = {one: (await broken.ask(show.show, ROOT, id=one))["request"]["marks"] for one in (before, number)}
    assert marks == {before: [], number: ["activating"]}


async def test_a_failing_wireguard_keeps_nobody_in(office: World) -> None:
    """Where the interface cannot be reached, the entry goes all the same."""
    number = await office.granted(ALICE)
    office.wireguard.remove_link("wg0")
    office.wireguard.add_other_link("wg0")
    reply = await office.do(grants.revoke, ROOT, id=number)
    assert not reply["agrees"]
    assert office.entries() == {}
    office.wireguard.remove_other_link("wg0")


async def test_an_import_that_is_too_wide_for_the_firewall_is_refused(office: World) -> None:
    """Members are single addresses: a peer with a whole /16 behind it cannot be one, and the refusal says so."""
    from ipaddress import ip_network

    office.wireguard.add_foreign_link("wg5", addresses=["10.55.0.1/24"], port=51825)
    for name, routes in (("old", ["10.56.0.0/16"]), ("older", ["10.55.0.9/32", "10.57.0.0/25"])):
        ips = frozenset(map(ip_network, routes))
        office.wireguard.apply("wg5", [SetPeer(public_key=key(name), allowed_ips=ips)])
    await office.do(interfaces.adopt, ROOT, name="wg5")
    line = {"public_key": key("old"), "user": "alice", "name": "site"}
    with pytest.raises(JitError, match="65536 addresses"):
        await office.do(devices.import_, ROOT, interface="wg5", devices=[line])
    await office.do(devices.import_, ROOT, interface="wg5", devices=[{**line, "public_key": key("older")}])


async def test_the_scheduler_plans_anew_when_the_clock_is_stepped(office: World) -> None:
    """A step of the wall clock changes what the kernel counts at once, long before the next check."""
    await office.granted(ALICE)
    working = asyncio.create_task(scheduler.run(office.service, office.clock))
    for _ in range(10):
        await asyncio.sleep(0)  # until it waits for the clock
    office.clock.step(HOUR // 2)
    async with asyncio.timeout(1):
        while office.entries() != {"1 10.9.0.2": HOUR // 2}:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize("failing", [False, True])
async def test_a_freed_address_waits_until_both_layers_are_rid_of_it(
    broken: BrokenWorld, *, failing: bool
) -> None:
    """While the entry of a removed device could not be taken out, nobody else gets its address; then somebody does.

    Also where the interface was `failing` already.
    """
    await broken.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/29"], port=51821, endpoint="vpn")
    await broken.do(networks.add, ROOT, name="lab", interface="wg1", routes=["10.20.0.0/16"])
    for number in range(5):
        await broken.do(devices.add, CAROL, name=f"d{number}", public_key=key(f"d{number}"))
    assert broken.peers("wg1")[key("d0")] == {"10.8.0.2/32"}
    broken.firewall.fails = "nftables refused: try later"
    if failing:
        broken.clock.advance(HOUR // 2 + 1)  # leases want to be renewed
        await broken.service.check()
    await broken.do(removal.remove, CAROL, name="d0")
    added = await broken.do(devices.add, CAROL, name="d9", public_key=key("d9"))
    assert added["device"]["addresses"].keys() == {"wg0"}
    assert "used up" in added["warnings"][0]
    with pytest.raises(JitError, match="used up"):
        await broken.do(devices.config, CAROL, name="d9", interface="wg1")
    broken.firewall.fails = ""
    await broken.advance(10_000)  # as often as it was tried in vain, it is tried later
    await broken.do(devices.config, CAROL, name="d9", interface="wg1")
    assert broken.peers("wg1")[key("d9")] == {"10.8.0.2/32"}


@pytest.mark.parametrize("by_owner", [False, True])
async def test_an_adopted_interface_that_its_owner_made_again(office: World, *, by_owner: bool) -> None:
    """It is one event, not one for each peer, and who has access is in again and called, whoever put him back there."""
    office.wireguard.add_foreign_link("wg5", addresses=["10.55.0.1/24"], port=51825)
    await office.do(interfaces.adopt, ROOT, name="wg5")
    await office.do(networks.add, ROOT, name="lab", interface="wg5", routes=["10.20.0.0/16"])
    await office.do(interfaces.enforce, ROOT, name="wg5", on=True)
    number = await office.asked(ALICE, network="lab")
    await office.do(grants.grant, ROOT, id=number, duration=HOUR)
    before = office.peers("wg5")
    (ip,) = office.wireguard.read("wg5").peers[key("alice")].allowed_ips
    alice = SetPeer(public_key=key("alice"), allowed_ips=frozenset({ip}))
    office.wireguard.apply("wg5", [replace(alice, endpoint="198.51.100.7:40000")])
    await office.service.check()
    office.wireguard.remove_link("wg5")
    office.wireguard.add_foreign_link("wg5", addresses=["10.55.0.1/24"], port=51825)
    if by_owner:
        office.wireguard.apply("wg5", [alice])
    known = len(await kinds(office))
    await office.service.look()
    assert office.peers("wg5") == before
    assert (await kinds(office))[known:] == ["interface_replaced"]
    peer = office.wireguard.read("wg5").peers[key("alice")]
    assert (peer.endpoint, peer.keepalive) == ("198.51.100.7:40000", 0)


def asked(world: World, name: str) -> InterfaceRules:
    """What the firewall was asked for last, of an interface."""
    assert isinstance(world.firewall, MemoryFirewall)
    (found,) = (one for one in world.firewall.asked.interfaces if one.name == name)
    return found


def given(world: World, name: str) -> set[str]:
    """The addresses that it judges whatever their interface is called."""
    return {str(ip) for ip in asked(world, name).given}


async def test_a_renamed_interface_is_told_and_guarded_under_both_names(office: World) -> None:
    """Attack: an interface is renamed. It is one event, everybody's access goes on, ends count, and so does a revoke."""
    number = await office.granted(ALICE)
    await office.granted(BOB)
    known = len(await kinds(office))
    office.wireguard.rename_link("wg0", "renamed")
    await office.service.look()
    await office.service.look()
    assert (await kinds(office))[known:] == ["interface_renamed"]
    assert set(office.peers()) == {"alice", "bob"}
    rules = asked(office, "wg0")
    assert (rules.name, rules.called, rules.index) == ("wg0", "renamed", 1)
    reply = await office.do(grants.revoke, ROOT, id=number)
    assert reply["agrees"]
    assert set(office.peers()) == {"bob"}
    office.wireguard.rename_link("renamed", "wg0")
    await office.service.look()
    assert (await kinds(office))[-1] == "interface_renamed"
    assert asked(office, "wg0").called == "wg0"


async def test_every_address_that_was_given_out_is_judged(office: World) -> None:
    """The rules know the addresses of all devices, whether or not anybody is in; one that was removed goes with the next
    look, and not while the kernel was not seen to give it up.
    """
    await office.do(devices.add, CAROL, name="more", public_key=key("more"))
    await office.service.check()
    assert given(office, "wg0") == {"10.9.0.2", "10.9.0.3", "10.9.0.4"}
    await office.do(removal.remove, CAROL, name="more")
    await office.service.check()
    assert given(office, "wg0") == {"10.9.0.2", "10.9.0.3"}


async def test_an_adopted_interface_that_is_not_found(office: World) -> None:
    """Attack: an interface is taken out of sight. It is told once, loudly; what ends meanwhile leaves the firewall, and
    every address on it stays judged.
    """
    office.wireguard.add_foreign_link("wg5", addresses=["10.55.0.1/24"], port=51825)
    await office.do(interfaces.adopt, ROOT, name="wg5")
    await office.do(networks.add, ROOT, name="lab", interface="wg5", routes=["10.20.0.0/16"])
    await office.do(interfaces.enforce, ROOT, name="wg5", on=True)
    number = await office.asked(ALICE, network="lab")
    await office.do(grants.grant, ROOT, id=number, duration=HOUR)
    office.wireguard.remove_link("wg5")
    known = len(await kinds(office))
    await office.service.look()
    await office.service.look()
    assert (await kinds(office))[known:].count("interface_lost") == 1
    assert asked(office, "wg5").gone
    assert asked(office, "wg5").index
    await office.do(grants.revoke, ROOT, id=number)
    assert not [entry for entry in office.entries() if "10.55." in entry]
    assert "10.55.0.2" in given(office, "wg5")


async def test_a_wait_between_the_two_clocks_makes_no_end_late(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is held up between reading the wall clock and boot time gives no access past the end by either."""
    read = office.clock.now_ms

    def held_up() -> int:
        wall_ms = read()
        office.clock.advance(200)
        return wall_ms

    with monkeypatch.context() as patch:
        patch.setattr(office.clock, "now_ms", held_up)
        number = await office.granted(ALICE, duration=HOUR)
    ends_ms = (await office.ask(show.show, ALICE, id=number))["request"]["ends"]
    (alice,) = office.firewall.read()
    assert alice.most_ms <= ends_ms - office.clock.now_ms()
