"""Each interface by what carries it: new ones by the kernel, those that a userspace process carries by that."""

from collections.abc import Sequence

from jitd.enforce.kernel import KernelWireGuard
from jitd.enforce.port import Change, Known, LinkSpec, LinkState, Place, WireGuard
from jitd.enforce.userspace import UserspaceWireGuard


class EitherWireGuard:
    """The kernel's WireGuard, on a machine where somebody may have started a userspace one before."""

    def __init__(self, kernel: KernelWireGuard, userspace: UserspaceWireGuard) -> None:
        self._kernel = kernel
        self._userspace = userspace

    @property
    def name(self) -> str:
        """`kernel`: what carries every interface that jitd makes."""
        return self._kernel.name

    def know(self, known: Known) -> None:
        """As the port says."""
        self._kernel.know(known)
        self._userspace.know(known)

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says."""
        return self._of(spec.name).ensure_link(spec)

    def remove_link(self, name: str) -> None:
        """As the port says."""
        self._of(name).remove_link(name)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        return self._of(name).read(name)

    def locate(self, name: str) -> Place | None:
        """As the port says."""
        return self._of(name).locate(name)

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """As the port says."""
        self._of(name).apply(name, changes)

    def close(self) -> None:
        """As the port says."""
        self._kernel.close()
        self._userspace.close()

    def _of(self, name: str) -> WireGuard:
        return self._userspace if self._userspace.carries(name) else self._kernel
