"""Where the kernel does not agree with the store yet. Written by the worker, read by queries in other threads."""

from dataclasses import dataclass, field

from jitd import wire
from jitd.core.model import IPNetwork
from jitd.enforce.port import LinkState
from jitd.reconcile.traffic import Traffic


@dataclass(slots=True)
class Drift:
    """The last known differences. Values are replaced as a whole, so that readers need no lock."""

    errors: dict[int, str] = field(default_factory=dict)  # interface id -> what is wrong
    keys: frozenset[tuple[int, str]] = frozenset()  # (interface id, public key) not yet as wanted
    names: dict[int, str] = field(default_factory=dict)  # interface id -> name, for messages

    #: Addresses of removed devices, by (interface id, public key), that the kernel was not seen to give up yet.
    freed: dict[tuple[int, str], frozenset[IPNetwork]] = field(default_factory=dict)
    around: tuple[wire.Check, ...] = ()  # what the last look around the machine gave
    troubles: tuple[str, ...] = ()  # sentences about jitd's own socket and log
    doubts: tuple[str, ...] = ()  # sentences about the store as it was found at the start
    unrecorded: list[str] = field(default_factory=list)  # sentences about what could not be recorded yet
    settled: int = 0  # the SEQ up to which the kernel was compared with what was recorded
    #: When each public key had its last handshake, milliseconds UTC, as it was read last: at most 30 s ago.
    heard: dict[str, int] = field(default_factory=dict)
    #: What passed each interface, by its name.
    traffic: dict[str, Traffic] = field(default_factory=dict)
    retries: int = 0  # how often an interface was tried again since the start

    def hear(self, name: str, state: LinkState) -> None:
        """Keep the handshakes and the traffic of an interface that was read, by the name that it has here."""
        self.traffic = {**self.traffic, name: self.traffic.get(name, Traffic()).after(state)}
        self.heard.update(
            {key: peer.last_handshake_ms for key, peer in state.peers.items() if peer.last_handshake_ms}
        )

    def note_unrecorded(self, sentences: list[str]) -> None:
        """What could not be recorded yet."""
        self.unrecorded = sentences

    @property
    def open(self) -> frozenset[tuple[int, str]]:
        """(interface id, public key) of all that is not as it should be, removed devices included."""
        return self.keys | self.freed.keys()

    def set_interface(self, interface_id: int, name: str, error: str, keys: frozenset[str]) -> None:
        """What is known of one interface now; an empty error and no keys mean that it agrees."""
        errors = {**self.errors}
        if error:
            errors[interface_id] = error
        else:
            errors.pop(interface_id, None)
        self.errors = errors
        self.names = {**self.names, interface_id: name}
        if not error:
            self.freed = {pair: ips for pair, ips in self.freed.items() if pair[0] != interface_id}
        self.keys = frozenset(pair for pair in self.keys if pair[0] != interface_id) | {
            (interface_id, key) for key in keys
        }

    def free(self, interface_id: int, key: str, ips: frozenset[IPNetwork]) -> None:
        """Hold the addresses of a removed device until both layers were read back without them."""
        self.freed = {**self.freed, (interface_id, key): ips}

    def held(self, interface_id: int) -> frozenset[IPNetwork]:
        """The addresses on an interface that cannot be given out yet."""
        return frozenset(ip for pair, ips in self.freed.items() if pair[0] == interface_id for ip in ips)

    def forget(self, interface_id: int) -> None:
        """Forget a removed interface."""
        self.traffic = {
            name: one for name, one in self.traffic.items() if name != self.names.get(interface_id)
        }
        self.set_interface(interface_id, "", "", frozenset())

    def waiting(self) -> list[str]:
        """One sentence for each interface that does not agree, and for what could not be recorded."""
        return self.unrecorded + [
            f"{self.names[interface_id]}: {error}" for interface_id, error in self.errors.items()
        ]
