"""Which WireGuard this machine has, and which firewall the configuration asks for."""

import shutil
from collections.abc import Callable
from pathlib import Path

from jitd.enforce.firewallport import Firewall
from jitd.enforce.hostport import EmptyHost, HostReader
from jitd.enforce.port import EnforceError, WireGuard


def choose(backend: str, wireguard_go: str) -> WireGuard:
    """The backend of the configuration; `auto` takes the kernel's WireGuard if it has one, else wireguard-go.

    `wireguard_go` is that program's name or path. To be called in a thread without a running event loop.
    Raises EnforceError that says what to install.
    """
    # Each backend's libraries are loaded only where it is used.
    if backend == "memory":
        from jitd.enforce.memory import MemoryWireGuard

        return MemoryWireGuard()
    if backend not in ("auto", "kernel", "userspace"):
        raise EnforceError(f"there is no backend {backend!r}: use auto, kernel, userspace or memory")

    from jitd.enforce.kernel import KernelWireGuard, kernel_can
    from jitd.enforce.userspace import UserspaceWireGuard

    program = shutil.which(wireguard_go)
    if backend == "userspace":
        if program is None:
            raise EnforceError(f"there is no program {wireguard_go}: install the package wireguard-go")
        return UserspaceWireGuard(program)
    if kernel_can():
        kernel = KernelWireGuard()
        if backend == "kernel":
            return kernel
        from jitd.enforce.either import EitherWireGuard

        return EitherWireGuard(kernel, UserspaceWireGuard(program or wireguard_go))
    if backend == "kernel":
        raise EnforceError(
            "this kernel has no WireGuard: boot one that has it (Linux 5.6 or later),"
            ' or install the package wireguard-go and set backend = "auto"'
        )
    if program is None:
        raise EnforceError(
            f"this kernel has no WireGuard, and there is no program {wireguard_go}: install the package wireguard-go"
        )
    return UserspaceWireGuard(program)


def choose_firewall(name: str, backend: str, *, closed: Path | None, boot_ms: Callable[[], int]) -> Firewall:
    """The second layer of the configuration: `nftables` or `none`; with the memory backend it is in memory, too.

    `closed` is where the file that closes the gateway at boot is kept, `boot_ms` the boot clock in milliseconds.
    Raises EnforceError when nftables is missing or not permitted.
    """
    if name == "none":
        from jitd.enforce.nofirewall import NoFirewall

        return NoFirewall()
    if backend == "memory":
        from jitd.enforce.memoryfirewall import MemoryFirewall

        return MemoryFirewall(boot_ms)
    from jitd.enforce.firewall import NftFirewall

    firewall = NftFirewall(closed)
    firewall.probe()
    return firewall


def forget_firewall(closed: Path) -> None:
    """Take away what an earlier start with `nftables` left: its table would go on to shut everybody out.

    `closed` is the file that would do so at the next boot. Raises EnforceError when the tables cannot be removed.
    """
    from jitd.enforce.firewall import NftFirewall

    closed.unlink(missing_ok=True)
    firewall = NftFirewall()
    try:
        firewall.remove_all()
    finally:
        firewall.close()


def choose_host(backend: str) -> HostReader:
    """What tells of this machine's addresses and ports, for the backend that was chosen."""
    if backend == "memory":
        return EmptyHost()
    from jitd.enforce.host import KernelHost

    return KernelHost()
