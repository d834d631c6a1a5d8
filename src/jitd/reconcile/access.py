"""Who is let in through an interface right now, and why: the store's facts put before the policy."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from jitd.core import durations, elements, policy, principals
from jitd.core.elements import Right, SetEntry
from jitd.core.model import REGISTERED, Account, Freeze, Interface, Network, Now, Request
from jitd.core.peers import DesiredPeer, Reason, wanted
from jitd.core.people import Answer, Directory, Person, registered
from jitd.core.policy import Verdict
from jitd.store import devices, freezes, interfaces, networks, requests, restored
from jitd.store.database import Rows
from jitd.store.devices import Tunnel

#: How long standing access keeps its last sure answer while users cannot be looked up, milliseconds of boot time.
GRACE_MS: Final = durations.HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What stays closed whatever the store says: it was closed, and is not recorded yet. Ids, and a freeze."""

    grants: frozenset[int] = frozenset()
    paused: frozenset[int] = frozenset()  # grants
    devices: frozenset[int] = frozenset()
    accounts: frozenset[int] = frozenset()
    networks: frozenset[int] = frozenset()
    freeze: Freeze | None = None

    def __or__(self, other: "Held") -> "Held":
        """Both."""
        return Held(
            grants=self.grants | other.grants,
            paused=self.paused | other.paused,
            devices=self.devices | other.devices,
            accounts=self.accounts | other.accounts,
            networks=self.networks | other.networks,
            freeze=self.freeze or other.freeze,
        )

    def left(self, tunnel: Tunnel, reasons: Iterable[Reason], *, kept: bool) -> tuple[Reason, ...]:
        """The reasons that are left of these. `kept`: a freeze does not close this account out."""
        if self.freeze is not None and not kept:
            return ()
        if tunnel.device.id in self.devices or tunnel.account.id in self.accounts:
            return ()
        return tuple(
            replace(one, paused=True) if one.request_id in self.paused else one
            for one in reasons
            if one.request_id not in self.grants and one.network_id not in self.networks
        )


