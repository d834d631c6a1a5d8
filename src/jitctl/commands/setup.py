"""setup: this machine as a device of a gateway."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.api import ssh
from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.cli.shared import usage
from jitctl.machine import keypair, keystore, profiles
from jitctl.render.output import clean, next_step, out, out_json
from jitd.core.commandline import command
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire


def setup(
    context: typer.Context,
    host: Annotated[
        str, typer.Argument(metavar="ssh://USER@HOST", help="The address of the gateway for ssh.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="The name of the gateway on this machine (default: its host name)."
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME",
            help="The name of this device on the gateway (default: the host name of this machine).",
        ),
    ] = None,
) -> int:
    """Register this machine as a device of a gateway. The key is made here; only its public half leaves this
    machine.

    Afterwards jitctl talks to that gateway without --host. Run it again with another address of the same
    gateway to use that address.

    Example: jitctl setup ssh://alice@gateway
    """
    ssh.login(host)  # a host that cannot be read is told before anything is made
    address = host if host.startswith("ssh://") else f"ssh://{host}"
    called = name or _name_of(address)
    if not profiles.is_name(called):
        raise usage(
            f"cannot use {clean(called)[:40]!r} as the name of a gateway",
            "Use up to 32 lower-case letters, digits, - and _: --name office",
        )
    known = profiles.read()
    before = known.known.get(called)
    client = Client(socket="", host=address)
    user = client.status()["user"]
    mine = device or (before.device if before else "") or _machine()
    registered = {one["name"]: one for one in client.device_list()["devices"]}
    if before is not None and before.host != address and mine not in registered:
        # Another address of the same gateway would know this machine.
        raise JitError(
            "conflict",
            f"cannot use the name {called}: it belongs to {clean(before.host)}, and this machine is not "
            f"registered on {clean(address)}",
            f"Choose another one: {command('setup', clean(host), name='NAME')}",
        )
    with keystore.locked():
        there, where = _registered(client, called, mine, registered.get(mine))
    kept = before or profiles.Profile(called, address)
    profiles.write(known.with_(replace(kept, host=address, device=mine)))
    _tell(context, called, address, user, there, where)
    return 0


def _registered(
    client: Client, called: str, mine: str, there: wire.DeviceView | None
) -> tuple[wire.DeviceView, str]:
    """(the device of this machine at the gateway, where its private key is). Made where there is none."""
    if there is None:
        # A key that is here all the same was perhaps given up with its device.
        private = keypair.private_key()
        where = keystore.keep(called, mine, private)
        return client.device_add(name=mine, public_key=keypair.public_key(private))["device"], where
    public = there["public_key"]
    # Where a rotation was interrupted there are two, and the gateway says which one counts.
    kept = keystore.matching(called, mine, lambda one: keypair.public_key(one) == public)
    if kept is None:
        raise _taken(mine)
    return there, keystore.settle(called, mine, kept)


def _tell(
    context: typer.Context, called: str, address: str, user: str, device: wire.DeviceView, where: str
) -> None:
    if settings(context).json:
        told = {"profile": called, "host": address, "user": user, "device": device, "key": where}
        out_json(told)
        return
    out(f"gateway   {called}: {clean(address)}, as {clean(user)}")
    out(f"device    {clean(device['name'])}, public key {clean(device['public_key'])}")
    out(f"key       {where}")
    next_step("jitctl status", 'jitctl connect NETWORK --reason "…"')


def _taken(device: str) -> JitError:
    return JitError(
        "conflict",
        f"cannot use the name {device}: a device with this name is registered, and its private key "
        f"{keystore.missing()}",
        keystore.advice(
            f"Choose another name with --device, or remove that device: {command('device remove', device)}"
        ),
    )


def _name_of(address: str) -> str:
    host = address.removeprefix("ssh://").rpartition("@")[2].partition(":")[0].partition(".")[0]
    return re.sub(r"[^a-z0-9_-]", "", host.lower())[:32] or "gateway"


def _machine() -> str:
    """The name of this machine, as a device may be called."""
    return (
        re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().partition(".")[0].lower()).strip("-")[:32]
        or "laptop"
    )
