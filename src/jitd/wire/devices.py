"""Devices."""

from typing import NotRequired, TypedDict

from jitd.wire.common import ChangeReply, Reply
from jitd.wire.plans import Plan


class DeviceView(TypedDict):
    """A device with its tunnel addresses, by interface name. `ends` is when it is removed by itself, or null.

    `last_handshake` is as it was read last, milliseconds UTC: at most 30 s ago. 0 is never.
    """

    user: str
    name: str
    public_key: str
    created: int
    ends: int | None
    addresses: dict[str, list[str]]
    last_handshake: int


class DeviceAddBody(TypedDict):
    """Register a public key, until `until` (milliseconds UTC) or for good; `user` only for administrators.

    With `config` the reply has the device's wg-quick file too, for `interface` if there are several, and nothing is
    registered where there is none. With `plan` nothing is registered at all, and the reply is what it would be.
    """

    name: str
    public_key: str
    until: NotRequired[int | None]
    user: NotRequired[str | None]
    config: NotRequired[bool]
    interface: NotRequired[str | None]
    plan: NotRequired[bool]


class DeviceRefBody(TypedDict):
    """A verb on one device; without `name` the only one of the user."""

    name: NotRequired[str | None]
    user: NotRequired[str | None]
    interface: NotRequired[str | None]
    plan: NotRequired[bool]
    confirm: NotRequired[str | None]


class DeviceRemoveBody(DeviceRefBody):
    """Remove a device. `lost`: it was lost, so that its key is never let in again, and administrators are told."""

    lost: NotRequired[bool]


class DeviceRotateBody(TypedDict):
    """Put another public key in the place of a device's; without `name` the only device of the user.

    `replaces` is the key that the caller takes for the registered one: where it is not, nothing is changed.
    """

    public_key: str
    replaces: NotRequired[str | None]
    name: NotRequired[str | None]
    user: NotRequired[str | None]


class DeviceQuery(TypedDict):
    """Whose devices; administrators may name a user or see all."""

    user: NotRequired[str]
    all: NotRequired[bool]


class ImportLine(TypedDict):
    """One unmanaged peer and whose it is."""

    public_key: str
    user: str
    name: str


class DeviceImportBody(TypedDict):
    """Name the owners of unmanaged peers, all or none."""

    interface: str
    devices: list[ImportLine]


class DeviceReply(ChangeReply):
    """The device after the verb. For a plan there is only what it would be, and `done` is false.

    `config` is there where it was asked for. `already`: it had been reported lost before, and nothing was changed.
    """

    device: NotRequired[DeviceView]
    plan: NotRequired[Plan]
    done: NotRequired[bool]
    warnings: NotRequired[list[str]]
    config: NotRequired[str]
    already: NotRequired[bool]


class DeviceRotateReply(ChangeReply):
    """The device with its new key. `already`: it had that before, and nothing was changed.

    `replaced` is the key that it had, "" for `already`. `preshared_key_dropped`: the old key came with a preshared key,
    which went with it.
    """

    device: DeviceView
    replaced: str
    preshared_key_dropped: bool
    already: bool


class DevicesReply(Reply):
    """Devices."""

    devices: list[DeviceView]


class DevicesChangeReply(ChangeReply):
    """Devices after an import."""

    devices: list[DeviceView]


class DeviceConfigReply(ChangeReply):
    """A wg-quick file with a place for the private key, which never leaves the user's machine."""

    device: str
    interface: str
    config: str