@dataclass(slots=True)
class Memory:
    """What decides beside the store and the system's users; gone with the process.

    `sure`: when a standing right was last sure, by (account id, network id), in boot time; the worker thread's.
    `held` is replaced as a whole, by any thread. `leases`: until when standing access goes on while a restored store is in
    doubt, by (device id, network id), in boot time.
    """

    sure: dict[tuple[int, int], int] = field(default_factory=dict)
    held: Held = field(default_factory=Held)
    leases: dict[tuple[int, int], int] = field(default_factory=dict)

    def decide(self, account_id: int, network_id: int, answer: Answer, boot_ms: int) -> bool:
        """Whether the right counts now: yes, or not known while it was sure not long ago."""
        pair = (account_id, network_id)
        if answer is Answer.YES:
            self.sure[pair] = boot_ms
            return True
        if answer is Answer.NO:
            self.sure.pop(pair, None)
            return False
        return pair in self.sure and boot_ms - self.sure[pair] < GRACE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What the policy needs of people. `kept_when_frozen` are administrators whom a freeze does not close out."""

    directory: Directory
    admin_groups: tuple[str, ...]
    daemon_uid: int
    memory: Memory
    kept_when_frozen: tuple[str, ...] = ()
    #: (uid, name) of somebody whose closing was allowed when it was made, and is only recorded now.
    allowed: tuple[int, str] | None = None

    def person(self, uid: int, name: str) -> Person:
        """What the system says of the user who is (uid, name); of somebody who is only registered here, that there is one.

        Another uid is somebody else: of the one who is meant, the system says that there is none.
        """
        if uid <= REGISTERED:
            return registered(uid, name)
        found = self.directory.person(name)
        if found.uid is not None and found.uid != uid:
            return Person(name=name, exists=Answer.NO)
        return found if found.exists is Answer.NO else replace(found, uid=uid)

    def named(self, network: Network, field_name: str) -> frozenset[str]:
        """The users whom the rules of a field name, as far as they still are who was meant; not those of its groups."""
        uids = network.uids(field_name)
        return frozenset(
            one
            for one in principals.users(network.named(field_name))
            if one in uids and self.person(uids[one], one).exists is not Answer.NO
        )

    def admin(self, name: str, uid: int) -> Verdict:
        """Whether a user administers this gateway."""
        if self.allowed == (uid, name):
            return Verdict(Answer.YES, "allowed when it was closed")
        return policy.is_admin(uid, self.person(uid, name), self.admin_groups, self.daemon_uid)

    def unresolved(self, network: Network) -> Verdict | None:
        """The first group of the scope that does not exist or cannot be looked up; None when all are known."""
        for group in principals.groups(network.jit_groups):
            answer = self.directory.group_exists(group)
            if answer is not Answer.YES:
                known = "cannot be looked up now" if answer is Answer.UNAVAILABLE else "does not exist"
                why = f"the group {group} {known}, so everybody has to ask for {network.name} (jit.groups)"
                return Verdict(Answer.UNAVAILABLE if answer is Answer.UNAVAILABLE else Answer.YES, why)
        return None

    def has_standing(self, network: Network, uid: int, name: str) -> Verdict:
        """Whether a user has access to a network without a grant, as far as the policy goes."""
        return policy.has_standing(
            network, self.person(uid, name), self.admin(name, uid), self.unresolved(network)
        )

    def may_use(self, network: Network, uid: int, name: str) -> Verdict:
        """Whether a user may use a network at all."""
        return policy.may_use(network, self.person(uid, name), self.admin(name, uid))

    def may_decide(self, network: Network, uid: int, name: str) -> Verdict:
        """Whether a user decides about requests for a network."""
        return policy.may_decide(network, self.person(uid, name), self.admin(name, uid))

    def standing(self, network: Network, account: Account, now: Now) -> tuple[bool, str]:
        """Whether an account has access to a network without a grant, and why."""
        same = self.same(account, now)
        if same.answer is Answer.NO:
            return self.memory.decide(account.id, network.id, Answer.NO, now.boot_ms), same.why
        verdict = self.has_standing(network, account.uid, account.name)
        answer = Answer.UNAVAILABLE if same.answer is Answer.UNAVAILABLE and verdict else verdict.answer
        return self.memory.decide(account.id, network.id, answer, now.boot_ms), verdict.why

    def same(self, account: Account, now: Now) -> Verdict:
        """Whether an account is still good."""
        return policy.is_same_account(account, self.known(account), now.wall_ms)

    def there(self, account: Account, now: Now) -> Verdict:
        """Whether the person of an account is there now, whatever is recorded."""
        return policy.is_there(account, self.known(account), now.wall_ms)

    def known(self, account: Account) -> Person:
        """What the system says of whoever has the name of an account now, the same or somebody else."""
        if account.is_registered:
            return registered(account.uid, account.name)
        return self.directory.person(account.name)

    def lost(self, network: Network, account: Account, now: Now) -> str:
        """Why an account may not use a network any more, whatever it was granted: it is removed, disabled, another
        person now, no member. "" when that is not so, or nobody knows.
        """
        for verdict in (self.same(account, now), self.may_use(network, account.uid, account.name)):
            if verdict.answer is Answer.NO:
                return verdict.why
        return ""

    def is_lost(self, kind: str, network: Network, account: Account, now: Now) -> bool:
        """Whether a reason of this kind, grant or standing, counts no more, for sure."""
        if self.lost(network, account, now):
            return True
        return (
            kind == "standing" and self.has_standing(network, account.uid, account.name).answer is Answer.NO
        )

    def is_kept(self, account: Account) -> bool:
        """Whether a freeze does not close this account out."""
        return account.name in self.kept_when_frozen and bool(self.admin(account.name, account.uid))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAccess:
    """A tunnel and the reasons for it to be there."""

    tunnel: Tunnel
    reasons: tuple[Reason, ...]

    @property
    def wanted(self) -> DesiredPeer | None:
        """The peer as it should be, None when nothing needs it."""
        return wanted(self.tunnel.device.public_key, self.tunnel.ips, self.tunnel.preshared_key, self.reasons)

    @property
    def passages(self) -> "list[Passage]":
        """Where it passes, and why."""
        device, user = self.tunnel.device, self.tunnel.account.name
        return [
            Passage(user, device.name, device.public_key, reason.network, reason.why)
            for reason in self.reasons
            if not reason.paused
        ]

    @property
    def rights(self) -> dict[SetEntry, Right]:
        """In which networks its addresses may pass, and for how long from now."""
        return elements.rights(self.tunnel.ips, self.reasons)


def of_interface(
    rows: Rows,
    interface: Interface,
    people: People,
    now: Now,
    device_ids: Iterable[int] | None = None,
    *,
    doubt: bool = True,
) -> list[DeviceAccess]:
    """Every tunnel of an interface, or those of some devices, with the reasons for it to be there now.

    Without `doubt` also what a restored store lets in and nobody has accepted.
    """
    doubted = restored.current(rows) if doubt else None
    only = None if device_ids is None else list(device_ids)
    behind = {network.id: network for network in networks.of_interface(rows, interface.id)}
    held = people.memory.held
    frozen = freezes.current(rows)
    grants: dict[int, list[Request]] = {}
    for device_id, request in requests.live_of_devices(rows, interface.id, only):
        if request.grant is not None and request.grant.is_active(now):
            grants.setdefault(device_id, []).append(request)
    found = []
    standing: dict[tuple[int, int], tuple[bool, str]] = {}
    lost: dict[tuple[int, int], str] = {}
    for tunnel in devices.tunnels(rows, interface_id=interface.id, device_ids=only):
        account = tunnel.account
        reasons: list[Reason] = []
        if frozen is None or people.is_kept(account):
            for request in grants.get(tunnel.device.id, []):
                network = behind[request.network_id]
                pair = (account.id, network.id)
                if pair not in lost:
                    lost[pair] = people.lost(network, account, now)
                if not lost[pair] and not (doubted and doubted.has_grant(request, tunnel.device)):
                    reasons.append(_granted(request, network, tunnel, now))
            for network in behind.values():
                pair = (account.id, network.id)
                if pair not in standing:
                    standing[pair] = people.standing(network, account, now)
                has, why = standing[pair]
                if has and doubted and doubted.has_device(account, tunnel.device):
                    lease_ms = people.memory.leases.get((tunnel.device.id, network.id), 0) - now.boot_ms
                    if lease_ms > 0:
                        reasons.append(_standing(network, why, tunnel, now, lease_ms))
                elif has:
                    reasons.append(_standing(network, why, tunnel, now))
        is_over = tunnel.device.ends_ms is not None and tunnel.device.ends_ms <= now.wall_ms
        if is_over:
            reasons = []
        kept = held.freeze is None or people.is_kept(account)
        found.append(DeviceAccess(tunnel=tunnel, reasons=held.left(tunnel, reasons, kept=kept)))
    return found


def _granted(request: Request, network: Network, tunnel: Tunnel, now: Now) -> Reason:
    assert request.grant is not None
    left_ms, ends_ms = request.grant.left_ms(now), _end(tunnel)
    return Reason(
        kind="grant",
        network=network.name,
        why=f"grant {request.id}",
        request_id=request.id,
        paused=request.grant.paused_ms is not None,
        network_id=network.id,
        left_ms=left_ms if ends_ms is None else min(left_ms, max(0, ends_ms - now.wall_ms)),
    )


def _standing(network: Network, why: str, tunnel: Tunnel, now: Now, lease_ms: int | None = None) -> Reason:
    """A lease that is renewed; near the end of its user or its device, no longer than that. `lease_ms`: it is not, and so
    much is left of it.
    """
    ends_ms = _end(tunnel)
    if lease_ms is not None:
        ends_ms = min(ends_ms or 2**63, now.wall_ms + lease_ms)
    is_last = ends_ms is not None and ends_ms - now.wall_ms <= elements.LEASE_MS
    return Reason(
        kind="standing",
        network=network.name,
        why=why,
        network_id=network.id,
        left_ms=max(0, ends_ms - now.wall_ms) if is_last and ends_ms is not None else None,
    )


def _end(tunnel: Tunnel) -> int | None:
    """Nothing outlives its user or its device."""
    ends = [end for end in (tunnel.account.ends_ms, tunnel.device.ends_ms) if end is not None]
    return min(ends, default=None)


@dataclass(frozen=True, slots=True, order=True)
class Passage:
    """One key that passes, for one reason: what plans are made of. `user` is "" for an unmanaged peer."""

    user: str
    device: str
    public_key: str
    network: str
    why: str = field(compare=False)


def passages(rows: Rows, interface: Interface, people: People, now: Now) -> set[Passage]:
    """Who passes through an interface right now, unmanaged peers of an interface that is not enforced included."""
    found = set()
    owners: dict[str, tuple[str, str]] = {}
    for access in of_interface(rows, interface, people, now):
        device = access.tunnel.device
        owners[device.public_key] = (access.tunnel.account.name, device.name)
        found.update(access.passages)
    if not interface.enforced:
        passing = {passage.public_key for passage in found}
        for peer in interfaces.unmanaged(rows, interface.id):
            if peer.public_key not in passing:
                user, device_name = owners.get(peer.public_key, ("", ""))
                why = f"{interface.name} is not enforced"
                found.add(Passage(user, device_name, peer.public_key, "", why))
    return found
