"""WireGuard in a process of its own (wireguard-go, or any with the same socket), on a tun device."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jitd.enforce import links, uapi, wireguardgo
from jitd.enforce.links import Link
from jitd.enforce.port import (
    Change,
    EnforceError,
    InterfaceGone,
    Known,
    LinkSpec,
    LinkState,
    NoAnswer,
    OutOfSight,
    Place,
    closes,
)
from jitd.enforce.recognise import Recogniser

SOCKETS: Final = Path("/var/run/wireguard")
KIND: Final = "tun"
DEAF: Final = 0.2  # seconds in which one that is up opens its port
LIMIT: Final = 5.0  # seconds for one exchange, and for a process to come or go


class UserspaceWireGuard:
    """Interfaces that a userspace process carries, known by its socket below /var/run/wireguard."""

    name: Final = "userspace"

    def __init__(self, program: str) -> None:
        self._program = program
        self._recogniser = Recogniser(kind=KIND, is_it=_has_its_address, by_index=True)

    def know(self, known: Known) -> None:
        """As the port says."""
        self._recogniser.know(known)

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says. A process for the interface is started if there is none, and outlives this one."""
        link = self._recogniser.find(spec.name)
        if link is not None:
            try:
                self._configure(spec)
            except InterfaceGone:
                # Its process has just died, and the kernel takes the interface away a moment later.
                if not _until_gone(link):
                    raise
            else:
                return False
        self._make(spec.name)
        try:
            self._configure(spec)
        except EnforceError:
            # Half an interface would be taken for a whole one the next time.
            self.remove_link(spec.name)
            raise
        return True

    def remove_link(self, name: str) -> None:
        """As the port says; its process ends by itself. Raises EnforceError when it is no WireGuard interface."""
        link = self._recogniser.find(name)
        if link is None and self._is_out_of_sight(name):
            raise _out_of_sight(name)
        if link is not None:
            if link.kind != KIND:
                raise _other(link, name)
            if _answers(name):
                links.remove(link)
                _until_silent(name, LIMIT)
            elif not (_path(name).exists() and _until_gone(link)):
                # Without that socket it was never ours; with it, its process has just died and takes it along.
                raise _other(link, name)
        if not _answers(name):
            # What a killed process left behind.
            _path(name).unlink(missing_ok=True)
        self._recogniser.forget(name)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        link = self._there(name)
        return link.state(uapi.device(_exchange(name, uapi.GET)))

    def locate(self, name: str) -> Place | None:
        """As the port says."""
        link = self._recogniser.find(name)
        if link is None:
            return None
        if link.kind != KIND:
            raise _other(link, name)
        return link.place if _answers(name) else None

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """As the port says: one operation, whatever the number of changes."""
        if not (all(map(closes, changes)) and self._is_out_of_sight(name)):
            self._there(name)
        if changes:
            uapi.check(_exchange(name, uapi.set_peers(changes)))

    def close(self) -> None:
        """Nothing is held between two calls."""

    def carries(self, name: str) -> bool:
        """Whether a userspace process answers for this name that carries the interface of ours."""
        if not _answers(name):
            return False
        link = self._recogniser.find(name)
        return self._is_out_of_sight(name) if link is None else link.kind == KIND

    def _there(self, name: str) -> Link:
        link = self._recogniser.find(name)
        if link is None:
            # A process whose interface has just been removed needs a moment to end.
            if _until_silent(name, 1):
                raise InterfaceGone(f"there is no interface {name}")
            if self._is_out_of_sight(name):
                raise _out_of_sight(name)
            raise _elsewhere(name)
        if link.kind != KIND:
            raise _other(link, name)
        if not _answers(name):
            if _path(name).exists():
                raise InterfaceGone(f"the process of {name} has ended")
            raise _other(link, name)
        return link

    def _is_out_of_sight(self, name: str) -> bool:
        """Whether the process that answers for this name has our key, and no interface here is known to be its own."""
        known = self._recogniser.known(name)
        if known is None or self._recogniser.find(name) is not None or not _answers(name):
            return False
        return uapi.device(_exchange(name, uapi.GET)).public_key == known.public_key

    def _make(self, name: str) -> None:
        if not _until_silent(name, 1):
            raise _elsewhere(name)
        wireguardgo.start(self._program, name)
        deadline = time.monotonic() + LIMIT
        while not (_answers(name) and links.find(name)):
            if time.monotonic() > deadline:
                raise EnforceError(
                    f"{self._program} was started, and there is no interface {name} after {LIMIT:.0f} s"
                )
            time.sleep(0.01)
        # wireguard-go's first process opens the socket; the second sets the MTU to its default, and answers after
        # that. Whoever does not wait for an answer has their own MTU overwritten.
        uapi.check(_exchange(name, uapi.GET))

    def _configure(self, spec: LinkSpec) -> None:
        link = self._there(spec.name)
        links.configure(link, spec.addresses, spec.mtu)
        # wireguard-go notices a moment later that it is up, and takes any port then. A port that is in use is an
        # error only if it is asked for after that. One that was up before and has no port was refused one, has closed
        # its sockets, and opens them when it is given another.
        deadline = time.monotonic() + (DEAF if link.up else LIMIT)
        while not (device := uapi.device(_exchange(spec.name, uapi.GET))).port:
            if time.monotonic() > deadline:
                if link.up:
                    break
                raise EnforceError(f"{spec.name} was brought up, and listens on no port after {LIMIT:.0f} s")
            time.sleep(0.01)
        # Only what differs is set: to set the port again opens its sockets again.
        private_key = spec.private_key if device.private_key != spec.private_key else None
        port = spec.port if device.port != spec.port else None
        if private_key is None and port is None:
            return
        try:
            uapi.check(_exchange(spec.name, uapi.set_device(private_key=private_key, port=port)))
        except EnforceError as error:
            raise EnforceError(f"{spec.name} cannot listen on UDP port {spec.port}: {error}") from error


