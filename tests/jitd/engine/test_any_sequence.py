"""No sequence of verbs and clock steps lets anybody in without a reason, or decides a request twice."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.enforce.port import RemovePeer
from jitd.queries import eventlog
from jitd.reconcile.firewall import MARGIN_MS
from jitd.verbs import devices, freezing, grants, holding, networks, removal, requests
from jitd.verbs.context import ChangeVerb
from support.service import ALICE, BOB, CAROL, ROOT, World

pytestmark = pytest.mark.slow

USERS = {"alice": ALICE, "bob": BOB}
MINUTE = 60_000
CHOICE = st.integers(0, 8)


@dataclass
class Granted:
    """What the test itself knows of a live grant."""

    user: str
    start: int
    wall_end: int
    boot_end: int
    paused: bool = False


class AnySequence(RuleBasedStateMachine):
    """Verbs in any order, beside a model that is as simple as can be."""

    @initialize()
    def begin(self) -> None:
        """A fresh office."""
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp(prefix="jitd-sequence-"))
        self.world = World(self.directory)
        self.pending: dict[int, str] = {}
        self.live: dict[int, Granted] = {}
        self.decided: dict[int, int] = {}
        self.jit = True
        self.frozen = False
        self.loop.run_until_complete(self.world.start())
        self.loop.run_until_complete(self.world.furnish())
        self.run(networks.set_, ROOT, name="office", members=["alice", "bob"])

    def teardown(self) -> None:
        """Stop the service."""
        self.loop.run_until_complete(self.world.stop())
        self.loop.close()
        shutil.rmtree(self.directory)

    def run(self, verb: ChangeVerb, actor: Actor, **body: object) -> dict[str, Any] | None:
        """Run a verb; a refusal is a fine answer, and None."""
        try:
            return self.loop.run_until_complete(self.world.do(verb, actor, **body))
        except JitError:
            return None

    def settle(self) -> None:
        """What is over in the model is over: either clock decides."""
        wall, boot = self.world.clock.now_ms(), self.world.clock.boot_ms()
        for number, grant in list(self.live.items()):
            if wall >= grant.wall_end or boot >= grant.boot_end:
                del self.live[number]

    @rule(user=st.sampled_from(sorted(USERS)))
    def request(self, user: str) -> None:
        """A user asks: pending exactly if nothing of theirs is pending or live and JIT is on."""
        self.settle()
        busy = user in self.pending.values() or any(grant.user == user for grant in self.live.values())
        reply = self.run(requests.request, USERS[user], network="office", reason="x")
        assert (reply is not None and reply["request"] is not None) == (self.jit and not busy)
        if reply is not None and reply["request"] is not None:
            self.pending[reply["request"]["id"]] = user

    def pick(self, likely: Mapping[int, object], choice: int) -> int:
        """Mostly the number of something that the verb is for, sometimes any other."""
        return sorted(likely)[choice % len(likely)] if likely and choice < 6 else choice

    @rule(choice=CHOICE, minutes=st.integers(1, 200), decider=st.sampled_from([ROOT, CAROL, ROOT, BOB]))
    def grant(self, choice: int, minutes: int, decider: Actor) -> None:
        """A grant succeeds exactly for what is pending, by an administrator, while a grant is of use and may open."""
        self.settle()
        number = self.pick(self.pending, choice)
        reply = self.run(grants.grant, decider, id=number, duration=minutes * MINUTE)
        may = decider is not BOB and self.jit and not self.frozen
        assert (reply is not None) == (number in self.pending and may)
        if reply is not None:
            self.decided[number] = self.decided.get(number, 0) + 1
            end = minutes * MINUTE
            user = self.pending.pop(number)
            now = self.world.clock.now_ms()
            self.live[number] = Granted(user, now, now + end, self.world.clock.boot_ms() + end)

    @rule(choice=CHOICE, minutes=st.integers(1, 400))
    def extend(self, choice: int, minutes: int) -> None:
        """An extension by an administrator succeeds exactly for what is live, within the maximum from its start."""
        self.settle()
        number = self.pick(self.live, choice)
        reply = self.run(grants.extend, ROOT, id=number, duration=minutes * MINUTE)
        grant = self.live.get(number)
        fits = grant is not None and grant.wall_end + minutes * MINUTE <= grant.start + 480 * MINUTE
        assert (reply is not None) == fits
        if grant is not None and reply is not None:
            grant.wall_end += minutes * MINUTE
            grant.boot_end += minutes * MINUTE

    @rule(on=st.booleans())
    def freeze(self, on: bool) -> None:
        """An administrator freezes everything, or ends that."""
        assert self.run(freezing.freeze if on else freezing.thaw, ROOT, reason="x") is not None
        self.frozen = on

    @rule(user=st.sampled_from(sorted(USERS)), minutes=st.integers(1, 200))
    def request_and_grant(self, user: str, minutes: int) -> None:
        """Both in a row, so that most sequences have something that can end."""
        self.request(user)
        if user in self.pending.values():
            self.grant(sorted(self.pending.values()).index(user), minutes, ROOT)

    @rule(choice=CHOICE)
    def deny(self, choice: int) -> None:
        """A denial succeeds exactly for what is pending."""
        number = self.pick(self.pending, choice)
        reply = self.run(grants.deny, CAROL, id=number)
        assert (reply is not None) == (number in self.pending)
        if reply is not None:
            self.decided[number] = self.decided.get(number, 0) + 1
            del self.pending[number]

    @rule(choice=CHOICE)
    def revoke(self, choice: int) -> None:
        """A revocation succeeds exactly for what is live."""
        self.settle()
        number = self.pick(self.live, choice)
        reply = self.run(grants.revoke, ROOT, id=number)
        assert (reply is not None) == (number in self.live)
        self.live.pop(number, None)

    @rule(user=st.sampled_from(sorted(USERS)), verb=st.sampled_from([holding.release, requests.cancel]))
    def give_back(self, user: str, verb: ChangeVerb) -> None:
        """A user takes back what is pending or gives back what is live."""
        self.settle()
        reply = self.run(verb, USERS[user])
        if reply is not None:
            number = reply["request"]["id"]
            owner = self.pending.pop(number) if verb is requests.cancel else self.live.pop(number).user
            assert owner == user

    @rule(user=st.sampled_from(sorted(USERS)), off=st.booleans())
    def switch(self, user: str, off: bool) -> None:
        """A user pauses or resumes."""
        self.settle()
        reply = self.run(holding.pause if off else holding.resume, USERS[user])
        if reply is not None:
            self.live[reply["request"]["id"]].paused = off

    @rule(on=st.booleans())
    def jit_switch(self, on: bool) -> None:
        """An administrator switches just-in-time access."""
        assert self.run(networks.jit, ROOT, name="office", on=on) is not None
        self.jit = on

    @rule(minutes=st.integers(0, 130))
    def time_goes_on(self, minutes: int) -> None:
        """Both clocks go on, and what is due is done."""
        self.loop.run_until_complete(self.world.advance(minutes * MINUTE))
        # As the scheduler does every 30 s: leases of standing access are renewed.
        self.loop.run_until_complete(self.world.service.check())

    @rule(short_of=st.sampled_from([0, 0, 1]))
    def time_goes_to_the_next_end(self, short_of: int) -> None:
        """Time goes on to the very millisecond of the next end, or to one before."""
        ends = [grant.boot_end - self.world.clock.boot_ms() for grant in self.live.values()]
        if ends:
            self.loop.run_until_complete(self.world.advance(max(0, min(ends) - short_of)))
            self.loop.run_until_complete(self.world.service.check())

    @rule(minutes=st.integers(-300, 300))
    def wall_clock_steps(self, minutes: int) -> None:
        """Somebody sets the wall clock."""
        self.world.clock.step(minutes * MINUTE)
        self.loop.run_until_complete(self.world.service.expire())

    @rule(user=st.sampled_from(sorted(USERS)))
    def somebody_tampers(self, user: str) -> None:
        """A peer is taken away by hand, and the next check repairs it."""
        from support.service import key

        self.world.wireguard.apply("wg0", [RemovePeer(key(user))])
        self.loop.run_until_complete(self.world.service.check())

    @rule()
    def restart(self) -> None:
        """jitd stops and starts again."""
        self.loop.run_until_complete(self.world.restart())

    @rule(user=st.sampled_from(sorted(USERS)))
    def device_goes_and_comes(self, user: str) -> None:
        """A user removes their device and adds it again: the grant that it was for is over."""
        from support.service import key

        self.settle()
        self.run(removal.remove, USERS[user], name="laptop")
        self.run(devices.add, USERS[user], name="laptop", public_key=key(user))
        for number, grant in list(self.live.items()):
            if grant.user == user:
                del self.live[number]

    @rule(user=st.sampled_from(sorted(USERS)))
    def key_is_rotated_and_back(self, user: str) -> None:
        """A user has another key for a moment: the grants stay, and the key that is not registered does not pass."""
        from support.service import key

        others = [one for one in self.world.peers() if one != user]
        for new, old in ((key("another"), user), (key(user), key("another"))):
            assert self.run(devices.rotate, USERS[user], public_key=new) is not None
            assert old not in self.world.peers()
        assert [one for one in self.world.peers() if one != user] == others

    @invariant()
    def nobody_without_a_reason(self) -> None:
        """Just those pass who have a live grant that is not paused, or standing access; nobody while all is frozen."""
        if not hasattr(self, "world"):
            return
        self.settle()
        passing = {user for user, ips in self.world.peers().items() if ips}
        allowed = {grant.user for grant in self.live.values() if not grant.paused}
        assert passing == (set() if self.frozen else allowed if self.jit else set(USERS))
        # The second layer lets the same addresses through, and none longer than its grant by the clock of this boot.
        members = {element.ip: element for element in self.world.firewall.read()}
        ips = {user: set(map(ip_network, ips)) for user, ips in self.world.peers().items()}
        boot = self.world.clock.boot_ms()
        ending = {
            grant.user
            for grant in self.live.values()
            if min(grant.boot_end - boot, grant.wall_end - self.world.clock.now_ms()) <= MARGIN_MS
        }
        inside = {user for user in passing if any(ip_network(ip) in ips[user] for ip in members)}
        assert len(members) == len(inside)
        assert passing - ending <= inside <= passing
        for grant in self.live.values() if self.jit else ():
            if grant.user in inside:
                (ip,) = ips[grant.user]
                assert members[ip.network_address].most_ms <= grant.boot_end - boot

    @invariant()
    def nothing_is_decided_twice(self) -> None:
        """No request has more than one decision, in the model and in the log."""
        if not hasattr(self, "world"):
            return
        assert all(times == 1 for times in self.decided.values())
        page = self.loop.run_until_complete(self.world.ask(eventlog.events_, ROOT))["events"]
        decisions = [event["id"] for event in page if event["kind"] in ("granted", "denied")]
        assert len(decisions) == len(set(decisions))


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
