"""Who is let in through an interface right now, and why: the store's facts put before the policy."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from jitd.core import durations, elements, policy
from jitd.core.elements import Member, Right
from jitd.core.model import Account, Interface, Network, Now
from jitd.core.peers import Reason, Wanted, wanted
from jitd.core.people import Answer, Directory
from jitd.core.policy import Verdict
from jitd.store import devices, interfaces, networks, requests
from jitd.store.database import Rows
from jitd.store.devices import Tunnel

#: How long standing access keeps its last sure answer while users cannot be looked up, milliseconds of boot time.
GRACE_MS: Final = durations.HOUR


@dataclass(slots=True)
class Memory:
    """What decides beside the store and the system's users. Belongs to the worker thread; gone with the process.

    `sure`: when a standing right was last sure, by (account id, network id), in boot time. `closed`: grants that have
    been ended and cannot be recorded yet.
    """

    sure: dict[tuple[int, int], int] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)

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
    """What the policy needs of people."""

    directory: Directory
    admin_groups: tuple[str, ...]
    daemon_uid: int
    memory: Memory

    def admin(self, name: str, uid: int) -> Verdict:
        """Whether a user administers this gateway."""
        return policy.is_admin(uid, self.directory.person(name), self.admin_groups, self.daemon_uid)

    def standing(self, network: Network, account: Account, now: Now) -> tuple[bool, str]:
        """Whether an account has access to a network without a grant, and why."""
        person = self.directory.person(account.name)
        same = policy.is_same_account(account, person)
        if same.answer is Answer.NO:
            return self.memory.decide(account.id, network.id, Answer.NO, now.boot_ms), same.why
        verdict = policy.has_standing(network, person, self.admin(account.name, account.uid))
        answer = Answer.UNAVAILABLE if same.answer is Answer.UNAVAILABLE and verdict else verdict.answer
        return self.memory.decide(account.id, network.id, answer, now.boot_ms), verdict.why

    def is_gone(self, account: Account) -> str:
        """Why an account has lost everything (removed, another person now), "" when it has not or nobody knows."""
        verdict = policy.is_same_account(account, self.directory.person(account.name))
        return verdict.why if verdict.answer is Answer.NO else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAccess:
    """A tunnel and the reasons for it to be there."""

    tunnel: Tunnel
    reasons: tuple[Reason, ...]

    @property
    def wanted(self) -> Wanted | None:
        """The peer as it should be, None when nothing needs it."""
        return wanted(self.tunnel.device.public_key, self.tunnel.ips, self.tunnel.preshared_key, self.reasons)

    @property
    def rights(self) -> dict[Member, Right]:
        """In which networks its addresses may pass, and for how long from now."""
        return elements.rights(self.tunnel.ips, self.reasons)


def of_interface(
    rows: Rows, interface: Interface, people: People, now: Now, device_ids: Iterable[int] | None = None
) -> list[DeviceAccess]:
    """Every tunnel of an interface, or those of some devices, with the reasons for it to be there now."""
    only = None if device_ids is None else list(device_ids)
    behind = networks.of_interface(rows, interface.id)
    names = {network.id: network.name for network in behind}
    reasons: dict[int, list[Reason]] = {}
    for device_id, request in requests.live_of_devices(rows, interface.id, only):
        grant = request.grant
        if grant is None or not grant.is_active(now) or people.is_gone(request.account):
            continue
        if request.id in people.memory.closed:
            continue
        reasons.setdefault(device_id, []).append(
            Reason(
                kind="grant",
                network=names[request.network_id],
                why=f"grant {request.id}",
                request_id=request.id,
                paused=grant.paused_ms is not None,
                network_id=request.network_id,
                left_ms=grant.left_ms(now),
            )
        )
    found = []
    standing: dict[tuple[int, int], tuple[bool, str]] = {}
    for tunnel in devices.tunnels(rows, interface_id=interface.id, device_ids=only):
        mine = reasons.get(tunnel.device.id, [])
        for network in behind:
            pair = (tunnel.account.id, network.id)
            if pair not in standing:
                standing[pair] = people.standing(network, tunnel.account, now)
            has, why = standing[pair]
            if has:
                mine.append(Reason(kind="standing", network=network.name, why=why, network_id=network.id))
        found.append(DeviceAccess(tunnel=tunnel, reasons=tuple(mine)))
    return found


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
        for reason in access.reasons:
            if not reason.paused:
                found.add(
                    Passage(
                        access.tunnel.account.name, device.name, device.public_key, reason.network, reason.why
                    )
                )
    if not interface.enforced:
        passing = {passage.public_key for passage in found}
        for peer in interfaces.unmanaged(rows, interface.id):
            if peer.public_key not in passing:
                user, device_name = owners.get(peer.public_key, ("", ""))
                why = f"{interface.name} is not enforced"
                found.add(Passage(user, device_name, peer.public_key, "", why))
    return found