def _path(name: str) -> Path:
    return SOCKETS / f"{name}.sock"


def _has_its_address(link: Link, known: Known) -> bool:
    """A tun device does not say which process carries it, and the process does not say how it is called by now."""
    return any(address.ip in pool for address in link.addresses for pool in known.pools)


def _other(link: Link, name: str) -> EnforceError:
    if link.kind == "wireguard":
        return EnforceError(f'{link.name} is an interface of the kernel: set backend = "kernel" (or "auto")')
    kind = f"a {link.kind} device" if link.kind else "a network card"
    return EnforceError(
        f"there is an interface {link.name} that is not a WireGuard interface"
        f" (it is {kind}, and nobody answers on {_path(name)})"
    )


def _out_of_sight(name: str) -> OutOfSight:
    return OutOfSight(
        f"{name} cannot be found (it may be in another network namespace, or have another name and other "
        "addresses), but its process runs"
    )


def _elsewhere(name: str) -> EnforceError:
    return EnforceError(
        f"a userspace WireGuard for {name} runs in another network namespace of this machine: use another name"
    )


def _answers(name: str) -> bool:
    """Whether somebody listens on the socket. Raises EnforceError when it may not be asked."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(LIMIT)
        try:
            line.connect(str(_path(name)))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError as error:
            raise EnforceError(f"{_path(name)}: {error.strerror or error}") from error
    return True


def _until_silent(name: str, seconds: float) -> bool:
    """Wait until nobody listens on the socket; False when somebody still does after so many seconds."""
    deadline = time.monotonic() + seconds
    while _answers(name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _until_gone(link: Link) -> bool:
    """Wait until this interface is gone; False when it is still there after LIMIT."""
    deadline = time.monotonic() + LIMIT
    while links.at(link.index) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _exchange(name: str, operation: bytes) -> bytes:
    """Send one operation and return the whole reply. Raises InterfaceGone or EnforceError."""
    deadline = time.monotonic() + LIMIT
    reply = bytearray()
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.settimeout(LIMIT)
            line.connect(str(_path(name)))
            line.sendall(operation)
            while not reply.endswith(uapi.END):
                # 0 would mean without blocking, which is another error than having waited too long.
                line.settimeout(max(deadline - time.monotonic(), 0.001))
                part = line.recv(1 << 20)
                if not part:
                    break
                reply += part
        except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as error:
            raise InterfaceGone(f"the process of {name} has ended") from error
        except (TimeoutError, BlockingIOError) as error:
            # Blocking: so many wait already that no more may.
            raise NoAnswer(f"the process of {name} did not answer within {LIMIT:.0f} s") from error
        except OSError as error:
            raise EnforceError(f"{_path(name)}: {error.strerror or error}") from error
    if not reply:
        raise InterfaceGone(f"the process of {name} has ended")
    return bytes(reply)
