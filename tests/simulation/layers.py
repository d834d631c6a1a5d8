"""The two ports of enforcement on the simulated kernel. Each exchange is a seam.

WireGuard's is simulated from the port on, with jitd's own recognition of interfaces. The firewall is jitd's own down to
the program nft and the netlink socket.
"""

import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Final

from jitd.core import parsing
from jitd.core.elements import SetEntry
from jitd.core.firewallrules import set_name
from jitd.enforce import links, nft
from jitd.enforce.firewall import NftFirewall
from jitd.enforce.nfmessages import Family, Found, Kind
from jitd.enforce.nfnetlink import Change
from jitd.enforce.port import (
    Change as PeerChange,
)
from jitd.enforce.port import (
    EnforceError,
    InterfaceGone,
    Known,
    LinkSpec,
    LinkState,
    Peer,
    Place,
    RemovePeer,
)
from jitd.enforce.recognise import Recogniser
from simulation.faults import EXCHANGE_US, Failed, Faults
from simulation.kernel import Kernel, Link, public_of

#: What an exchange takes, in microseconds.
WIREGUARD_US: Final = 60
NFT_US: Final = 90
LOAD_US: Final = 14_000
KIND: Final = "wireguard"
_MTU: Final = 1420


class SimulatedWireGuard:
    """A jitd.enforce.port.WireGuard."""

    name = "kernel"

    def __init__(self, kernel: Kernel, faults: Faults) -> None:
        self._kernel, self._faults = kernel, faults
        self._recogniser = Recogniser(kind=KIND, is_it=self._has_its_key)

    def know(self, known: Known) -> None:
        """As the port says."""
        self._recogniser.know(known)

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says."""
        self._exchange(f"ensure {spec.name}", self._find(spec.name))
        link = self._find(spec.name)
        made = link is None
        if link is None:
            link = self._kernel.make(spec.name, spec.private_key, spec.port, frozenset(spec.addresses))
        link.private_key, link.port, link.addresses = spec.private_key, spec.port, frozenset(spec.addresses)
        link.up, link.mtu = True, spec.mtu or _MTU
        return made

    def remove_link(self, name: str) -> None:
        """As the port says."""
        self._exchange(f"remove {name}", self._find(name))
        link = self._find(name)
        if link is not None:
            self._kernel.destroy(link.index)
        self._recogniser.forget(name)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        return self._state(self._exchanged(f"read {name}", name))

    def locate(self, name: str) -> Place | None:
        """As the port says."""
        self._exchange(f"locate {name}", self._find(name))
        link = self._recogniser.find(name)
        return None if link is None else link.place

    def apply(self, name: str, changes: Sequence[PeerChange]) -> None:
        """As the port says."""
        link = self._exchanged(f"apply {name} {len(changes)}", name)
        for change in changes:
            if isinstance(change, RemovePeer):
                link.peers.pop(change.public_key, None)
                continue
            before = link.peers.get(change.public_key)
            link.set_peer(
                Peer(
                    public_key=change.public_key,
                    allowed_ips=change.allowed_ips,
                    endpoint=change.endpoint or (before.endpoint if before else ""),
                    keepalive=_or(change.keepalive, before.keepalive if before else 0),
                    preshared_key=_or(change.preshared_key, before.preshared_key if before else ""),
                )
            )
        self._kernel.changed()

    def close(self) -> None:
        """As the port says."""

    def _find(self, name: str) -> Link | None:
        found = self._recogniser.find(name)
        return None if found is None else self._kernel.links.get(found.index)

    def _has_its_key(self, link: links.Link, known: Known) -> bool:
        there = self._kernel.links.get(link.index)
        return there is not None and public_of(there.private_key) == known.public_key

    def _exchanged(self, what: str, name: str) -> Link:
        self._exchange(what, self._find(name))
        link = self._find(name)
        if link is None:
            raise InterfaceGone(f"there is no interface {name}")
        return link

    def _exchange(self, what: str, link: Link | None) -> None:
        place = "wg" if link is None else f"wg:{link.index}"
        try:
            self._faults.meet(place, what, WIREGUARD_US, EXCHANGE_US)
        except Failed as failure:
            raise EnforceError(f"{what}: {failure.why}") from failure

    def _state(self, link: Link) -> LinkState:
        return LinkState(
            name=link.name,
            index=link.index,
            private_key=link.private_key,
            public_key=public_of(link.private_key),
            port=link.port,
            addresses=link.addresses,
            mtu=link.mtu,
            up=link.up,
            peers=dict(link.peers),
        )


class SimulatedFirewall(NftFirewall):
    """jitd's own, where it reads and writes the simulated tables."""

    def __init__(self, kernel: Kernel, faults: Faults, changes: "SimulatedChanges") -> None:
        super().__init__()
        self._kernel, self._faults, self._changes = kernel, faults, changes
        self._families = (Family.INET, Family.NETDEV)

    def changes(self) -> Any:
        """As the port says."""
        return self._changes

    def _exchange(self, what: str) -> None:
        Socket(self._kernel, self._faults).exchange(what)

    def _exists(self, family: Family) -> bool:
        return family in self._kernel.nftables.state.tables

    def _names(self, kind: Kind, family: Family, number: int) -> list[str]:
        self._exchange("list")
        table = self._kernel.nftables.state.tables[family]
        return list(table.chains if kind is Kind.GET_CHAIN else table.sets)

    def _dumped(self, family: Family, network_ids: Iterable[int]) -> list[tuple[SetEntry, int]]:
        self._exchange("dump")
        return [
            (SetEntry(number, parsing.address(address)), 2**63 if left is None else left // 1000)
            for number in network_ids
            for version in (4, 6)
            for address, left in self._kernel.nftables.living(family, set_name(number, version)).items()
        ]

    def _fingerprint(self) -> bytes:
        self._exchange("fingerprint")
        state = self._kernel.nftables.state
        held = {
            (family, name): {
                parsing.address(one).packed for one in self._kernel.nftables.living(family, name)
            }
            == keys
            for (family, name), keys in self._given.items()
        }
        return repr((state.version, sorted(state.hooked.items()), sorted(held.items()))).encode()


class Socket:
    """A jitd.enforce.nfnetlink.NftSocket."""

    port = 1

    def __init__(self, kernel: Kernel, faults: Faults) -> None:
        self._kernel, self._faults = kernel, faults

    def exchange(self, what: str, cost_us: int = NFT_US) -> None:
        """Something is asked. Raises EnforceError."""
        try:
            self._faults.meet("nft", what, cost_us, EXCHANGE_US)
        except Failed as failure:
            raise EnforceError(f"nftables: {failure.why}") from failure

    def transaction(self, changes: Iterable[Change]) -> None:
        """As NftSocket's."""
        found = [one for one in changes if one.elements]
        self.exchange(f"transaction {' '.join(f'{one.kind.name[:3]}:{one.set_name}' for one in found)}"[:90])
        self._kernel.nftables.transaction(found)
        self._kernel.changed()

    def get(self, family: Family, table: str, name: str, keys: Collection[bytes]) -> list[Found]:
        """As NftSocket's."""
        self.exchange(f"get {name} {len(keys)}")
        return self._kernel.nftables.found(family, name, [str(parsing.packed_address(key)) for key in keys])

    def close(self) -> None:
        """As NftSocket's."""


class SimulatedChanges:
    """A jitd.enforce.firewallport.KernelChanges: word of what others change."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._others = 0
        self.tell: Callable[[int], None] = lambda _: None

    def fileno(self) -> int:
        """As the port says."""
        return self._file

    def foreign(self) -> bool:
        """As the port says."""
        found, self._others = self._others > 0, 0
        return found

    def close(self) -> None:
        """As the port says."""

    def changed_by_others(self) -> None:
        """Somebody else has changed something."""
        self._others += 1
        self.tell(self._file)


def nft_program(kernel: Kernel, faults: Faults) -> Any:
    """Stands for the module `jitd.enforce.nft`."""

    def load(text: str, *, check: bool = False) -> None:
        try:
            faults.meet("nft", "load", LOAD_US, EXCHANGE_US)
        except Failed as failure:
            raise EnforceError(f"nft: {failure.why}") from failure
        if not check:
            kernel.nftables.script(text)
            kernel.changed()

    return SimpleNamespace(**{**_public(nft), "load": load})


def rtnetlink(kernel: Kernel) -> Any:
    """Stands for the module `jitd.enforce.links`."""

    def view(link: Link | None) -> links.Link | None:
        return None if link is None else links.Link(
            name=link.name, index=link.index, kind=KIND, mtu=link.mtu, up=link.up, addresses=link.addresses, in_vrf=False
        )  # fmt: skip

    return SimpleNamespace(
        **{
            **_public(links),
            "find": lambda name: view(kernel.named(name)),
            "at": lambda index: view(kernel.links.get(index)),
            "all_of": lambda kind: [view(one) for one in kernel.links.values() if kind == KIND],
        }
    )


def sockets(kernel: Kernel) -> Any:
    """Stands for the module `socket`, where interfaces are listed."""
    return SimpleNamespace(**{**_public(socket), "if_nameindex": kernel.if_nameindex})


def _public(module: Any) -> dict[str, Any]:
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("__")}


def _or(value: Any, other: Any) -> Any:
    return other if value is None else value
