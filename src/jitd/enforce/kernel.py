"""The kernel's own WireGuard, through netlink."""

import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic.wireguard import (
    WG_CMD_GET_DEVICE,
    WG_CMD_SET_DEVICE,
    WG_GENL_VERSION,
    AsyncWireGuard,
    wgmsg,
)

from jitd.enforce import links, wgmessages
from jitd.enforce.links import Link
from jitd.enforce.netlink import refusal, talk
from jitd.enforce.port import Change, Device, EnforceError, InterfaceGone, Known, LinkSpec, LinkState, Place
from jitd.enforce.recognise import Recogniser

KIND: Final = "wireguard"
DUMPS: Final = 5  # how often a read is begun again because somebody changed peers meanwhile


def kernel_can() -> bool:
    """Whether the kernel has WireGuard. Asking makes it load its module, and leaves nothing else behind.

    To be called in a thread without a running event loop. Raises EnforceError when the kernel cannot be asked.
    """

    async def ask() -> None:
        async with _socket():
            pass

    try:
        talk(ask())
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            return False
        raise EnforceError(f"the kernel cannot be asked for WireGuard: {refusal(error)}") from error
    return True


class KernelWireGuard:
    """Interfaces of the kind `wireguard` in this network namespace."""

    name: Final = "kernel"

    def __init__(self) -> None:
        self._recogniser = Recogniser(kind=KIND, is_it=self._has_its_key)

    def know(self, known: Known) -> None:
        """As the port says."""
        self._recogniser.know(known)

    def ensure_link(self, spec: LinkSpec) -> bool:
        """As the port says."""
        link = self._recogniser.find(spec.name)
        if link is None:
            links.make(spec.name, KIND)
            try:
                self._configure(spec)
            except EnforceError:
                # Half an interface would be taken for a whole one the next time.
                self.remove_link(spec.name)
                raise
            return True
        self._configure(spec)
        return False

    def remove_link(self, name: str) -> None:
        """As the port says. Raises EnforceError when it is no WireGuard interface."""
        link = self._recogniser.find(name)
        if link is not None:
            links.remove(_of_ours(link))
        self._recogniser.forget(name)

    def read(self, name: str) -> LinkState:
        """As the port says."""
        link = self._there(name)
        return link.state(self._device(link))

    def locate(self, name: str) -> Place | None:
        """As the port says."""
        link = self._recogniser.find(name)
        return None if link is None else _of_ours(link).place

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """As the port says."""
        link = self._there(name)
        for entries in wgmessages.messages(changes):
            self._set(link, [["WGDEVICE_A_PEERS", entries]])

    def close(self) -> None:
        """Nothing is held between two calls."""

    def _configure(self, spec: LinkSpec) -> None:
        link = self._there(spec.name)
        device = self._device(link)
        # Only what differs is set: to set the port again opens WireGuard's sockets again.
        attributes: list[list[Any]] = []
        if device.private_key != spec.private_key:
            attributes.append(["WGDEVICE_A_PRIVATE_KEY", spec.private_key])
        if device.port != spec.port:
            attributes.append(["WGDEVICE_A_LISTEN_PORT", spec.port])
        try:
            if attributes:
                self._set(link, attributes)
            links.configure(link, spec.addresses, spec.mtu)
        except EnforceError as error:
            # The sockets of an interface that was down are opened only when it is brought up.
            if isinstance(error.__cause__, NetlinkError) and error.__cause__.code == errno.EADDRINUSE:
                raise EnforceError(
                    f"{spec.name} cannot listen on UDP port {spec.port}: it is already in use"
                ) from error
            raise

    def _there(self, name: str) -> Link:
        link = self._recogniser.find(name)
        if link is None:
            raise InterfaceGone(f"there is no interface {name}")
        return _of_ours(link)

    def _has_its_key(self, link: Link, known: Known) -> bool:
        try:
            return self._device(link).public_key == known.public_key
        except InterfaceGone:
            return False

    def _device(self, link: Link) -> Device:
        async def ask() -> tuple[list[Any], bool]:
            message = _message(WG_CMD_GET_DEVICE, link)
            async with _socket() as wireguard:
                found = await wireguard.nlm_request(
                    message, msg_type=wireguard.prid, msg_flags=NLM_F_REQUEST | NLM_F_DUMP
                )
                dump = [one async for one in found]
            return dump, any(one["header"]["flags"] & NLM_F_DUMP_INTR for one in dump)

        try:
            for _ in range(DUMPS):
                dump, torn = talk(ask())
                if not torn:
                    return wgmessages.device(dump)
        except NetlinkError as error:
            raise _translated(link.name, error) from error
        raise EnforceError(f"{link.name} cannot be read: its peers kept changing")

    def _set(self, link: Link, attributes: list[list[Any]]) -> None:
        async def ask() -> None:
            message = _message(WG_CMD_SET_DEVICE, link)
            message["attrs"] += attributes
            async with _socket() as wireguard:
                answer = await wireguard.nlm_request(
                    message, msg_type=wireguard.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK
                )
                async for _ in answer:
                    pass

        try:
            talk(ask())
        except NetlinkError as error:
            raise _translated(link.name, error) from error


@asynccontextmanager
async def _socket() -> AsyncIterator[AsyncWireGuard]:
    """A socket that knows the number of WireGuard's netlink family. NetlinkError ENOENT: there is no such family."""
    async with AsyncWireGuard() as wireguard:
        wireguard.module_err_level = "debug"  # its caller says what is missing, and what to install
        await wireguard.setup_endpoint()
        yield wireguard


def _message(command: int, link: Link) -> Any:
    message = wgmsg()
    message["cmd"] = command
    message["version"] = WG_GENL_VERSION
    # Not by its name, which another interface may have by now.
    message["attrs"].append(["WGDEVICE_A_IFINDEX", link.index])
    return message


def _of_ours(link: Link) -> Link:
    if link.kind != KIND:
        kind = f" (it is a {link.kind} device)" if link.kind else ""
        raise EnforceError(
            f"there is an interface {link.name} that is not a WireGuard interface of the kernel{kind}"
        )
    return link


def _translated(name: str, error: NetlinkError) -> EnforceError:
    if error.code == errno.ENODEV:
        return InterfaceGone(f"there is no interface {name}")
    if error.code == errno.EOPNOTSUPP:
        return EnforceError(f"there is an interface {name} that is not a WireGuard interface of the kernel")
    return EnforceError(f"{name}: the kernel's WireGuard says: {refusal(error)}")
