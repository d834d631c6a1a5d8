"""A cut never waits: closing while the writer hangs, and while another interface does not answer."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from jitd.core.elements import SetEntry
from jitd.core.errors import JitError
from jitd.core.model import Actor, Now
from jitd.enforce.memory import MemoryWireGuard
from jitd.enforce.memoryfirewall import MemoryFirewall
from jitd.enforce.port import Change, LinkSpec, LinkState, NoAnswer, SetPeer
from jitd.engine import service
from jitd.engine.closings import Closing
from jitd.engine.threads import SerialExecutor
from jitd.engine.worker import Priority
from jitd.queries import eventlog, overview, show
from jitd.reconcile import exchange
from jitd.reconcile.closed import Closed
from jitd.reconcile.cutting import Cut
from jitd.reconcile.exchange import Exchanges
from jitd.reconcile.reconciler import Reconciler
from jitd.store import database
from jitd.store.tombstones import BYTES, TombstoneFile
from jitd.verbs import devices, freezing, grants, holding, interfaces, networks, removal, users
from jitd.verbs.context import Call, ChangeVerb, Render, Reply
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World, key, locked
from support.shared_wireguard import SharedWireGuard

#: So long nothing is waited for in these tests that is to come at once, in seconds.
SOON = 5.0


@pytest.fixture
async def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """An office whose writer waits for as long as somebody else holds the database, as it does for a disk that hangs."""
    monkeypatch.setattr(database, "BUSY_MS", 120_000)
    monkeypatch.setattr(service, "RECORD_SECONDS", 0.3)
    made = World(tmp_path)
    await made.start()
    await made.furnish()
    yield made
    await made.stop()


@asynccontextmanager
async def hanging(world: World) -> AsyncIterator[None]:
    """The writer hangs: it is in the middle of a verb that does not end."""
    there, end = threading.Event(), threading.Event()

    def stuck(_call: Call, _body: object) -> Render[Reply]:
        there.set()
        assert end.wait(60)
        raise JitError("refused", "it was nothing")

    world.may_run(stuck)
    running = asyncio.ensure_future(world.do(stuck, ROOT))
    await until(there.is_set, "it hangs")
    try:
        yield
    finally:
        end.set()
        with pytest.raises(JitError):
            await running


async def until(condition: Any, what: str) -> None:
    """Wait for a condition, for a bounded time."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other threads
            await asyncio.sleep(0.005)
    assert condition(), what


CLOSINGS: list[tuple[str, ChangeVerb, Actor, dict[str, Any]]] = [
    ("revoke", grants.revoke, CAROL, {"id": 1, "comment": "stolen"}),
    ("release", holding.release, ALICE, {}),
    ("pause", holding.pause, ALICE, {"id": 1}),
    ("freeze", freezing.freeze, CAROL, {"reason": "intruder"}),
    ("remove", removal.remove, ALICE, {"name": "laptop"}),
    ("lost", removal.remove, ALICE, {"name": "laptop", "lost": True}),
    ("lost by an administrator", removal.remove, CAROL, {"name": "laptop", "user": "alice", "lost": True}),
    ("disable", users.disable, CAROL, {"user": "alice", "reason": "dismissed"}),
    ("network remove", networks.remove, CAROL, {"name": "office"}),
]


