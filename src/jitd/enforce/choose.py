"""Which WireGuard this machine has."""

import shutil

from jitd.enforce.port import EnforceError, WireGuard


def choose(backend: str, wireguard_go: str) -> WireGuard:
    """The backend of the configuration; `auto` takes the kernel's WireGuard, else wireguard-go.

    `wireguard_go` is that program's name or path. Raises EnforceError that says what to install.
    """
    # Each backend's libraries are loaded only where it is used.
    if backend == "memory":
        from jitd.enforce.memory import MemoryWireGuard

        return MemoryWireGuard()
    from jitd.enforce import kernel

    if backend == "kernel" or (backend == "auto" and kernel.kernel_can()):
        if not kernel.kernel_can():
            raise EnforceError("the kernel has no WireGuard: use another kernel, or install wireguard-go")
        return kernel.KernelWireGuard()
    from jitd.enforce.userspace import UserspaceWireGuard

    program = shutil.which(wireguard_go)
    if program is None:
        why = "" if backend == "userspace" else "the kernel has no WireGuard, and "
        raise EnforceError(f"{why}there is no program {wireguard_go}: install the package wireguard-go")
    return UserspaceWireGuard(program)
