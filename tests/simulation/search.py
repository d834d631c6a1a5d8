"""One seed: a gateway, its people, and a sequence of what they and the world do, with promises checked at each step."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import Any, Final

from jitd.core.model import Actor
from jitd.enforce.port import Peer
from jitd.verbs import devices, freezing, grants, holding, interfaces, networks, removal, requests
from jitd.verbs.context import ChangeVerb
from simulation.faults import Fault
from simulation.kernel import public_of
from simulation.machine import ADMINS, DATABASE, Call, Jitd, Machine, machine
from simulation.promises import Promises
from simulation.schedule import Stuck

MS: Final = 1_000
SECOND: Final = 1_000_000
ROOT: Final = Actor(uid=0, user="root")
#: Names with the uids that they have at first, and their groups.
PEOPLE: Final = {
    "alice": (61001, ("staff",)),
    "bob": (61002, ("staff", "dbas")),
    "erin": (61005, ("dbas",)),
    "frank": (61006, ("staff",)),
    "carol": (61003, (ADMINS,)),
    "dave": (61004, (ADMINS, "staff")),
}
USERS: Final = ("alice", "bob", "erin", "frank")
#: Who comes in the place of somebody with the same uid.
SUCCESSOR: Final = {"alice": "mallory", "bob": "oscar", "erin": "trudy", "frank": "victor"}
NETWORKS: Final = ("office", "db", "lab", "old")
STEPS: Final = 110
#: The weight of steps that are made often.
OFTEN: Final = 12


@dataclass
class Result:
    """How a seed ended."""

    seed: int
    failures: list[str]
    trace_hash: str
    steps: list[str]
    tail: list[str]
    counts: dict[str, int]

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed} fails", *(f"  {one}" for one in self.failures)])


@dataclass
class Search:
    """Drives a machine from one seed."""

    machine: Machine
    promises: Promises
    failures: list[str]
    often: frozenset[str] = frozenset()  # steps that are made more often than others
    steps: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    keys: int = 0
    weights: dict[str, int] = field(default_factory=dict)
    has_backup: bool = False
    _last_life: Jitd | None = None
    _died_us: int = 0

    # --- the frame ---

    def run(self) -> None:
        """The whole of it."""
        self._furnish()
        self._draw()
        for _ in range(STEPS):
            if self.failures:
                return
            self._step()
        self.settle()

    def _draw(self) -> None:
        """Which steps this seed makes, and how often: a run with few kinds of them goes further with each."""
        random = self.machine.random
        for name, usual in STEP_WEIGHTS.items():
            self.weights[name] = usual * random.choice((0, 1, 1, 3))
        for name in ("ask", "give", "grant", "revoke", "wait"):
            self.weights[name] = max(self.weights[name], STEP_WEIGHTS[name])
        for name in self.often:
            self.weights[name] = OFTEN

    def _step(self) -> None:
        random = self.machine.random
        name = random.choices(list(self.weights), weights=list(self.weights.values()))[0]
        what = getattr(self, f"do_{name}")()
        self._note(name, what or "")
        self._pass_time(random.choice((0, 0, 1 * MS, 20 * MS, 150 * MS, 400 * MS, 400 * MS, 2 * SECOND)))
        self.look()

    def _note(self, name: str, what: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        line = f"{self.machine.now_us / 1e6:.6f} {name} {what}"
        self.steps.append(line)
        self.machine.trace.note(self.machine.now_us, "driver", name, what)

    def look(self) -> None:
        """See who has answered, restart what has ended, and check."""
        machine, promises = self.machine, self.promises
        if machine.scheduler.failure is not None:
            self.failures.append(f"{type(machine.scheduler.failure).__name__}: {machine.scheduler.failure}")
            return
        jitd = machine.jitd
        if jitd is not None and jitd.is_ready and jitd is not self._last_life:
            self._last_life = jitd
            promises.ready_us = machine.now_us
            promises.reopened()
        if jitd is not None and not jitd.is_alive and not machine.faults.at("life"):
            # As systemd does, after a moment.
            promises.reopened()
            self._died_us = machine.now_us
            self._over(jitd)
            machine.faults.kill_in = None
            machine.start()
        for call in list(promises.calls):
            if not call.is_open and not call.notes.get("seen"):
                call.notes["seen"] = True
                promises.answered(call)
                if call.error is not None and call.error.code == "internal":
                    self.failures.append(f"{call}: {call.error.message}")
        promises.note_closings()
        promises.check()

    def _over(self, jitd: Jitd) -> None:
        """Nobody answers any more, and what was held in memory only may be lost."""
        for call in self.promises.calls:
            if call.notes.get("life") is jitd:
                if call.is_open:
                    call.notes["lost"] = True
                elif call.error is not None and call.error.code == "unrecorded" and self._is_in_memory(call):
                    call.notes["forgotten"] = True

    def _is_in_memory(self, call: Call) -> bool:
        """Whether a tombstone may never have come to the disk: that failed, or jitd died a moment later."""
        assert call.ended_us is not None
        return call.ended_us + 100 * MS > self._died_us or any(
            one.place.startswith("disk") and one.ends_us >= call.begun_us and one.begins_us <= call.ended_us
            for one in self.promises.intervals
        )

    def _pass_time(self, us: int) -> None:
        """Time goes on, and is looked at on the way: at ends, and just behind them."""
        machine = self.machine
        until = machine.now_us + us
        while machine.now_us < until and not self.failures:
            ends = [
                ends + 1 * MS for _, ends in self.promises._ends.values() if machine.now_us <= ends < until
            ]
            target = min([*ends, until])
            machine.scheduler.sleep(max(1, target - machine.now_us))
            if target < until:
                self.look()

    def settle(self) -> None:
        """Everything works again; after a while everything is as it should be."""
        machine = self.machine
        machine.faults.clear()
        self.promises.mended()
        for _ in range(12):
            self._pass_time(8 * SECOND)
            if self.failures:
                return
            self.look()
        if machine.jitd is None or not machine.jitd.is_ready:
            error = (
                machine.jitd.error.message if machine.jitd and machine.jitd.error else "it does not get ready"
            )
            self.failures.append(f"jitd does not come back: {error}")
            return
        self.promises.settled()

    # --- calls ---

    def actor(self, name: str) -> Actor:
        """Somebody as the kernel names them now."""
        user = self.machine.people.users.get(name)
        if name == "root" or user is None:
            return ROOT
        return Actor(uid=user.uid, user=name, login_uid=user.uid, login_user=name)

    def call(self, verb: ChangeVerb, actor: Actor, **body: Any) -> Call | None:
        """A verb arrives, if there is somebody to take it."""
        jitd = self.machine.jitd
        if jitd is None or not jitd.is_ready or not jitd.is_alive:
            return None
        self.calls += 1
        call = Call(self.calls, verb, actor, body, self.machine.now_us, self.machine.clock.now_ms())
        call.notes["life"] = jitd
        self.promises.calls.append(call)
        jitd.call(call)
        return call

    def done(self, verb: ChangeVerb, actor: Actor, **body: Any) -> Call:
        """A verb that has to succeed."""
        call = self.call(verb, actor, **body)
        assert call is not None
        while call.is_open and self.machine.scheduler.failure is None:
            self.machine.scheduler.sleep(1 * MS)
        if call.error is not None:
            raise AssertionError(f"{call}: {call.error.message}")
        return call

    def _furnish(self) -> None:
        machine = self.machine
        for name, (uid, groups) in PEOPLE.items():
            machine.people.come(name, uid)
            for group in groups:
                machine.people.put(name, group, inside=True)
                self.promises.memberships.add((name, group))
        link = machine.kernel.make("wg2", "private-owner", 51822, frozenset({ip_interface("10.12.0.1/24")}))
        for number in (2, 3):
            link.set_peer(
                Peer(
                    public_key=public_of(f"owner-{number}"),
                    allowed_ips=frozenset({ip_network(f"10.12.0.{number}/32")}),
                )
            )
        machine.start()
        while machine.jitd is not None and not machine.jitd.is_ready:
            machine.scheduler.sleep(1 * MS)
        add = self.done
        add(interfaces.add, ROOT, name="wg0", pools=["10.9.0.0/24"], endpoint="vpn.example.org:51820")
        add(
            interfaces.add,
            ROOT,
            name="wg1",
            pools=["10.11.0.0/24"],
            port=51821,
            endpoint="vpn.example.org:51821",
        )
        add(interfaces.adopt, ROOT, name="wg2", endpoint="vpn.example.org:51822")
        add(networks.add, ROOT, name="office", interface="wg0", routes=["10.0.0.0/16"])
        add(
            networks.add, ROOT, name="db", interface="wg0", routes=["10.1.2.0/24"], ports=["tcp/5432"],
            members=["@dbas", "alice"], changes=["approvers=erin"],
        )  # fmt: skip
        add(
            networks.add, ROOT, name="lab", interface="wg1", routes=["192.168.50.0/24"], members=["@staff"],
            changes=["jit.exempt=frank", "jit.admins_too=true"],
        )  # fmt: skip
        add(networks.add, ROOT, name="old", interface="wg2", routes=["172.20.0.0/16"])
        for name in (*USERS, "dave"):
            add(devices.add, self.actor(name), name="laptop", public_key=public_of(f"{name}-laptop"))
        self.look()

    # --- what people do ---

    def pick(self, names: Sequence[Any]) -> Any:
        """One of several."""
        return self.machine.random.choice(names)

    def somebody(self) -> str:
        """A user who is there."""
        there = [name for name in self.machine.people.users if name not in ("root", "carol")]
        return str(self.pick(there))

    def admin(self) -> Actor:
        """Somebody who decides, mostly."""
        random = self.machine.random
        if random.random() < 0.1:
            return self.actor(self.somebody())
        name = self.pick(("root", "carol", "dave", "root"))
        if name == "root" and random.random() < 0.2:
            behind = self.actor(self.somebody())
            return Actor(uid=0, user="root", login_uid=behind.uid, login_user=behind.user)
        return self.actor(str(name))

    def _rows(self, state: str) -> list[int]:
        rows = self.promises.records.requests.values()
        return [row["id"] for row in rows if row["state"] == state and row["extends_id"] is None]

    def _number(self, state: str) -> int:
        likely = self._rows(state)
        if likely and self.machine.random.random() < 0.85:
            return int(self.pick(likely))
        return self.machine.random.randrange(1, 1 + max(2, len(self.promises.records.requests)))

    def duration(self) -> int:
        """How long a grant is to be, in milliseconds."""
        return int(self.pick((1_500, 3_000, 5_000, 20_000, 60_000, 600_000, 3_600_000)))

    def do_ask(self) -> str:
        """A user asks."""
        network = self.pick(NETWORKS)
        return str(
            self.call(requests.request, self.actor(self.somebody()), network=network, reason="ticket 42")
        )

    def do_grant(self) -> str:
        """Somebody decides, sometimes at the same time as another."""
        number = self._number("pending")
        decider = self.admin()
        row = self.promises.records.requests.get(number)
        if row is not None and self.machine.random.random() < 0.2:
            # Who asks decides, if jitd lets them; perhaps behind sudo.
            me = self.actor(self.promises.records.accounts[row["account_id"]]["name"])
            decider = self.pick([me, Actor(uid=0, user="root", login_uid=me.uid, login_user=me.user)])
        made = self.call(grants.grant, decider, id=number, duration=self.duration())
        if self.machine.random.random() < 0.25:
            self.call(self.pick([grants.grant, grants.deny]), self.admin(), id=number)
        return str(made)

    def do_give(self) -> str:
        """An administrator gives without a request."""
        return str(
            self.call(
                grants.grant,
                self.admin(),
                user=self.somebody(),
                network=self.pick(NETWORKS),
                duration=self.duration(),
            )
        )

    def do_deny(self) -> str:
        """Somebody denies."""
        number = self._number(str(self.pick(("pending", "pending", "denied"))))
        made = self.call(grants.deny, self.admin(), id=number)
        if self.machine.random.random() < 0.3:
            self.call(grants.deny, self.admin(), id=number)
        return str(made)

    def _closes(self, call: Call | None, number: int, *, own: bool) -> str:
        """Note a closing verb whose caller may do it, on what is open: it counts from now."""
        row = self.promises.records.requests.get(number)
        if call is not None and row is not None and row["state"] == "granted" and row["extends_id"] is None:
            account = self.promises.records.accounts[row["account_id"]]
            mine = (account["uid"], account["name"]) == (call.actor.uid, call.actor.user)
            sure = not self.promises.intervals or all(
                one.place != "names" or one.ends_us < self.machine.now_us for one in self.promises.intervals
            )
            may = (
                mine
                if own
                else call.actor.user in ("root", "carol", "dave") and call.actor.uid in (0, 61003, 61004)
            )
            if may and sure and (own or self._administers(call.actor)):
                call.notes["closes"] = number
        return str(call)

    def _administers(self, actor: Actor) -> bool:
        return actor.uid == 0 or self.machine.people.is_in(actor.user, ADMINS)

    def do_revoke(self) -> str:
        """Somebody revokes."""
        number = self._number("granted")
        return self._closes(self.call(grants.revoke, self.admin(), id=number), number, own=False)

    def do_release(self) -> str:
        """A user gives back."""
        number = self._number("granted")
        row = self.promises.records.requests.get(number)
        owner = self.promises.records.accounts[row["account_id"]]["name"] if row else self.somebody()
        name = owner if self.machine.random.random() < 0.8 else self.somebody()
        return self._closes(self.call(holding.release, self.actor(name), id=number), number, own=True)

    def do_switch(self) -> str:
        """A user pauses and resumes."""
        number = self._number("granted")
        row = self.promises.records.requests.get(number)
        owner = self.promises.records.accounts[row["account_id"]]["name"] if row else self.somebody()
        return str(self.call(self.pick([holding.pause, holding.resume]), self.actor(owner), id=number))

    def do_extend(self) -> str:
        """An administrator, or the user, wants it longer."""
        return str(
            self.call(grants.extend, self.admin(), id=self._number("granted"), duration=self.duration())
        )

    def do_cancel(self) -> str:
        """A user takes a request back."""
        return str(self.call(requests.cancel, self.actor(self.somebody()), id=self._number("pending")))

    def do_forge(self) -> str:
        """Somebody has written a login uid that is not theirs, and takes what is the other one's."""
        machine, random = self.machine, self.machine.random
        me, other = self.actor(self.somebody()), self.actor(str(self.pick(tuple(self.machine.people.users))))
        forged = Actor(uid=me.uid, user=me.user, login_uid=other.uid, login_user=other.user)
        number = self._number(str(self.pick(("granted", "pending"))))
        verb = self.pick(
            [holding.release, holding.pause, grants.grant, grants.deny, grants.revoke, requests.cancel]
        )
        row = self.promises.records.requests.get(number)
        if row is not None and verb not in (grants.grant, grants.deny, grants.revoke):
            # What is somebody's is taken in their name, by their login uid or by a uid that was theirs.
            owner = self.promises.records.accounts[row["account_id"]]
            name = SUCCESSOR.get(owner["name"], "")
            successor = machine.people.users.get(name)
            if successor is not None and successor.uid == owner["uid"]:
                forged = self.actor(name)
            elif owner["uid"] != me.uid and random.random() < 0.7:
                forged = Actor(uid=me.uid, user=me.user, login_uid=owner["uid"], login_user=owner["name"])
        return str(self.call(verb, forged, id=number))

    def do_device(self) -> str:
        """A device comes, goes, is lost, or gets another key."""
        random = self.machine.random
        name = self.somebody()
        actor = self.actor(name)
        self.keys += 1
        mine = [
            one
            for one in self.promises.records.devices.values()
            if one["removed_ms"] is None
            and self.promises.records.accounts[one["account_id"]]["name"] == name
            and self.promises.records.accounts[one["account_id"]]["uid"] == actor.uid
        ]
        key = public_of(f"{name}-{self.keys}")
        kind = random.choice(("add", "remove", "lost", "rotate"))
        if kind == "add" or not mine:
            return str(self.call(devices.add, actor, name=f"device-{self.keys}", public_key=key))
        device = self.pick(mine)
        if kind == "rotate":
            return str(self.call(devices.rotate, actor, name=device["name"], public_key=key))
        call = self.call(removal.remove, actor, name=device["name"], lost=kind == "lost")
        if call is not None:
            call.notes["device"] = device["id"]
            call.notes["closes"] = f"device {device['id']}"
        return str(call)

    def do_freeze(self) -> str:
        """Everything is closed, and opened again."""
        is_frozen = self.promises.records.frozen is not None
        if is_frozen:
            return str(self.call(freezing.thaw, self.actor(self.pick(("root", "carol"))), reason="over"))
        return str(self.call(freezing.freeze, self.admin(), reason="drill"))

    def do_rules(self) -> str:
        """An administrator changes who may use a network."""
        random = self.machine.random
        name = random.choice(NETWORKS)
        change: dict[str, Any] = {
            "office": {"members": random.choice(([], ["@staff"], ["alice", "bob", "dave"]))},
            "db": {"members": random.choice((["@dbas", "alice"], ["@dbas"]))},
            "lab": {"changes": [random.choice(("jit.exempt=frank", "jit.exempt=@staff", "jit.exempt="))]},
            "old": {"members": random.choice(([], ["@staff"]))},
        }[name]
        return str(self.call(networks.set_, ROOT, name=name, **change))

    def do_enforce(self) -> str:
        """An administrator enforces the adopted interface, or leaves it alone."""
        return str(self.call(interfaces.enforce, ROOT, name="wg2", on=bool(self.pick((True, False)))))

    # --- what the system says of people ---

    def do_people(self) -> str:
        """Somebody goes, comes back, is replaced under the same uid, or changes groups."""
        machine, random = self.machine, self.machine.random
        name = random.choice([*PEOPLE, *USERS])
        uid = PEOPLE[name][0]
        self.promises.were_gone.add(name)
        if name not in machine.people.users:
            successor = SUCCESSOR.get(name)
            if successor is not None and successor not in machine.people.users and random.random() < 0.5:
                machine.people.come(successor, uid)
                return f"{successor} comes with the uid of {name}; {self._take_over(name)}"
            if successor is not None:
                machine.people.go(successor)
            machine.people.come(name, uid if random.random() < 0.8 else uid + 500)
            for group in PEOPLE[name][1]:
                machine.people.put(name, group, inside=True)
                self.promises.memberships.add((name, group))
            return f"{name} comes back"
        kind = random.choice(("go", "go", "go", "group", "group", "shell"))
        if kind == "go":
            machine.people.go(name)
            if name in SUCCESSOR and random.random() < 0.5:
                # The next one gets the number at once.
                machine.people.come(SUCCESSOR[name], uid)
                taken = self._take_over(name)
                return f"{name} goes, and {SUCCESSOR[name]} comes with the same uid; {taken}"
            if random.random() < 0.3:
                machine.people.come(name, uid + 500)
                for group in PEOPLE[name][1]:
                    machine.people.put(name, group, inside=True)
                return f"{name} goes, and another {name} comes"
            return f"{name} goes"
        if kind == "shell":
            shell = "/usr/sbin/nologin" if "nologin" not in machine.people.users[name].shell else "/bin/bash"
            machine.people.shell(name, shell)
            return f"{name} has {shell}"
        group = random.choice(PEOPLE[name][1])
        inside = not machine.people.is_in(name, group)
        machine.people.put(name, group, inside=inside)
        return f"{name} {'joins' if inside else 'leaves'} {group}"

    def _take_over(self, name: str) -> str:
        """Whoever has somebody's uid now tries to take what is still open or pending of them."""
        records = self.promises.records
        theirs = [
            row
            for row in records.requests.values()
            if row["state"] in ("granted", "pending") and records.accounts[row["account_id"]]["name"] == name
        ]
        actor = self.actor(SUCCESSOR[name])
        calls = [
            self.call(
                requests.cancel if row["state"] == "pending" else self.pick((holding.release, holding.pause)),
                actor,
                id=row["id"],
            )
            for row in theirs
        ]
        return ", ".join(map(str, calls))

    # --- what happens to the machine ---

    def do_wait(self) -> str:
        """Nothing happens for a while."""
        us = int(self.pick((1 * SECOND, 3 * SECOND, 16 * SECOND, 35 * SECOND)))
        if self.machine.random.random() < 0.4:
            ends = [at for _, at in self.promises._ends.values() if at > self.machine.now_us]
            if ends and min(ends) - self.machine.now_us < 120 * SECOND:
                us = min(ends) - self.machine.now_us + int(self.pick((-1 * MS, 1 * MS, 30 * MS)))
        self._pass_time(max(us, 1))
        return f"{us / 1e6:.3f} s"

    def do_step_clock(self) -> str:
        """Somebody sets the wall clock."""
        seconds = int(self.pick((-3600, -3600, -60, -2, 2, 60, 3600)))
        self.machine.clock.step(seconds * SECOND)
        return f"{seconds} s"

    def do_suspend(self) -> str:
        """The machine is suspended for a while: the kernel's timers stand still."""
        seconds = int(self.pick((2, 30, 900)))
        self.machine.clock.suspend(seconds * SECOND)
        return f"{seconds} s"

    def _links(self) -> list[Any]:
        return list(self.machine.kernel.links.values())

    def do_rename(self) -> str:
        """Somebody renames an interface, or gives it its name back."""
        links = self._links()
        if not links:
            return ""
        link = self.pick(links)
        old = link.name
        link.name = old.removesuffix("x") if old.endswith("x") else f"{old}x"
        if self.machine.kernel.named(old) or [one.name for one in links].count(link.name) > 1:
            link.name = old
        self.promises.disturbed()
        self.machine.links.changed_by_others()
        return f"{old} -> {link.name}"

    def do_take_away(self) -> str:
        """Somebody removes an interface; the owner of an adopted one makes it again."""
        links = self._links()
        if not links:
            return ""
        link = self.pick(links)
        self.machine.kernel.destroy(link.index)
        self.promises.disturbed()
        self.machine.links.changed_by_others()
        if link.name.startswith("wg2"):
            made = self.machine.kernel.make("wg2", link.private_key, link.port, link.addresses)
            for number in (2, 3):
                made.set_peer(
                    Peer(
                        public_key=public_of(f"owner-{number}"),
                        allowed_ips=frozenset({ip_network(f"10.12.0.{number}/32")}),
                    )
                )
        return str(link.name)

    def do_flush(self) -> str:
        """Somebody types nft flush ruleset."""
        self.machine.kernel.nftables.flush()
        self.promises.disturbed()
        self.machine.changes.changed_by_others()
        return ""

    def _fault(self, place: str, fault: Fault) -> str:
        self.machine.faults.active[place] = fault
        self.promises.fault(place if fault.kind != "slow" else f"{place}:slow", fault.until_us)
        return f"{place} {fault.kind} {fault.why} until {fault.until_us / 1e6:.3f}"

    def _until(self) -> int:
        return self.machine.now_us + int(self.pick((300 * MS, 2 * SECOND, 8 * SECOND, 25 * SECOND)))

    def do_break_disk(self) -> str:
        """The disk fails, is full, hangs (syncs alone, or every write), is slow, or the database is locked."""
        random, until = self.machine.random, self._until()
        kind = random.choice(("locked", "unreadable", "EIO", "ENOSPC", "hang", "hang syncs", "slow"))
        if kind in ("locked", "unreadable"):
            return self._fault("statement", Fault("fail", until, why=kind, chance=random.choice((1.0, 0.3))))
        if kind == "slow":
            return self._fault("disk", Fault("slow", until, slow_us=random.choice((5 * MS, 200 * MS))))
        if kind.startswith("hang"):
            return self._fault("disk", Fault("hang", until, why="sync" if kind == "hang syncs" else "all"))
        return self._fault("disk", Fault("fail", until, why=kind, chance=random.choice((1.0, 0.3))))

    def do_break_exchange(self) -> str:
        """An interface, or nftables, refuses or does not answer."""
        random, until = self.machine.random, self._until()
        places = ["nft", *(f"wg:{link.index}" for link in self._links())]
        kind = random.choice(("fail", "hang", "slow"))
        place = random.choice(places)
        if kind == "slow":
            return self._fault(place, Fault("slow", until, slow_us=random.choice((2 * MS, 20 * MS))))
        return self._fault(place, Fault(kind, until, chance=random.choice((1.0, 0.4))))

    def do_squeeze(self) -> str:
        """Something hangs or fails elsewhere, and just then somebody closes what is open."""
        random, machine = self.machine.random, self.machine
        live = [row for row in self.promises.records.requests.values() if row["state"] == "granted"]
        if not live:
            return self.do_give()
        row = random.choice(live)
        network = self.promises.records.networks[row["network_id"]]
        mine = self.promises.records.interfaces[network["interface_id"]]["name"]
        others = [link for link in self._links() if link.name != mine]
        until = machine.now_us + int(self.pick((4 * SECOND, 20 * SECOND)))
        if others and random.random() < 0.4:
            link = random.choice(others)
            what = self._fault(f"wg:{link.index}", Fault("hang", until))
            # Something has to be asked of it.
            behind = [
                one["name"] for one in self.promises.records.networks.values() if one["removed_ms"] is None
            ]
            self.call(
                grants.grant, ROOT, user=self.somebody(), network=random.choice(behind), duration=3_600_000
            )
            machine.clock.step(0)
        else:
            kind = random.choice(("locked", "hang", "any"))
            if kind == "locked":
                # Another program writes: nothing can be recorded, and everything else works.
                what = self._fault("statement", Fault("fail", until, why="locked"))
            elif kind == "hang":
                what = self._fault("disk", Fault("hang", until, why=random.choice(("sync", "all"))))
            else:
                what = self.do_break_disk()
        machine.scheduler.sleep(random.choice((1, 5, 50)) * MS)
        dies = random.random()
        if dies < 0.25 and self._alive() is not None:
            machine.power_goes = False
            machine.faults.kill_in = random.choice((20, 60, 150))
            what = f"{what}; kill in {machine.faults.kill_in} seams"
        own = random.random() >= 0.7
        owner = self.promises.records.accounts[row["account_id"]]["name"]
        call = (
            self.call(holding.release, self.actor(owner), id=row["id"])
            if own
            else self.call(grants.revoke, self.actor(self.pick(("root", "carol"))), id=row["id"])
        )
        what = f"{what}; {self._closes(call, row['id'], own=own)}"
        if dies > 0.7:
            what = f"{what}; {self._die_later()}"
        return what

    def _die_later(self) -> str:
        """kill -9 when what was said last was answered, perhaps, and what is broken is broken still, perhaps."""
        seconds = int(self.pick((1, 1, 6)))
        self._pass_time(seconds * SECOND)
        self.look()
        jitd = self._alive()
        if jitd is None or self.failures:
            return ""
        self.machine.power_goes = False
        self.machine.kill(jitd.process)
        return f"kill after {seconds} s"

    def do_break_names(self) -> str:
        """The directory does not answer, or says that it cannot."""
        return self._fault("names", Fault(str(self.pick(("fail", "hang"))), self._until()))

    def do_mend(self) -> str:
        """Everything works again."""
        self.machine.faults.clear()
        self.promises.mended()
        return ""

    def _alive(self) -> Jitd | None:
        jitd = self.machine.jitd
        return jitd if jitd is not None and jitd.is_alive else None

    def do_kill(self) -> str:
        """kill -9, now or some seams from now."""
        jitd = self._alive()
        if jitd is None:
            return ""
        self.machine.power_goes = False
        seams = int(self.pick((1, 2, 3, 5, 8, 13, 40, 200)))
        self.machine.faults.kill_in = seams
        return f"in {seams} seams"

    def do_stay_dead(self) -> str:
        """kill -9, and nobody starts it again for a while."""
        jitd = self._alive()
        if jitd is None:
            return ""
        self.machine.power_goes = False
        until = self.machine.now_us + int(self.pick((3 * SECOND, 20 * SECOND, 70 * SECOND)))
        self.machine.faults.active["life"] = Fault("dead", until)
        self.machine.kill(jitd.process)
        self.promises.reopened()
        self._pass_time(until - self.machine.now_us)
        return f"until {until / 1e6:.3f}"

    def do_restore(self) -> str:
        """An administrator makes a backup of the store, and one day puts it in the place of a newer one."""
        jitd = self._alive()
        if not self.has_backup or jitd is None:
            # Of a moment at which something is open for long.
            self.has_backup = any(self._open_for_long())
            if not self.has_backup:
                return self.do_give()
            self.machine.disk.copy("backup")
            return "a backup is made"
        self.machine.power_goes = False
        for number in list(self._open_for_long())[:2]:
            # What the backup has as open is closed before.
            self._closes(self.call(grants.revoke, ROOT, id=number), number, own=False)
        self._pass_time(1 * SECOND)
        self.look()
        jitd = self._alive()
        if jitd is None or self.failures:
            return "jitd has died before"
        self.machine.kill(jitd.process)
        self.machine.disk.restore("backup", DATABASE)
        self.promises.restored()
        return "the backup is restored"

    def _open_for_long(self) -> Iterator[int]:
        wall = self.machine.clock.now_ms()
        for row in self.promises.records.requests.values():
            if row["state"] == "granted" and row["extends_id"] is None and row["ends_ms"] > wall + 120_000:
                yield row["id"]

    def do_stop(self) -> str:
        """systemctl restart."""
        jitd = self._alive()
        if jitd is not None:
            jitd.stop()
        return ""

    def do_power(self) -> str:
        """The power goes; the machine boots again."""
        machine = self.machine
        jitd = self._alive()
        machine.power_goes = True
        if jitd is not None:
            machine.kill(jitd.process)
        else:
            machine.disk.crash(power=True)
        machine.power_goes = False
        machine.faults.clear()
        self.promises.mended()
        self.promises.reopened()
        machine.clock.reboot(int(self.pick((1 * SECOND, 60 * SECOND, 600 * SECOND))))
        owner = [link for link in machine.kernel.links.values() if link.name.startswith("wg2")]
        machine.kernel.reboot()
        self.promises.booted()
        for link in owner[:1]:
            made = machine.kernel.make("wg2", link.private_key, link.port, link.addresses)
            for number in (2, 3):
                made.set_peer(
                    Peer(
                        public_key=public_of(f"owner-{number}"),
                        allowed_ips=frozenset({ip_network(f"10.12.0.{number}/32")}),
                    )
                )
        self.promises.disturbed()
        return ""


