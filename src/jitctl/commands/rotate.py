"""rotate: another key in the place of a device's, made on this machine or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from jitctl.cli.app import settings
from jitctl.cli.deviceoptions import Interface, Name, PublicKey, Qr, check_qr, given_key
from jitctl.cli.shared import User, answer, usage
from jitctl.render.output import clean, next_step, out, say
from jitd.core.commandline import command
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitctl.api.client import Client
    from jitctl.machine.profiles import Profile
    from jitctl.machine.tunnel.wanted import Tunnel
    from jitd import wire


def rotate(
    context: typer.Context,
    name: Name = None,
    public_key: PublicKey = None,
    qr: Qr = False,
    interface: Interface = None,
    user: User = None,
) -> int:
    """Replace the key of a device. The device keeps its name, addresses and access; the old key loses access
    at once.

    On a machine that was set up with jitctl setup, the new key is made and stored here; after an
    interruption, run it again to continue. For any other device, give the new public key.

    Example: jitctl device rotate

    A key made on another machine: wg genkey | tee private.key | wg pubkey | jitctl device rotate desk
    --public-key -

    A phone: jitctl device rotate phone --qr
    """
    check_qr(qr=qr, public_key=public_key, interface=interface)
    if qr:
        from jitctl.cli import phones

        return phones.rotate(context, name, interface, user)
    if public_key is not None:
        public_key = given_key(public_key)
        reply = settings(context).client().device_rotate(name=name, public_key=public_key, user=user)
        return _told(context, reply, {})
    if user is not None:
        raise usage(
            "cannot make a key for another user's device: the private key has to stay on that device",
            "On that device: wg genkey | tee private.key | wg pubkey. Then: "
            + command("device rotate", "NAME", user=user, public_key="KEY"),
        )
    return _here(context, name)


def _here(context: typer.Context, name: str | None) -> int:
    """Make the key on this machine. Whatever is interrupted, the one that the gateway has registered stays here."""
    from jitctl.machine import keypair, keystore

    profile = settings(context).profile_meant()
    device = name or (profile.device if profile is not None else "")
    if profile is None or not device:
        raise usage(
            "cannot make a key here: no gateway was set up on this machine",
            "Run jitctl setup ssh://you@gateway first. For another device, give its public key: --public-key "
            "KEY, or --qr for a phone.",
        )
    client = settings(context).client()
    with keystore.locked():
        before = _registered(client, device)
        old = keystore.matching(profile.name, device, lambda one: keypair.public_key(one) == before)
        if old is None:
            raise _elsewhere(profile, device, is_known=keystore.find(profile.name, device) is not None)
        private = keystore.find_next(profile.name, device)
        if private is None:
            private = keypair.private_key()
            keystore.keep_next(profile.name, device, private)
        public = keypair.public_key(private)
        mine = _Tunnels(profile, client, device, public)
        try:
            reply = _replace(client, device, public, before, mine, (old, private))
        except JitError as error:
            if error.code in ("refused", "conflict"):
                keystore.drop_next(profile.name, device)  # the gateway will not have it
            raise
        where = keystore.keep(profile.name, device, private)
    switched = mine.give(public, private)
    return _told(context, reply, {"profile": profile.name, "key": where, "tunnels": switched})


def _replace(
    client: Client, device: str, public_key: str, before: str, mine: _Tunnels, keys: tuple[str, str]
) -> wire.DeviceRotateReply:
    """Register the new key, from which moment on the old one passes nothing. `keys` are the private ones, old and new."""
    body = {"name": device, "public_key": public_key, "replaces": before}
    try:
        # Where a run before got so far, this changes nothing.
        return client.device_rotate(**body)
    except JitError as error:
        if error.code != "unreachable":
            raise
        again = error.adding(" The new key is stored beside the old one; run the command again to continue.")
        if not mine.up:
            raise again from error
        # The way to the gateway may lead through this very tunnel.
        say("jitctl: no answer; checking whether the gateway has the new key already")
        mine.give(public_key, keys[1])
        try:
            return client.device_rotate(**body)
        except JitError:
            mine.give(before, keys[0])
            raise again from error


class _Tunnels:
    """The tunnels of this machine to the gateway that are up, which pass nothing with a key that is not registered."""

    def __init__(self, profile: Profile, client: Client, device: str, public_key: str) -> None:
        """What they have to be is asked for before the key is replaced: afterwards there may be no way to the gateway."""
        from jitctl.machine import tunnel
        from jitctl.machine.tunnel import wanted
        from jitctl.machine.tunnel.names import name_of

        self._profile = profile
        self.up: list[Tunnel] = []
        for interface in profile.interfaces if device == profile.device else ():
            name = name_of(profile.name, interface)
            if tunnel.is_up(name):
                file = client.device_config(name=device, interface=interface)["config"]
                self.up.append(wanted.read(file, name=name, public_key=public_key))

    def give(self, public_key: str, private_key: str) -> list[str]:
        """Have them up with this key. Returns what they are called; what cannot be done is said."""
        if not self.up:
            return []
        from jitctl.machine.tunnel.manager import manager, take_down

        by, done = manager(self._profile.tunnel), []
        for one in (replace(one, public_key=public_key) for one in self.up):
            try:
                if not by.is_as(one):
                    take_down(one.name)
                    by.up(one, private_key)
            except JitError as error:
                say(f"warning: {clean(error.message)}")
                say(f"{one.name} passes no traffic with its old key; after the repair: jitctl connect")
            else:
                done.append(one.name)
        return done


def _elsewhere(profile: Profile, device: str, *, is_known: bool) -> JitError:
    """The registered key was not found; `is_known`: another one of that device was."""
    from jitctl.machine import keystore

    if is_known:
        return JitError(
            "conflict",
            f"cannot rotate the key of {device}: the registered one {keystore.missing()}",
            keystore.advice(
                "The registered key was changed on another machine. Remove the device: "
                f"{command('device remove', device)}; then set up this machine again:"
                f" {command('setup', profile.host, name=profile.name)}"
            ),
        )
    return usage(
        f"cannot make a key here: that of {clean(device)} {keystore.missing()}",
        keystore.advice(
            "On that device: wg genkey | tee private.key | wg pubkey | "
            f"{command('device rotate', clean(device), public_key='-')};"
            " for a phone add --qr"
        ),
    )


def _registered(client: Client, device: str) -> str:
    """The public key that the gateway knows a device by. Raises JitError not_found."""
    found = [one["public_key"] for one in client.device_list()["devices"] if one["name"] == device]
    if not found:
        raise JitError(
            "not_found",
            f"cannot rotate the key of {clean(device)}: you have no such device on the gateway",
            "Register this machine again: jitctl setup ssh://you@gateway",
        )
    return found[0]


def _told(context: typer.Context, reply: wire.DeviceRotateReply, more: Mapping[str, Any]) -> int:
    device, where = reply["device"], more.get("key")

    def tell() -> None:
        done = "has a new key" if where or not reply["already"] else "has that key already"
        out(clean(f"{device['user']}'s device {device['name']} {done}: {device['public_key']}"))
        if reply["already"] and where:
            out("key       the key of the interrupted run before")
        if where:
            out(f"key       {where}")
            for name in more["tunnels"]:
                out(f"tunnel    {name} is up with the new key")
        elif not reply["already"]:
            next_step(
                f"{command('device config', clean(device['name']))}  its wg-quick file, for the new private key"
            )
        if reply["preshared_key_dropped"]:
            say(
                "the preshared key of the old key is not valid any more: remove the PresharedKey line from "
                "the file"
            )

    return answer(context, {**reply, **more}, tell)
