"""What jitd promises, checked against the kernel and against what was answered, with as little of its logic as can be.

Everything that passes needs a reason that stands in the store *now*. Where there is none, it is asked since when, and
what jitd could do since: it is dead, nftables or the interface refuses, the directory does not answer. What it could
have closed longer ago than it promises is a failure.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from jitd.core.errors import JitError
from simulation.machine import ADMINS, Call, Machine
from simulation.records import Reader, Records, Row

#: Microseconds from a closing verb's arrival, or from the record of any closing, until nothing passes any more.
CUT_US: Final = 300_000
#: The same for somebody who loses a membership, a login or the account; jitd has to be told by the system.
PEOPLE_US: Final = 50_000_000
#: The same after somebody else changed the kernel: two seconds to look, and then to load everything.
REPAIR_US: Final = 6_000_000
#: The same when what closes has failed and is tried again: half a minute between the last ones.
RETRY_US: Final = 40_000_000
#: How much later than its end an element may go. It is given some milliseconds less, so: nothing.
LATE_US: Final = 0

MARK: Final = "closings.mark"


@dataclass(slots=True)
class Wrong:
    """Something passes without a reason."""

    since_us: int
    why: str


@dataclass(slots=True)
class Interval:
    """A fault at a place."""

    place: str
    begins_us: int
    ends_us: int


@dataclass
class Promises:
    """`found` is called with each promise that is not kept."""

    machine: Machine
    found: Callable[[str], None]
    reader: Reader = field(default_factory=Reader)
    records: Records = field(default_factory=Records)
    calls: list[Call] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    disturbed_us: int = 0
    ready_us: int = 0
    is_restored: bool = False
    #: Grants that were closed and stand as open in a store that was restored: (id, decided_ms).
    closed_since: set[tuple[int, int]] = field(default_factory=set)
    _is_jumping: bool = False
    _is_unrepaired: bool = False  # what others did to the kernel may still be as they left it
    were_gone: set[str] = field(default_factory=set)
    is_hopeless: bool = False
    _wrong: dict[tuple[str, int], Wrong] = field(default_factory=dict)
    #: Who passes by standing access, or did until that was over: then the kernel has no timer for them.
    _standing: set[tuple[str, int]] = field(default_factory=set)
    #: The end of each grant by the timers of the kernel, as it was given: (ends_boot_ms, microseconds).
    _ends: dict[int, tuple[int, int]] = field(default_factory=dict)
    _seq: int = 0
    _decided: dict[int, str] = field(default_factory=dict)
    _ended: dict[int, str] = field(default_factory=dict)
    _acknowledged: list[Call] = field(default_factory=list)
    #: What was closed before an answer said so: by request id, since when.
    closed: dict[int, int] = field(default_factory=dict)

    # --- the world's news ---

    def fault(self, place: str, until_us: int) -> None:
        """Something does not work for a while."""
        self.intervals.append(Interval(place, self.machine.now_us, until_us))

    def mended(self) -> None:
        """Everything works from now on."""
        now = self.machine.now_us
        for one in self.intervals:
            one.ends_us = min(one.ends_us, now)

    def disturbed(self) -> None:
        """Somebody else has changed the kernel."""
        self.disturbed_us = self.machine.now_us
        self._is_unrepaired = True

    def reopened(self, *, older: bool = False) -> None:
        """The store is another file: after a crash, or one that was restored."""
        self.reader.close()
        if older:
            self._acknowledged.clear()
            self._is_jumping = True  # behind what a restored store has, its events go on with other numbers
            self._seq = 0
            self._decided.clear()
            self._ended.clear()

    def restored(self) -> None:
        """An older store is in the place of this one: what was closed since stays closed."""
        before = self.records
        self.reopened(older=True)
        self.disturbed()  # what passes by a grant that this store does not know goes when jitd is back
        self.is_restored = True
        if not self._read():
            return
        mark = self.machine.disk.state / MARK
        noted = int(mark.read_bytes().split()[0]) if mark.exists() else 0
        if noted <= self.records.last_seq:
            return  # nothing was closed since, or the disk has not taken the mark
        for number, row in self.records.requests.items():
            later = before.requests.get(number)
            if row["state"] == "granted" and later is not None and later["ended_how"] is not None:
                self.closed_since.add((number, row["decided_ms"]))

    def booted(self) -> None:
        """The kernel is another one: nothing of the old one's timers is left."""
        self._ends.clear()
        self._wrong.clear()
        self._standing.clear()

    # --- checks ---

    def check(self) -> None:
        """Everything that is to hold at any moment."""
        if self.is_hopeless or not self._read():
            return
        self._see_repair()
        addresses = self._addresses()
        for network_id, network in self._networks():
            destination = self._destination(network)
            for address in addresses:
                for key in sorted(self.machine.kernel.passes(address, *destination)):
                    self._passing(key, network_id, network)
        for pair in [pair for pair in self._wrong if not self._still(pair)]:
            del self._wrong[pair]
        self._standing = {pair for pair in self._standing if self._still(pair)}
        self._events()
        self._answers()

    def settled(self) -> None:
        """Nothing is broken and time has passed: whoever has a reason passes, and everything was answered."""
        if self.is_hopeless or not self._read():
            return
        self.check()
        for (interface_id, device_id), ips in sorted(self.records.tunnels.items()):
            device = self.records.devices[device_id]
            account = self.records.accounts[device["account_id"]]
            if account["name"] in self.were_gone or self.is_restored:
                continue  # who was gone is not always let in again, and a restored store is in doubt
            for network_id, network in self._networks():
                if network["interface_id"] != interface_id or device["removed_ms"] is not None:
                    continue
                if all(over for _, over in self._reasons(device, network_id, network)):
                    continue
                if any(self._is_ending(one) for one in self._grants(device, network_id)):
                    continue
                destination, protocol, port = self._destination(network)
                address = str(ip_network(ips[0]).network_address)
                if device["public_key"] not in self.machine.kernel.passes(
                    address, destination, protocol, port
                ):
                    self.found(f"{account['name']}'s {device['name']} is held out of {network['name']}")
        for call in self.calls:
            if call.is_open and call.notes.get("life") is self.machine.jitd:
                self.found(f"no answer: {call}")

    def _read(self) -> bool:
        if not self.reader.is_open and not self.reader.open(self.machine.database):
            return False
        try:
            self.records = self.reader.read(self._seq)
        except sqlite3.Error as error:
            if "lock" in str(error):
                return False  # somebody is at it: that is looked at again later
            self.found(f"the store cannot be read: {error}")
            return False
        for row in self.records.requests.values():
            self._note_end(row)
        return True

    def _note_end(self, row: Row) -> None:
        """When the kernel's own timer lets a grant go, at the latest."""
        boot_end = row["ends_boot_ms"]
        if row["decision"] == "granted" and boot_end and row["boot_id"] == self.machine.clock.boot_id():
            known = self._ends.get(row["id"])
            if known is None or known[0] != boot_end:
                left = boot_end * 1000 - self.machine.clock.boot_us()
                self._ends[row["id"]] = (boot_end, self.machine.now_us + left)

    # --- what passes ---

    def _networks(self) -> Iterator[tuple[int, Row]]:
        for number, row in self.records.networks.items():
            if row["removed_ms"] is None:
                yield number, row

    def _destination(self, network: Row) -> tuple[str, str, int]:
        """A destination that no other network decides about."""
        address = str(
            ip_network(network["routes"][0]).network_address
            + 9 % ip_network(network["routes"][0]).num_addresses
        )
        if ip_network(network["routes"][0]).num_addresses == 1:
            address = network["routes"][0].partition("/")[0]
        if network["ports"]:
            protocol, _, port = network["ports"][0].partition("/")
            return address, protocol, int(port.partition("-")[0])
        return address, "udp", 9

    def _addresses(self) -> list[str]:
        """Every address that WireGuard takes from somebody."""
        kernel = self.machine.kernel
        seen = {ip.partition("/")[0] for ips in self.records.tunnels.values() for ip in ips}
        for link in kernel.links.values():
            for peer in link.peers.values():
                seen.update(str(ip.network_address) for ip in peer.allowed_ips if ip.num_addresses == 1)
        return [address for address in sorted(seen) if any(kernel.ways(address))]

    def _passing(self, key: str, network_id: int, network: Row) -> None:
        machine = self.machine
        pair = (key, network_id)
        open_interfaces = {
            number
            for number, row in self.records.interfaces.items()
            if not row["enforced"] and row["removed_ms"] is None
        }
        if any(key in self.records.unmanaged.get(number, ()) for number in open_interfaces) and not any(
            device["lost_ms"] for device in self.records.of_key(key)
        ):
            self._wrong.pop(pair, None)
            return
        devices = [one for one in self.records.of_key(key) if one["removed_ms"] is None]
        why = "nobody has this key"
        for device in devices:
            reasons = list(self._reasons(device, network_id, network))
            good = [text for text, over in reasons if not over]
            if good:
                self._wrong.pop(pair, None)
                (self._standing.add if "standing" in good else self._standing.discard)(pair)
                return
            why = "; ".join(text for text, _ in reasons) or self._why_not(device, network_id, network)
        who = self._who(key)
        for device in devices:
            grants = list(self._grants(device, network_id))
            # Its element is the kernel's, and goes whatever becomes of jitd.
            is_timed = bool(grants) and pair not in self._standing
            if is_timed and all(self._is_past(row) for row in grants) and not self._is_unrepaired:
                self.found(f"{who} passes {network['name']} after its end: grant {grants[-1]['id']}")
                return
        wrong = self._wrong.get(pair)
        if wrong is None:
            wrong = self._wrong[pair] = Wrong(self._withdrawn_us(key, network_id), why)
        wrong.why = why
        late = machine.now_us - max(wrong.since_us, self._able_us(key))
        if late > self._bound(wrong, key):
            self.found(
                f"{who} passes {network['name']} without a reason for {(machine.now_us - wrong.since_us) / 1e6:.3f} s: {why}"
            )

    def _still(self, pair: tuple[str, int]) -> bool:
        key, network_id = pair
        network = self.records.networks.get(network_id)
        if network is None or network["removed_ms"] is not None:
            return False
        destination = self._destination(network)
        return any(
            key in self.machine.kernel.passes(str(ip.network_address), *destination)
            for link in self.machine.kernel.links.values()
            if key in link.peers
            for ip in link.peers[key].allowed_ips
            if ip.num_addresses == 1
        )

    def _who(self, key: str) -> str:
        devices = self.records.of_key(key)
        if not devices:
            return f"the key {key[:6]}"
        return f"{self.records.accounts[devices[-1]['account_id']]['name']}'s {devices[-1]['name']}"

    # --- reasons ---

    def _grants(self, device: Row, network_id: int) -> Iterator[Row]:
        for row in self.records.requests.values():
            if (
                row["decision"] == "granted"
                and row["extends_id"] is None
                and row["network_id"] == network_id
                and device["id"] in self.records.grant_devices.get(row["id"], ())
            ):
                yield row

    def _reasons(self, device: Row, network_id: int, network: Row) -> Iterator[tuple[str, bool]]:
        """Why a device may pass, each with whether that is over: (text, over)."""
        account = self.records.accounts[device["account_id"]]
        if device["lost_ms"] is not None or device["id"] in self._lost():
            return
        good = self._is_good(account)
        frozen = self.records.frozen is not None or self._is_freezing()
        for row in self._grants(device, network_id):
            text = f"grant {row['id']}"
            over = self._over(row)
            if not over and frozen:
                over = "all is frozen"
            if not over and not good:
                over = f"{account['name']} is gone"
            if not over and not self._may_use(account, network):
                over = f"{account['name']} is no member"
            if not over and (row["id"], row["decided_ms"]) in self.closed_since:
                over = "it was closed before an older store was restored"
            if not over and row["id"] in self.closed:
                over = "it is being closed"
            yield (f"{text}: {over}" if over else text, bool(over))
        if self._has_standing(account, network):
            over = "all is frozen" if frozen else "" if good else f"{account['name']} is gone"
            yield (f"standing: {over}" if over else "standing", bool(over))

    def _over(self, row: Row) -> str:
        clock = self.machine.clock
        if row["ended_how"] is not None:
            return str(row["ended_how"])
        if row["paused_ms"] is not None:
            return "paused"
        if clock.now_ms() >= row["ends_ms"]:
            return "past its end by the wall clock"
        if row["boot_id"] != clock.boot_id():
            return "not active in this boot"
        if clock.boot_ms() >= row["ends_boot_ms"]:
            return "past its end by the boot clock"
        return ""

    def _is_past(self, row: Row) -> bool:
        """Whether the kernel's timer must have let it go."""
        ends = self._ends.get(row["id"])
        if ends is None:
            return False  # an earlier boot's: nothing of it is in this kernel
        return self.machine.now_us > ends[1] + LATE_US

    def _is_ending(self, row: Row) -> bool:
        ends = self._ends.get(row["id"])
        return ends is not None and ends[1] - 50_000 <= self.machine.now_us

    def _is_good(self, account: Row) -> bool:
        user = self.machine.people.users.get(account["name"])
        return (
            user is not None
            and user.uid == account["uid"]
            and not user.shell.endswith("nologin")
            and account["disabled"] is None
        )

    def _is_admin(self, account: Row) -> bool:
        return self._is_good(account) and self.machine.people.is_in(account["name"], ADMINS)

    def _may_use(self, account: Row, network: Row) -> bool:
        members = network["members"]
        return not members or self._is_admin(account) or self.machine.people.matches(account["name"], members)

    def _has_standing(self, account: Row, network: Row) -> bool:
        name = account["name"]
        if network["jit_enabled"]:
            exempt = self.machine.people.matches(name, network["jit_exempt"])
            if not exempt and not (self._is_admin(account) and not network["jit_admins_too"]):
                return False
        if self._is_admin(account):
            return True
        if network["jit_enabled"] and not network["members"]:
            return True
        return bool(network["members"]) and self.machine.people.matches(name, network["members"])

    def _why_not(self, device: Row, network_id: int, network: Row) -> str:
        return "lost" if device["lost_ms"] is not None else "there was never one"

    # --- since when, and for how long ---

    def _is_freezing(self) -> bool:
        return any(
            self._closes(call) and call.verb.__name__ == "freeze"
            for call in self.calls
            if call.notes.get("closes")
        )

    def _lost(self) -> set[int]:
        return {
            call.notes["device"]
            for call in self.calls
            if call.verb.__name__ == "remove" and "device" in call.notes and self._closes(call)
        }

    def _closes(self, call: Call) -> bool:
        """Whether a closing verb has been answered as done, or has had its time."""
        if call.error is not None:
            return call.error.code == "unrecorded" and not call.notes.get("forgotten")
        if call.reply is not None:
            return False  # then it stands in the store
        if not call.notes.get("closes") or call.notes.get("life") is not self.machine.jitd:
            return False
        return self.machine.jitd is not None and self.machine.jitd.is_alive

    def note_closings(self) -> None:
        """What is on its way counts from its arrival."""
        self.closed = {
            call.notes["closes"]: call.begun_us
            for call in self.calls
            if isinstance(call.notes.get("closes"), int) and self._closes(call)
        }

    def _withdrawn_us(self, key: str, network_id: int) -> int:
        """When the last reason went: a closing verb's arrival where there is one, else now."""
        times = [
            self.closed[row["id"]]
            for device in self.records.of_key(key)
            for row in self._grants(device, network_id)
            if row["id"] in self.closed
        ]
        return max(times) if times else self.machine.now_us

    def _faults(self, key: str) -> Iterator[Interval]:
        """What kept jitd from closing a key, or may have."""
        kernel = self.machine.kernel
        mine = {f"wg:{link.index}" for link in kernel.links.values() if key in link.peers}
        for one in self.intervals:
            # A disk, a database, another interface: what closes needs none of them.
            place = one.place.removesuffix(":slow")
            if place in {"names", "nft", *mine}:
                yield one

    def _able_us(self, key: str) -> int:
        """Since when nothing keeps jitd from closing."""
        machine = self.machine
        if machine.jitd is None or not machine.jitd.is_alive or not machine.jitd.is_ready:
            return machine.now_us
        ends = [min(one.ends_us, machine.now_us) for one in self._faults(key)]
        return max(self.ready_us, *ends, 0)

    def _see_repair(self) -> None:
        """A table that is flushed while jitd is dead, or refused, is not there before jitd has had its time."""
        since = max(self.disturbed_us, self._able_us(""))
        failed = any(one.ends_us > self.disturbed_us for one in self._faults(""))
        if self.machine.now_us - since > (RETRY_US if failed else REPAIR_US):
            self._is_unrepaired = False

    def _bound(self, wrong: Wrong, key: str) -> int:
        bound = CUT_US
        now = self.machine.now_us
        if any(word in wrong.why for word in ("gone", "member", "never", "wall clock", "standing")):
            bound = PEOPLE_US
        if now - self.disturbed_us < REPAIR_US + CUT_US:
            bound = max(bound, REPAIR_US)
        begun = wrong.since_us - CUT_US
        if (
            any(one.ends_us > begun and one.begins_us <= now for one in self._faults(key))
            or self.ready_us > begun
        ):
            bound = max(bound, RETRY_US)
        return bound

    # --- who did what ---

    def _events(self) -> None:
        if self.records.last_seq < self._seq:
            self.found(f"events were lost: the last one was {self._seq}, and is {self.records.last_seq} now")
        for row in self.records.events:
            if row["seq"] != self._seq + 1 and not (self._is_jumping and row["seq"] > self._seq):
                self.found(f"SEQ has a gap: {row['seq']} comes behind {self._seq}")
            self._is_jumping = self._is_jumping and row["seq"] == self._seq + 1
            self._seq = row["seq"]
            self._event(row)

    def _event(self, row: Row) -> None:
        kind, number = row["kind"], row["request_id"]
        if kind in ("granted", "denied") and number is not None:
            if number in self._decided:
                self.found(f"request {number} was decided twice: {self._decided[number]}, then {kind}")
            self._decided[number] = kind
        if kind in ("revoked", "released", "expired", "cancelled", "lapsed") and number is not None:
            if number in self._ended:
                self.found(f"request {number} ended twice: {self._ended[number]}, then {kind}")
            self._ended[number] = kind
        if row["actor_uid"] is None:
            return
        uid, name, login = row["actor_uid"], row["actor_user"], row["actor_login_uid"]
        same = (row["user_uid"], row["user"]) == (uid, name)
        if kind in ("granted", "denied", "approved") and (same or row["user_uid"] in (uid, login)):
            self.found(f"{name} {kind} {number}, which is their own")
        if kind in ("granted", "denied", "revoked", "approved") and not self._decides(
            uid, name, row["network"]
        ):
            self.found(f"{name} {kind} {number} without a right to")
        theirs = ("released", "paused", "resumed", "cancelled", "requested", "device_added", "device_rotated")
        if kind in theirs and not same and uid != 0 and not self._was_admin(uid, name):
            self.found(f"{name} ({uid}) {kind} what is {row['user']}'s ({row['user_uid']})")
        behind_root = uid == 0 and login is not None and kind in ("released", "paused", "resumed")
        if behind_root and login != row["user_uid"]:
            self.found(f"root behind {row['actor_login_user']} {kind} what is {row['user']}'s")

    def _was_admin(self, uid: int, name: str) -> bool:
        """Whether somebody administers, or did until a moment ago."""
        return uid == 0 or (name, ADMINS) in self.memberships

    def _decides(self, uid: int, name: str, network: str) -> bool:
        if self._was_admin(uid, name):
            return True
        approvers = {
            one
            for row in self.records.networks.values()
            if row["name"] == network
            for one in row["approvers"]
        }
        return name in approvers

    #: Who is in which group, or was within the bound.
    memberships: set[tuple[str, str]] = field(default_factory=set)

    # --- what was answered ---

    def answered(self, call: Call) -> None:
        """A verb was answered: what it said is to stay so."""
        if call.error is None:
            self._acknowledged.append(call)

    def _answers(self) -> None:
        kept = []
        for call in self._acknowledged:
            missing = self._missing(call)
            if missing:
                self.found(f"acknowledged, and not there: {missing}: {call}")
            elif self.machine.now_us - call.begun_us < 600_000_000:
                kept.append(call)
        self._acknowledged = kept

    def _missing(self, call: Call) -> str:
        """What an answer promised that is not so."""
        reply: dict[str, Any] = call.reply or {}
        verb = call.verb.__name__
        request = reply.get("request") or {}
        row = self.records.requests.get(request.get("id", 0))
        if verb in ("request", "grant", "deny", "revoke", "release", "cancel") and request and row is None:
            return f"request {request['id']}"
        if verb == "grant" and row is not None and request.get("status") in ("active", "scheduled"):
            return "" if row["decision"] == "granted" else "the grant"
        if verb == "deny" and row is not None:
            return "" if row["decision"] == "denied" else "the denial"
        if verb in ("revoke", "release", "cancel") and row is not None:
            return "" if row["ended_how"] is not None else "the end"
        if verb == "remove" and reply.get("done") and "device" in call.notes:
            device = self.records.devices[call.notes["device"]]
            gone = device["removed_ms"] is not None and (
                not call.body.get("lost") or device["lost_ms"] is not None
            )
            return "" if gone else "the removal"
        return ""


def is_refusal(error: JitError) -> bool:
    """Whether a verb was refused for what it is, and not for what the world is."""
    return error.code not in ("store", "busy", "internal", "unrecorded", "enforcement")
