"""The simulated WireGuard on a machine where other programs and administrators are at work, too."""

import base64
from collections.abc import Iterable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jitd.core import parsing
from jitd.enforce.memory import DEFAULT_MTU, MemoryWireGuard
from jitd.enforce.port import EnforceError, LinkSpec, LinkState


class SharedWireGuard(MemoryWireGuard):
    """Simulated interfaces, of which some belong to other programs."""

    def __init__(self) -> None:
        super().__init__()
        self._others: set[str] = set()

    def add_foreign_link(self, name: str, *, addresses: Iterable[str], port: int) -> None:
        """Another program makes a WireGuard interface."""
        private = X25519PrivateKey.generate()
        self._links[name] = LinkState(
            name=name,
            index=self._next_index(),
            private_key=base64.b64encode(private.private_bytes_raw()).decode(),
            public_key=base64.b64encode(private.public_key().public_bytes_raw()).decode(),
            port=port,
            addresses=frozenset(parsing.interface_address(address) for address in addresses),
            mtu=DEFAULT_MTU,
            up=True,
            peers={},
        )

    def rename_link(self, name: str, called: str) -> None:
        """An administrator gives the interface that has this name now another one."""
        (known,) = (label for label, state in self._links.items() if state.name == name)
        self._links[known] = replace(self._links[known], name=called)

    def add_other_link(self, name: str) -> None:
        """Another program makes an interface that is no WireGuard one."""
        self._others.add(name)

    def remove_other_link(self, name: str) -> None:
        """The other program takes it away again."""
        self._others.discard(name)

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says."""
        self._refuse_other(spec.name)
        return super().ensure_link(spec)

    def remove_link(self, name: str) -> None:
        """As the port says."""
        self._refuse_other(name)
        super().remove_link(name)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        self._refuse_other(name)
        return super().read(name)

    def _refuse_other(self, name: str) -> None:
        if name in self._others:
            raise EnforceError(f"there is an interface {name} that is not a WireGuard interface")