#: How often each step is made, before the seed has its say.
STEP_WEIGHTS: Final = {
    "ask": 6, "grant": 7, "give": 5, "deny": 2, "revoke": 6, "release": 3, "switch": 2, "extend": 2, "cancel": 1,
    "forge": 2, "device": 3, "freeze": 1, "rules": 2, "enforce": 1, "people": 3, "wait": 10, "step_clock": 1,
    "suspend": 1, "rename": 1, "take_away": 1, "flush": 1, "break_disk": 3, "break_exchange": 3, "break_names": 1, "squeeze": 4, "restore": 2,
    "mend": 3, "kill": 3, "stay_dead": 1, "stop": 1, "power": 1,
}  # fmt: skip


def run(seed: int, *, often: frozenset[str] = frozenset()) -> Result:
    """One seed from beginning to end; some steps of it `often`, where something is looked for."""
    failures: list[str] = []
    noted: Callable[[str], None] = failures.append
    with machine(seed, noted) as made:
        promises = Promises(made, noted)
        search = Search(made, promises, failures, often)
        made.kernel.changed = promises.check
        try:
            search.run()
        except Stuck as stuck:
            failures.append(f"stuck: {stuck}")
        except Exception:  # noqa: BLE001 - it is the simulation's own, and its seed is to be known
            failures.append(f"the simulation itself fails: {traceback.format_exc()}")
        finally:
            made.kernel.changed = lambda: None
            promises.reader.close()
        return Result(
            seed,
            list(dict.fromkeys(failures)),
            made.trace.hash(),
            search.steps,
            list(made.trace.tail),
            search.counts,
        )
