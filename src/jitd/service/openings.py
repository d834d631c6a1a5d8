"""What was last worked out to be open, by device: to close without the store, and to know whose traffic it was."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from jitd.core.model import Account, Device, Interface, Network, Now
from jitd.core.peers import Reason
from jitd.service.access import DeviceAccess


@dataclass(frozen=True, slots=True)
class Opening:
    """A device that something lets in through an interface."""

    interface: Interface
    access: DeviceAccess
    at_boot_ms: int  # when it was worked out


@dataclass(slots=True)
class Openings:
    """Belongs to the worker thread."""

    _open: dict[int, dict[str, Opening]] = field(default_factory=dict)
    #: The networks of each interface: they say who decides about a grant.
    _networks: dict[int, dict[int, Network]] = field(default_factory=dict)

    def note(
        self, interface: Interface, networks: Iterable[Network], accesses: Iterable[DeviceAccess], now: Now
    ) -> None:
        """What was worked out for all devices of an interface, and its networks."""
        self._networks[interface.id] = {network.id: network for network in networks}
        self._open[interface.id] = {}
        self.note_some(interface, accesses, (), now)

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
                opened[key] = Opening(interface, one, now.boot_ms)
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

    def grants(self) -> dict[int, tuple[Account, Network | None]]:
        """Who has which grant open, and for what; None for a network that the store did not tell of any more."""
        return {
            number: (
                one.access.tunnel.account,
                self._networks.get(one.interface.id, {}).get(reason.network_id or 0),
            )
            for one, number, reason in self._reasons()
        }

    def devices(self) -> dict[int, tuple[Account, Device]]:
        """Which devices have something open, by id, with whose they are."""
        opened = [one.access.tunnel for opened in self._open.values() for one in opened.values()]
        return {tunnel.device.id: (tunnel.account, tunnel.device) for tunnel in opened}

    def networks(self, device_id: int) -> set[str]:
        """Which networks are open for a device."""
        return {
            reason.network
            for opened in self._open.values()
            for one in opened.values()
            for reason in one.access.reasons
            if one.access.tunnel.device.id == device_id and not reason.paused
        }

    def over(self, now: Now) -> set[int]:
        """The grants whose time is over."""
        return {
            number
            for one, number, reason in self._reasons()
            if reason.left_ms is not None and one.at_boot_ms + reason.left_ms <= now.boot_ms
        }

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

    def without(self, request_id: int) -> list[tuple[Interface, DeviceAccess, DeviceAccess]]:
        """Take a grant out. Returns (interface, access before, access now) of each device that it was for."""
        found = []
        for opened in self._open.values():
            for key, one in opened.items():
                rest = tuple(reason for reason in one.access.reasons if reason.request_id != request_id)
                if len(rest) < len(one.access.reasons):
                    after = replace(one.access, reasons=rest)
                    found.append((one.interface, one.access, after))
                    opened[key] = replace(one, access=after)
        return found

    def emptied(
        self, keep: Callable[[DeviceAccess], bool]
    ) -> list[tuple[Interface, DeviceAccess, DeviceAccess]]:
        """Take everything out but what `keep` names. Returns as `without`."""
        found = []
        for opened in self._open.values():
            for key, one in list(opened.items()):
                if one.access.reasons and not keep(one.access):
                    found.append((one.interface, one.access, replace(one.access, reasons=())))
                    del opened[key]
        return found

    def _reasons(self) -> Iterator[tuple[Opening, int, Reason]]:
        for opened in self._open.values():
            for one in opened.values():
                for reason in one.access.reasons:
                    if reason.request_id is not None:
                        yield one, reason.request_id, reason
