"""What was last worked out to be open, by device: to close without the store, and to know whose traffic it was."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from jitd.core.elements import SetEntry
from jitd.core.model import Interface, IPNetwork, Network, Now
from jitd.reconcile.access import DeviceAccess, Held, People


@dataclass(frozen=True, slots=True)
class AppliedDevice:
    """A device that something lets in through an interface."""

    interface: Interface
    access: DeviceAccess
    at_boot_ms: int  # when it was worked out


@dataclass(frozen=True, slots=True)
class Taken:
    """A device on an interface that is to pass less: what it passed, and what is left."""

    interface: Interface
    before: DeviceAccess
    rest: DeviceAccess

    @property
    def entries(self) -> set[SetEntry]:
        """Who is to pass no more."""
        return set(self.before.rights) - set(self.rest.rights)

    @property
    def passing(self) -> frozenset[IPNetwork] | None:
        """What its peer may still pass; None: as much as before."""
        before, rest = (
            one.wanted.allowed_ips if one.wanted is not None else frozenset()
            for one in (self.before, self.rest)
        )
        return None if before <= rest else rest


@dataclass(slots=True)
class AppliedAccess:
    """Changed by the worker thread, and read by any."""

    _open: dict[int, dict[str, AppliedDevice]] = field(default_factory=dict)
    #: The networks of each interface: they say who decides about a grant.
    _networks: dict[int, dict[int, Network]] = field(default_factory=dict)

    def note(
        self, interface: Interface, networks: Iterable[Network], accesses: Iterable[DeviceAccess], now: Now
    ) -> None:
        """What was worked out for all devices of an interface, and its networks."""
        self._networks[interface.id] = {network.id: network for network in networks}
        # At once: others read it meanwhile.
        self._open[interface.id] = {
            one.tunnel.device.public_key: AppliedDevice(interface, one, now.boot_ms)
            for one in accesses
            if one.reasons
        }

    def note_some(
        self, interface: Interface, accesses: Iterable[DeviceAccess], gone: Collection[str], now: Now
    ) -> None:
        """What was worked out for some devices; the public keys in `gone` are open no more."""
        opened = self._open.setdefault(interface.id, {})
        for key in gone:
            opened.pop(key, None)
        for one in accesses:
            key = one.tunnel.device.public_key
            if one.reasons:
                opened[key] = AppliedDevice(interface, one, now.boot_ms)
            else:
                opened.pop(key, None)

    def forget(self, interface_id: int) -> None:
        """Stop caring for a removed interface."""
        self._open.pop(interface_id, None)
        self._networks.pop(interface_id, None)

    def accesses(self, interface_id: int, keys: Collection[str] | None = None) -> dict[str, DeviceAccess]:
        """What was open on an interface, by public key; of some keys or of all."""
        opened = self._open.get(interface_id, {})
        return {key: one.access for key, one in opened.items() if keys is None or key in keys}

    def all(self) -> list[AppliedDevice]:
        """Everything that is open."""
        return [one for opened in list(self._open.values()) for one in list(opened.values())]

    def behind(self, opening: AppliedDevice) -> dict[int, Network]:
        """The networks of its interface, by id."""
        return self._networks.get(opening.interface.id, {})

    def network(self, name: str) -> Network | None:
        """The network of this name."""
        return next(
            (one for behind in list(self._networks.values()) for one in behind.values() if one.name == name),
            None,
        )

    def networks(self, device_id: int) -> set[str]:
        """Which networks are open for a device."""
        return {
            reason.network
            for one in self.all()
            for reason in one.access.reasons
            if one.access.tunnel.device.id == device_id and not reason.paused
        }

    def over(self, now: Now) -> set[int]:
        """The grants whose time is over."""
        return {
            reason.request_id
            for one in self.all()
            for reason in one.access.reasons
            if reason.request_id is not None
            and reason.left_ms is not None
            and one.at_boot_ms + reason.left_ms <= now.boot_ms
        }

    def next_end(self, now: Now) -> int | None:
        """When the next grant that is not over yet will be, in boot time; None when there is none."""
        ends = (
            one.at_boot_ms + reason.left_ms
            for one in self.all()
            for reason in one.access.reasons
            if reason.left_ms is not None
        )
        return min((end for end in ends if end > now.boot_ms), default=None)

    def without(self, held: Held, people: People) -> list[Taken]:
        """What is open and would not be with this closed."""
        found = []
        for one in self.all():
            kept = held.freeze is None or people.is_kept(one.access.tunnel.account)
            rest = held.left(one.access.tunnel, one.access.reasons, kept=kept)
            if rest != one.access.reasons:
                found.append(Taken(one.interface, one.access, replace(one.access, reasons=rest)))
        return found

    def ending(self, boot_ms: int) -> dict[Interface, list[str]]:
        """The public keys for which something that is open will be over at that moment of boot time."""
        found: dict[Interface, list[str]] = {}
        for opened in self._open.values():
            for key, one in opened.items():
                lefts = [
                    reason.left_ms
                    for reason in one.access.reasons
                    if reason.left_ms is not None and not reason.paused
                ]
                if lefts and one.at_boot_ms + min(lefts) <= boot_ms:
                    found.setdefault(one.interface, []).append(key)
        return found

    def narrow(self, taken: Taken) -> None:
        """It passes less now."""
        opened = self._open.get(taken.interface.id, {})
        key = taken.before.tunnel.device.public_key
        if key in opened and taken.rest.reasons:
            opened[key] = replace(opened[key], access=taken.rest)
        else:
            opened.pop(key, None)
