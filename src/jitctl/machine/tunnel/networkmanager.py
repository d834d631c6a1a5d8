"""Tunnels by NetworkManager, over D-Bus: without root where polkit lets the user, and the key in no file.

NetworkManager gets a profile that it keeps in memory, without a key (flag: not saved), and asks this program for the key
while it brings the tunnel up. The profile is its user's alone, and goes with the tunnel.
"""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final

from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return

from jitctl.machine import profiles
from jitctl.machine import tunnel as tunnels
from jitctl.machine.tunnel import nmprofile
from jitctl.machine.tunnel.systembus import Peer, Refused, Slow, Unreachable
from jitctl.machine.tunnel.wanted import Tunnel
from jitctl.render.output import clean
from jitd.core.errors import JitError

_NAME: Final = "org.freedesktop.NetworkManager"
_PATH: Final = "/org/freedesktop/NetworkManager"
_SETTINGS: Final = f"{_NAME}.Settings"
_SETTINGS_PATH: Final = f"{_PATH}/Settings"
_PROFILE: Final = f"{_NAME}.Settings.Connection"
_ACTIVE: Final = f"{_NAME}.Connection.Active"
_DEVICE: Final = f"{_NAME}.Device"
_AGENT: Final = f"{_NAME}.SecretAgent"
#: Of NMSettingsAddConnection2Flags: in memory, and nothing is brought up by it.
_IN_MEMORY: Final = 0x2 | 0x20
#: Of NMSettingsUpdate2Flags: in memory alone, and gone with the tunnel.
_VOLATILE: Final = 0x8 | 0x10 | 0x20
#: Of NMActivationStateFlags: somebody else's interface, that NetworkManager only looks at.
_EXTERNAL: Final = 0x80
#: Of NMActiveConnectionState, and of NMDeviceState.
_ACTIVATED, _DEACTIVATED = 2, 4
_FAILED: Final = 120
#: Seconds for an answer; one that may wait for a password on the screen; a tunnel that comes or goes.
_ANSWER, _PASSWORD, _CHANGE = 20.0, 180.0, 60.0


class NetworkManager:
    """Brings tunnels up and down with NetworkManager."""

    name = "networkmanager"

    def is_as(self, tunnel: Tunnel) -> bool:
        """Whether the tunnel is up, and was brought up as it has to be."""
        if not tunnels.is_up(tunnel.name):
            return False
        try:
            with Peer(_NAME) as bus:
                return _is_as(bus, tunnel)
        except (Unreachable, Refused, Slow):
            return False

    def up(self, tunnel: Tunnel, private_key: str) -> list[str]:
        """Bring it up; none of its name is up. Returns what was left out, in words.

        Raises JitError bad_request or not_permitted: nothing is half up then.
        """
        with _told(f"bring up {tunnel.name}"), Peer(_NAME) as bus:
            _forget(bus, tunnel.name)
            (profile,) = bus.call(
                *(_SETTINGS_PATH, _SETTINGS, "AddConnection2", "a{sa{sv}}ua{sv}"),
                *(nmprofile.settings(tunnel), _IN_MEMORY, {}),
                seconds=_PASSWORD,
            )[:1]
            try:
                _Activation(bus, profile, private_key).run()
                bus.call(profile, _PROFILE, "Update2", "a{sa{sv}}ua{sv}", {}, _VOLATILE, {}, seconds=_ANSWER)
            except BaseException:
                with contextlib.suppress(Unreachable, Refused, Slow):
                    bus.call(profile, _PROFILE, "Delete", seconds=_ANSWER)
                raise
        return nmprofile.left_out(tunnel)

    def down(self, name: str) -> bool:
        """Take it down. Returns False when NetworkManager did not bring it up. Raises JitError as `up`."""
        with _told(f"take down {name}"):
            try:
                bus = Peer(_NAME)
            except Unreachable:
                return False
            with bus:
                return _down(bus, name)


def runs() -> bool:
    """Whether NetworkManager runs on this machine."""
    try:
        Peer(_NAME).close()
    except Unreachable:
        return False
    return True


def _is_as(bus: Peer, tunnel: Tunnel) -> bool:
    held = _held(bus, tunnel.name)
    if held is None:
        return False
    device, active = held
    profile = bus.property(active, _ACTIVE, "Connection", seconds=_ANSWER)
    (settings,) = bus.call(profile, _PROFILE, "GetSettings", seconds=_ANSWER)
    return (
        bus.property(active, _ACTIVE, "State", seconds=_ANSWER) == _ACTIVATED
        and bus.property(device, f"{_DEVICE}.WireGuard", "PublicKey", seconds=_ANSWER)
        == base64.b64decode(tunnel.public_key)
        and nmprofile.is_as(tunnel, settings)
    )