@pytest.mark.parametrize(
    ("verb", "actor", "body"), [one[1:] for one in CLOSINGS], ids=[one[0] for one in CLOSINGS]
)
@pytest.mark.parametrize("killed", [False, True], ids=["living", "killed"])
async def test_a_hanging_disk_keeps_nobody_in(
    slow: World, verb: ChangeVerb, actor: Actor, body: dict[str, Any], *, killed: bool
) -> None:
    """The attack: make the disk hang (fill it, wear it out, freeze it), and no revoke gets through.

    Both layers are cut while the writer hangs, the caller is told in time that it is not recorded, and the record follows
    with who and when, also by a jitd that was started again with what the file kept.
    """
    assert await slow.granted(ALICE) == 1
    async with hanging(slow):
        with pytest.raises(JitError) as caught:
            await slow.do(verb, actor, **body)
        assert (caught.value.code, caught.value.exit_status) == ("unrecorded", 9)
        assert caught.value.message.startswith(("cut: ", "closed: "))
        assert slow.entries() == {}
        assert not slow.peers().get("alice")
        if "id" in body and verb is grants.revoke:
            assert (await slow.ask(show.show, ROOT, id=1))["request"]["marks"] == ["closed"]
        assert "not recorded yet" in (await slow.ask(overview.status, ROOT))["gateway"]["waiting"][0]
        kept = slow.config.daemon.state_dir / "tombstones"
        await until(lambda: b"closings" in kept.read_bytes(), "the file has it")
        tombstones = kept.read_bytes()
    if killed:
        await slow.service.stop()
        # What the killed one left behind, as if it had recorded nothing.
        kept.write_bytes(tombstones)
        slow.service = slow._new()
        await slow.service.start()
    await slow.service.check()
    assert slow.entries() == {}
    assert not slow.peers().get("alice")
    assert (await slow.ask(overview.status, ROOT))["gateway"]["waiting"] == []
    events = (await slow.ask(eventlog.events_, ROOT))["events"]
    (event,) = [one for one in events if one["data"].get("recorded_later")][-1:]
    assert event["actor"]["user"] == actor.user
    kinds = [one["kind"] for one in events]
    for kind in set(kinds) - {"granted", "requested", "device_added", "started", "stopped", "cut_confirmed"}:
        assert kinds.count(kind) == 1, f"{kind} was recorded twice"


@pytest.mark.parametrize(
    ("verb", "actor", "name"), [(removal.remove, ALICE, "laptop"), (networks.remove, CAROL, "office")]
)
async def test_a_plan_while_the_disk_hangs(
    slow: World, monkeypatch: pytest.MonkeyPatch, verb: ChangeVerb, actor: Actor, name: str
) -> None:
    """Who is asked before a closing is asked also while the writer hangs, and the yes to that plan closes."""
    monkeypatch.setattr(service, "PLAN_SECONDS", 0.05)
    await slow.granted(ALICE)
    async with hanging(slow):
        plan = (await slow.do(verb, actor, name=name, plan=True))["plan"]
        assert [(line["user"], line["network"]) for line in plan["loses"]] == [("alice", "office")]
        assert slow.entries() == {"1 10.9.0.2": HOUR}
        with pytest.raises(JitError) as caught:
            await slow.do(verb, actor, name=name, confirm=plan["token"])
        assert caught.value.code == "unrecorded"
        assert slow.entries() == {}
    await slow.service.check()
    assert (await slow.ask(overview.status, ROOT))["gateway"]["waiting"] == []
    assert (await slow.ask(show.show, ROOT, id=1))["request"]["status"] in ("released", "revoked")


