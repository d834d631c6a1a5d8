"""Devices: add, list, remove, import, config."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.api.client import given
from jitctl.cli.app import settings
from jitctl.cli.deviceoptions import Interface, Name, PublicKey, Qr, check_qr, given_key
from jitctl.cli.shared import User, Yes, answer, planned, show_plan, usage, warn
from jitctl.render import times
from jitctl.render.output import clean, document, next_step, out, say
from jitd.core.commandline import command

if TYPE_CHECKING:
    from jitd import wire

_FIELDS = 3


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the device, for example laptop.")],
    public_key: PublicKey = None,
    qr: Qr = False,
    interface: Interface = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="DATE", help="The date or time when the device is removed automatically."
        ),
    ] = None,
    user: User = None,
) -> int:
    """Register the public key of a device. The private key stays on the device.

    Example: wg genkey | tee private.key | wg pubkey | jitctl device add laptop --public-key -

    A phone that reads a QR code: jitctl device add phone --qr
    """
    check_qr(qr=qr, public_key=public_key, interface=interface)
    if qr:
        from jitctl.cli import phones

        return phones.add(context, name, interface, _end(until), user)
    if public_key is None:
        raise usage(
            "cannot add a device without its public key", "Add --public-key KEY; for a phone, add --qr."
        )
    public_key = given_key(public_key)
    reply = (
        settings(context).client().device_add(name=name, public_key=public_key, until=_end(until), user=user)
    )

    def tell() -> None:
        _line(reply["device"])
        warn(reply.get("warnings", ()))
        next_step(f"{command('device config', name)}  its wg-quick file")

    return answer(context, reply, tell)


def _end(until: str | None) -> int | None:
    """The last moment of a device, milliseconds UTC. Raises JitError bad_request."""
    if until is None:
        return None
    from jitctl.cli.moments import end_of

    return end_of(until)


def list_(
    context: typer.Context,
    user: User = None,
    everybody: Annotated[
        bool, typer.Option("--all", "-a", help="The devices of all users (administrators only).")
    ] = False,
) -> int:
    """List your devices.

    Example: jitctl device list
    """
    reply = settings(context).client().device_list(**given(user=user, all=everybody or None))

    def tell() -> None:
        if not reply["devices"]:
            out("no devices yet")
            next_step("wg genkey | tee private.key | wg pubkey | jitctl device add laptop --public-key -")
            return
        from jitctl.render.tables import Column, draw_each

        draw_each(
            reply["devices"],
            (Column("USER", least=6), lambda one: one["user"]),
            (Column("DEVICE", least=6), lambda one: one["name"]),
            (Column("ADDRESSES", least=15), _addresses),
            (Column("ADDED", spare=1), lambda one: times.ago(one["created"], reply["now"])),
            (Column("PUBLIC KEY", squeezed=True, least=10), lambda one: one["public_key"]),
        )
        next_step("jitctl device config NAME  the wg-quick file of a device")

    return answer(context, reply, tell)


def remove(
    context: typer.Context,
    name: Name = None,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost",
            help="The device was lost: block its key for ever without confirmation, and notify the "
            "administrators.",
        ),
    ] = False,
    user: User = None,
    yes: Yes = False,
) -> int:
    """Remove a device: it loses access at once.

    With --lost there is no confirmation, the key can never be registered again, and administrators are
    notified. It works from any machine, and can be repeated.

    Example: jitctl device remove laptop

    A laptop that was lost: jitctl device remove laptop --lost
    """
    client = settings(context).client()
    if lost:
        reply = client.device_remove(name=name, user=user, lost=True)
    else:
        question = f"Remove {name or 'the device'}?"
        reply = planned(client.device_remove, {"name": name, "user": user}, yes=yes, question=question)
    device = reply["device"]
    forgotten = user is None and _forgotten(context, device["name"])

    def tell() -> None:
        what = clean(device["name"])
        if not lost:
            out(f"device {what} is removed")
        elif reply.get("already"):
            out(
                f"device {what} was reported lost before: it has no access, and its key can never be "
                "registered again"
            )
        else:
            show_plan(reply["plan"])
            out(
                f"device {what} is reported lost: its access is cut, and its key can never be registered "
                "again"
            )
        if forgotten:
            say("its private key was removed from this machine, too")
        elif lost:
            say(
                "Other credentials on the device still work: if it had an ssh key, remove it from "
                "~/.ssh/authorized_keys on the gateway."
            )

    return answer(context, reply, tell)


def _forgotten(context: typer.Context, device: str) -> bool:
    """Forget the private key of a device that is no more, where this machine has it. Returns whether it had."""
    profile = settings(context).profile_meant()
    if profile is None:
        return False
    from jitctl.machine import keystore

    return keystore.drop(profile.name, device)


def import_(
    context: typer.Context,
    interface: Annotated[str, typer.Argument(metavar="INTERFACE", help="The adopted interface.")],
    mapping: Annotated[
        Path,
        typer.Option(
            "--map", metavar="FILE", help="A file with lines of PUBLIC_KEY USER DEVICE; # begins a comment."
        ),
    ],
) -> int:
    """Assign unmanaged peers to users, all or none. Nobody gains or loses access.

    Example: jitctl device import wg0 --map owners.txt
    """
    try:
        written = mapping.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise usage(f"cannot read {mapping}: it is not UTF-8", "Write it in UTF-8.") from error
    except OSError as error:
        raise usage(f"cannot read {mapping}: {error.strerror}", "") from error
    named = owners(written, str(mapping))
    reply = settings(context).client().device_import(interface=interface, devices=named)

    def tell() -> None:
        for one in reply["devices"]:
            _line(one)
        next_step(command("interface show", interface), command("interface enforce", interface, "on"))

    return answer(context, reply, tell)


def owners(written: str, where: str) -> list[wire.ImportLine]:
    """The peers that a map names, line by line. Raises JitError bad_request with the line; `where` is the file's name.

    A user's name may have blanks, a key and a device's name have none: what stands between those two is the user.
    """
    hint = "Write a line for each peer: PUBLIC_KEY USER DEVICE"
    found: list[wire.ImportLine] = []
    for number, line in enumerate(written.splitlines(), start=1):
        words = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].split()
        if not words:
            continue
        if len(words) < _FIELDS:
            raise usage(
                f"cannot read line {number} of {where}: it has {len(words)} words, not {_FIELDS}", hint
            )
        key, *user, name = words
        found.append({"public_key": key, "user": " ".join(user), "name": name})
    if not found:
        raise usage(f"cannot import from {where}: it has no lines", hint)
    return found


def config(
    context: typer.Context,
    name: Name = None,
    interface: Interface = None,
    user: User = None,
) -> int:
    """Print a wg-quick file for a device, without its private key. The file stays the same for all grants.

    Example: jitctl device config laptop > wg0.conf
    """
    from jitctl.machine.tunnel import wanted

    reply = settings(context).client().device_config(name=name, interface=interface, user=user)
    # Somebody gives it to root: it is written anew here, and what is no plain tunnel is refused.
    file = wanted.rewritten(reply["config"])

    def tell() -> None:
        document(file)
        if sys.stdout.isatty():
            say("insert the private key, protect the file (chmod 600), then: wg-quick up ./FILE.conf")

    return answer(context, {**reply, "config": file}, tell)


def _line(one: wire.DeviceView) -> None:
    out(clean(f"{one['user']}'s device {one['name']}: {_addresses(one) or 'no address yet'}"))


def _addresses(one: wire.DeviceView) -> str:
    return "; ".join(f"{interface} {', '.join(ips)}" for interface, ips in one["addresses"].items())