def _down(bus: Peer, name: str) -> bool:
    held = _held(bus, name)
    if held is not None:
        bus.call(_PATH, _NAME, "DeactivateConnection", "o", held[1], seconds=_PASSWORD)
        end = time.monotonic() + _CHANGE
        while tunnels.is_up(name):
            if time.monotonic() > end:
                raise Slow
            time.sleep(0.05)
    _forget(bus, name)
    return held is not None


def _held(bus: Peer, name: str) -> tuple[str, str] | None:
    """(device, active connection) of an interface that NetworkManager has brought up."""
    try:
        (device,) = bus.call(_PATH, _NAME, "GetDeviceByIpIface", "s", name, seconds=_ANSWER)
        active = bus.property(device, _DEVICE, "ActiveConnection", seconds=_ANSWER)
        if active == "/" or bus.property(active, _ACTIVE, "StateFlags", seconds=_ANSWER) & _EXTERNAL:
            return None
    except Refused:  # there is no such device, or it has gone since
        return None
    return device, active


def _forget(bus: Peer, name: str) -> None:
    """Take away what was left of a profile of ours."""
    try:
        (profile,) = bus.call(
            _SETTINGS_PATH, _SETTINGS, "GetConnectionByUuid", "s", nmprofile.identity(name), seconds=_ANSWER
        )
    except Refused:
        return
    bus.call(profile, _PROFILE, "Delete", seconds=_PASSWORD)


class _Activation:
    """Brings a profile up: gives NetworkManager the key when it asks, and hears what becomes of it."""

    def __init__(self, bus: Peer, profile: str, private_key: str) -> None:
        self._bus = bus
        self._profile = profile
        self._private_key = private_key
        self._states: dict[str, int] = {}
        self._failed = 0  # NMDeviceStateReason

    def run(self) -> None:
        """Return when it is up. Raises Refused when it does not come up, and as a call does."""
        self._bus.takes = self._take
        self._bus.hear(_ACTIVE, "StateChanged")
        self._bus.hear(_DEVICE, "StateChanged")
        agent = f"jitctl.{os.getpid()}"
        self._bus.call(
            f"{_PATH}/AgentManager", f"{_NAME}.AgentManager", "Register", "s", agent, seconds=_ANSWER
        )
        (active,) = self._bus.call(
            _PATH, _NAME, "ActivateConnection", "ooo", self._profile, "/", "/", seconds=_PASSWORD
        )
        self._bus.wait(lambda: self._states.get(active) in (_ACTIVATED, _DEACTIVATED), seconds=_CHANGE)
        if self._states[active] == _DEACTIVATED:
            raise Refused(f"{_DEVICE}.Failed", f"it did not come up (reason {self._failed})")

    def _take(self, message: Message) -> Message | None:
        fields = message.header.fields
        path, interface = fields.get(HeaderFields.path, ""), fields.get(HeaderFields.interface)
        member = fields.get(HeaderFields.member)
        if message.header.message_type is MessageType.signal and member == "StateChanged":
            if interface == _ACTIVE:
                self._states[path] = message.body[0]
            elif interface == _DEVICE and message.body[0] == _FAILED:
                self._failed = message.body[2]
        elif interface == _AGENT and member == "GetSecrets":
            # A user's agent is asked for all that the user has: somebody else has the others' secrets.
            if message.body[1:3] != (self._profile, "wireguard"):
                return new_error(message, f"{_AGENT}.NoSecrets")
            secrets = {"wireguard": {"private-key": ("s", self._private_key)}}
            return new_method_return(message, "a{sa{sv}}", (secrets,))
        elif interface == _AGENT:
            return new_method_return(message)
        return None


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of NetworkManager's in words, with what to do."""
    quick = f'tunnel = "wg-quick" into {profiles.path()}'
    try:
        yield
    except Unreachable as error:
        raise JitError(
            "bad_request",
            f"cannot {what}: NetworkManager does not run: {clean(str(error))}",
            f"systemctl start NetworkManager, or write {quick}, which asks for root.",
        ) from error
    except Slow as error:
        raise JitError(
            "bad_request",
            f"cannot {what}: NetworkManager did not do it in time",
            "What it says: journalctl -u NetworkManager",
        ) from error
    except Refused as error:
        why = clean(str(error) or error.name)[:200]
        if error.name.endswith((".PermissionDenied", ".AccessDenied")):
            raise JitError(
                "not_permitted",
                f"cannot {what}: NetworkManager does not let you: {why}",
                f"Type it on this machine's own screen, or write {quick}, which asks for root.",
            ) from error
        if error.name == f"{_DEVICE}.CreationFailed":
            raise JitError(
                "bad_request",
                f"cannot {what}: NetworkManager cannot make the interface: {why}",
                "Where the kernel has no WireGuard (modprobe wireguard fails), NetworkManager has none either: write"
                f" {quick}, and install wireguard-go.",
            ) from error
        raise JitError(
            "bad_request",
            f"cannot {what}: NetworkManager says: {why}",
            "More of it: journalctl -u NetworkManager",
        ) from error