async def test_a_closing_that_hangs_itself_is_recorded_as_it_was(slow: World) -> None:
    """Where the disk begins to hang in the very transaction of a revoke, it is cut, told, and recorded all the same."""
    number = await slow.granted(ALICE)
    with locked(slow):
        with pytest.raises(JitError) as caught:
            await slow.do(grants.revoke, CAROL, id=number, comment="stolen")
        assert caught.value.code == "unrecorded"
        assert slow.entries() == {}
        at_ms = slow.clock.now_ms()
        slow.clock.advance(HOUR // 2)
    await slow.service.check()
    shown = await slow.ask(show.show, ROOT, id=number)
    assert (shown["request"]["status"], shown["request"]["ended"]) == ("revoked", at_ms)
    assert [one["kind"] for one in shown["events"]].count("revoked") == 1
    assert slow.entries() == {}


async def test_what_was_cut_beside_the_worker_is_not_taken_for_unknown(slow: World) -> None:
    """Where the worker has worked out anew what is open, without what was cut, before the record fails, it is told as cut."""
    number = await slow.granted(ALICE)
    closing = Closing(verb=grants.revoke, actor=CAROL, body={"id": number})
    closer = slow.service._closer
    closer.close_beside(closing)
    await slow.service.compare()
    with locked(slow):
        slow.service._state.store._database.conn.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(JitError) as caught:
            await slow.service._worker.run(lambda: closer.close(closing), Priority.ADMIN)
    assert caught.value.code == "unrecorded"
    assert slow.entries() == {}
    await slow.service.check()
    assert (await slow.ask(show.show, ROOT, id=number))["request"]["status"] == "revoked"


async def test_what_a_busy_worker_is_late_for_is_an_ordinary_success(
    slow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at once beside a worker that is busy; recorded when it comes to it, and told as done only then."""
    monkeypatch.setattr(service, "RECORD_SECONDS", 60)
    number = await slow.granted(ALICE)
    async with hanging(slow):
        running = asyncio.ensure_future(slow.do(grants.revoke, CAROL, id=number))
        await until(lambda: slow.entries() == {}, "it is cut")
        assert not running.done()
    reply = await running
    assert (reply["request"]["status"], reply["agrees"]) == ("revoked", True)
    assert (await slow.ask(overview.status, ROOT))["gateway"]["waiting"] == []


@pytest.mark.parametrize(
    ("verb", "actor", "body"),
    [
        (grants.revoke, BOB, {"id": 1}),
        (holding.release, BOB, {"id": 1}),
        (holding.pause, BOB, {"id": 1}),
        (freezing.freeze, BOB, {"reason": "x"}),
        (removal.remove, BOB, {"name": "laptop", "user": "alice", "lost": True}),
        (users.disable, BOB, {"user": "alice", "reason": "x"}),
        (networks.remove, BOB, {"name": "office"}),
        (freezing.freeze, CAROL, {"reason": " "}),
        (grants.revoke, CAROL, {"id": 1, "comment": "x" * 5000}),
    ],
)
async def test_what_is_refused_cuts_nothing(
    slow: World, monkeypatch: pytest.MonkeyPatch, verb: ChangeVerb, actor: Actor, body: dict[str, Any]
) -> None:
    """The attack: cut others off by verbs that one may not call, while the disk hangs. The rules come before the cut."""
    monkeypatch.setattr(service, "LONGEST_WAIT", 0.3)
    await slow.granted(ALICE)
    closed = Recorded(slow)
    async with hanging(slow):
        with pytest.raises(JitError) as caught:
            await slow.do(verb, actor, **body)
    assert caught.value.code == "busy"
    await slow.service.check()
    assert closed.entries == []
    assert slow.entries() == {"1 10.9.0.2": HOUR}


class Recorded:
    """What the firewall of a world is told to close."""

    def __init__(self, world: World) -> None:
        self.entries: list[SetEntry] = []
        firewall = world.firewall
        assert isinstance(firewall, MemoryFirewall)
        close = firewall.close_entries

        def recorded(entries: Any) -> None:
            self.entries += entries
            close(entries)

        firewall.close_entries = recorded  # type: ignore[method-assign]  # recorded, and then done


@pytest.mark.parametrize(
    ("verb", "body"), [(removal.remove, {"name": "laptop"}), (networks.remove, {"name": "office"})]
)
async def test_a_plan_cuts_nothing(office: World, verb: ChangeVerb, body: dict[str, Any]) -> None:
    """What would be cut is worked out and taken back; nobody loses a packet by it."""
    await office.granted(ALICE)
    closed = Recorded(office)
    actor = ROOT if verb is networks.remove else ALICE
    reply = await office.do(verb, actor, plan=True, **body)
    assert [line["user"] for line in reply["plan"]["loses"]] == ["alice"]
    assert closed.entries == []


async def test_who_was_cut_by_a_closing_that_lost_is_let_in_again(
    slow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob may revoke when he says so, and may not any more when it is recorded: what the store says counts, and is told."""
    monkeypatch.setattr(service, "RECORD_SECONDS", 60)
    await slow.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    number = await slow.granted(ALICE)
    async with hanging(slow):
        lost = asyncio.ensure_future(slow.do(grants.revoke, BOB, id=number))
        await until(lambda: slow.entries() == {}, "it is cut")
        # An administrator's verb goes before a user's.
        won = asyncio.ensure_future(slow.do(networks.set_, ROOT, name="office", changes=["approvers=carol"]))
        jobs = slow.service._worker._jobs.queue
        await until(lambda: any(job[0] is Priority.ADMIN for job in list(jobs)), "it is queued")
    await won
    with pytest.raises(JitError) as caught:
        await lost
    assert caught.value.code in ("not_permitted", "not_found")
    assert slow.entries() == {"1 10.9.0.2": HOUR}
    assert slow.peers() == {"alice": {"10.9.0.2/32"}}
    (event,) = (await slow.ask(eventlog.events_, ROOT, kind="closing_undone"))["events"]
    assert (event["data"]["verb"], event["data"]["by"]) == ("revoke", "bob")


async def test_expiry_while_the_disk_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a firewall WireGuard alone cuts: a grant that ends while the writer hangs ends on time, and so does the next."""
    monkeypatch.setattr(database, "BUSY_MS", 120_000)
    world = World(tmp_path, firewall=False)
    await world.start()
    await world.furnish()
    await world.granted(ALICE, duration=HOUR)
    await world.granted(BOB, duration=2 * HOUR)
    async with hanging(world):
        world.clock.advance(HOUR)
        running = asyncio.ensure_future(world.service.expire())
        await until(lambda: world.peers() == {"alice": frozenset(), "bob": {"10.9.0.3/32"}}, "alice is out")
        world.clock.advance(HOUR)
        await until(lambda: world.peers() == {"alice": frozenset(), "bob": frozenset()}, "bob is out")
    await running
    assert world.peers() == {}
    await world.stop()


async def test_what_is_over_is_not_cut_without_pause_while_the_disk_hangs(
    slow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: let a grant end while the disk hangs, and jitd uses a whole core and fills what waits for an interface.

    What is over is cut at once, and again after a second, not as often as can be.
    """
    await slow.granted(ALICE, duration=HOUR)
    rounds = 0
    close_over = Reconciler.close_over

    def counted(self: Reconciler, now: Now) -> Cut:
        nonlocal rounds
        rounds += 1
        return close_over(self, now)

    monkeypatch.setattr(Reconciler, "close_over", counted)
    async with hanging(slow):
        slow.clock.advance(HOUR)
        running = asyncio.ensure_future(slow.service.expire())
        await until(lambda: slow.entries() == {}, "alice is out")
        await asyncio.sleep(0.3)
        assert 1 <= rounds <= 2
        monkeypatch.setattr(service, "AGAIN_SECONDS", 0.01)
        await until(lambda: rounds >= 4, "it is cut again")
    await running


async def test_who_is_no_member_any_more_is_out_while_the_disk_hangs(slow: World) -> None:
    """Loss of membership is seen by asking the system about people; neither the writer nor the disk is needed for it."""
    await slow.do(networks.set_, ROOT, name="office", changes=["members=@staff"])
    await slow.granted(ALICE)
    async with hanging(slow):
        slow.people.take_out_of("alice", "staff")
        await slow.service.refresh_people()
        assert slow.entries() == {}
    await slow.service.check()
    assert (await slow.ask(show.show, ROOT, id=1))["request"]["status"] == "revoked"


# --- an interface that does not answer ---


class HangingWireGuard(SharedWireGuard):
    """WireGuard of which one interface does not answer while `answers` is not set, as a stopped wireguard-go does."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = ""
        self.answers = threading.Event()

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says, when it answers."""
        self._wait(spec.name)
        return super().ensure_link(spec)

    def read(self, name: str) -> LinkState:
        """As the port says, when it answers."""
        self._wait(name)
        return super().read(name)

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """As the port says, when it answers."""
        self._wait(name)
        super().apply(name, changes)

    def _wait(self, name: str) -> None:
        if name == self.hangs and not self.answers.wait(0.5):
            raise NoAnswer(f"{name} did not answer")


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Two interfaces: alice has a grant behind wg0, and bob behind wg1."""
    monkeypatch.setattr(exchange, "PATIENCE", 0.1)
    made = World(tmp_path)
    made.wireguard = HangingWireGuard()
    made.service = made._new()
    await made.start()
    await made.furnish()
    await made.do(
        interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], endpoint="vpn.example.org:51821", port=51821
    )
    await made.do(networks.add, ROOT, name="lab", routes=["10.20.0.0/16"], interface="wg1")
    await made.granted(ALICE)
    await made.do(grants.grant, ROOT, user="bob", network="lab", duration=HOUR)
    yield made
    made.wireguard.answers.set()
    await made.stop()


async def test_an_interface_that_hangs_holds_no_other(two: World) -> None:
    """The attack: stop one interface's wireguard-go (or make it swap), and every revoke of the gateway waits behind it.

    Nobody waits for it more than once; what closes behind it is closed in the firewall at once, and in WireGuard as soon
    as it answers.
    """
    assert isinstance(two.wireguard, HangingWireGuard)
    two.wireguard.hangs = "wg0"
    async with asyncio.timeout(SOON):
        reply = await two.do(grants.revoke, CAROL, id=1)
        assert not reply["agrees"]
        assert two.entries() == {"2 10.8.0.2": HOUR}
        assert "wg0 does not answer" in reply["waiting"]
        for _ in range(20):
            await two.service.look()
        reply = await two.do(grants.revoke, CAROL, id=2)
        assert reply["agrees"]
        assert two.peers("wg1") == {}
        await two.do(grants.grant, ROOT, user="bob", network="lab", duration=HOUR)
        assert two.peers("wg1") == {"bob": {"10.8.0.2/32"}}
    waiting = (await two.ask(overview.status, ROOT))["gateway"]["waiting"]
    assert any("wg0 does not answer" in one for one in waiting)
    two.wireguard.hangs = ""
    two.wireguard.answers.set()

    async def agrees() -> bool:
        await two.service.look()
        return not (await two.ask(overview.status, ROOT))["gateway"]["waiting"]

    async with asyncio.timeout(SOON):
        while not await agrees():  # noqa: ASYNC110 - what is waited for happens in other threads
            await asyncio.sleep(0.01)
    assert two.peers() == {}
    kinds = [one["kind"] for one in (await two.ask(eventlog.events_, ROOT))["events"]]
    assert kinds.count("enforcement_failed") == kinds.count("enforcement_recovered") == 1
    assert "peer_repaired" not in kinds


async def test_nothing_that_hangs_is_before_what_closes(two: World) -> None:
    """Disk and WireGuard hang at the same time: the firewall alone cuts, at once."""
    assert isinstance(two.wireguard, HangingWireGuard)
    async with hanging(two):
        two.wireguard.hangs = "wg0"
        running = asyncio.ensure_future(two.do(freezing.freeze, CAROL, reason="intruder"))
        await until(lambda: two.entries() == {}, "it is cut")
        two.wireguard.answers.set()
    assert (await running)["agrees"] in (True, False)


# --- no older decision opens what was closed ---

SPEC = LinkSpec(name="wg0", private_key=key("wg0"), port=51820, addresses=(), mtu=0)
PEER = SetPeer(public_key=key("alice"), allowed_ips=frozenset({ip_network("10.9.0.2/32")}))


def test_an_older_decision_opens_no_peer() -> None:
    """What the worker worked out before a closing, and applies after it, leaves that peer closed; a newer one opens it."""
    closed, wireguard = Closed(), MemoryWireGuard()
    exchanges = Exchanges(wireguard, closed, SerialExecutor, lambda _: None)
    exchanges.ensure_link(SPEC)
    closed.forget()
    exchanges.close_peers("wg0", [SetPeer(public_key=PEER.public_key, allowed_ips=frozenset())]).result(SOON)
    exchanges.apply("wg0", [PEER])
    assert exchanges.read("wg0").peers[PEER.public_key].allowed_ips == frozenset()
    closed.forget()
    exchanges.apply("wg0", [PEER])
    assert exchanges.read("wg0").peers[PEER.public_key].allowed_ips == PEER.allowed_ips
    exchanges.close()


def test_what_got_no_answer_is_closed_when_it_answers() -> None:
    """A closing that was queued at a hanging interface is not forgotten when its exchange gives up."""
    wireguard, answered = HangingWireGuard(), threading.Event()
    exchanges = Exchanges(wireguard, Closed(), SerialExecutor, lambda _: answered.set())
    exchanges.ensure_link(SPEC)
    exchanges.apply("wg0", [PEER])
    wireguard.hangs = "wg0"
    with pytest.raises(NoAnswer):
        exchanges.read("wg0")
    shut = exchanges.close_peers("wg0", [SetPeer(public_key=PEER.public_key, allowed_ips=frozenset())])
    assert isinstance(shut.exception(SOON), NoAnswer)
    assert exchanges.hanging() == ["wg0"]
    wireguard.answers.set()
    with pytest.raises(NoAnswer):
        exchanges.read("wg0")
    assert answered.wait(SOON)
    assert exchanges.read("wg0").peers[PEER.public_key].allowed_ips == frozenset()
    exchanges.close()


# --- what an earlier version kept ---


async def test_what_an_earlier_jitd_kept_is_recorded(office: World) -> None:
    """An update loses no closing: the file as the version before wrote it is understood."""
    number = await office.granted(ALICE)
    await office.granted(BOB)
    await office.service.stop()
    actor = {
        "uid": CAROL.uid,
        "user": "carol",
        "login_uid": CAROL.uid,
        "login_user": "carol",
        "pid": 7,
        "origin": "",
    }
    at_ms = office.clock.now_ms()
    ending = {"how": "revoked", "at_ms": at_ms, "by": "carol", "comment": "stolen"}
    kept = {
        "endings": [{"request_id": number, "ending": ending, "actor": actor, "cut_ms": at_ms}],
        "lost": [{"device_id": 2, "networks": ["office"], "at_ms": at_ms, "actor": actor}],
        "freeze": None,
    }
    (office.config.daemon.state_dir / "tombstones").write_bytes(json.dumps(kept).encode().ljust(BYTES))
    office.service = office._new()
    await office.service.start()
    assert (office.peers(), office.entries()) == ({}, {})
    shown = (await office.ask(show.show, ROOT, id=number))["request"]
    assert (shown["status"], shown["ended_comment"]) == ("revoked", "stolen")
    (event,) = (await office.ask(eventlog.events_, ROOT, kind="device_lost"))["events"]
    assert (event["actor"]["user"], event["user"], event["data"]["networks"]) == ("carol", "bob", ["office"])
    with pytest.raises(JitError):
        await office.do(devices.add, BOB, name="again", public_key=key("bob"))


def test_a_file_that_nobody_understands_is_left_alone(tmp_path: Path) -> None:
    """Nonsense in the file holds nothing, and is told of."""
    (tmp_path / "tombstones").write_bytes(b"nonsense".ljust(BYTES))
    kept = TombstoneFile(tmp_path / "tombstones")
    assert kept.load() == []
    kept.close()


# --- a worker that is stuck ---


async def test_a_worker_that_is_stuck_is_noticed(slow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog asks the worker through its own queue. One that waits for the disk is told of, and not killed for it."""
    monkeypatch.setattr(service, "STUCK_SECONDS", 0.05)

    def is_stuck() -> bool:
        return slow.service.is_stuck

    assert slow.service.look_at_worker() == ""
    async with hanging(slow):
        await until(lambda: "it is stuck" in slow.service.look_at_worker(), "it is noticed")
        assert is_stuck()
    await until(lambda: not slow.service.look_at_worker(), "it goes on")
    assert not is_stuck()
    with locked(slow):
        waiting = asyncio.ensure_future(slow.do(holding.resume, BOB))
        await until(lambda: "it waits for the disk" in slow.service.look_at_worker(), "it is noticed")
        assert not is_stuck()
    with pytest.raises(JitError):
        await waiting
