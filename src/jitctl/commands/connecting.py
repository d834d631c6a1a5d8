"""connect and disconnect: access and the tunnel of this machine, together."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.cli.shared import (
    Again,
    OnlyNetwork,
    RequestDuration,
    RequestReason,
    Timeout,
    Until,
    answer,
    ask,
    device_profile,
    duration_ms,
    interactive,
    usage,
    wish,
)
from jitctl.cli.waiting import Waiting, became
from jitctl.desktop import background
from jitctl.machine import keypair, keystore, profiles, tunnel
from jitctl.machine.profiles import Profile
from jitctl.machine.tunnel import wanted
from jitctl.machine.tunnel.manager import manager, take_down
from jitctl.machine.tunnel.names import name_of
from jitctl.render import progress, sentences, times
from jitctl.render.line import Line
from jitctl.render.output import clean, next_step, out, say
from jitd.core.commandline import command
from jitd.core.errors import EXIT_FAILURE, EXIT_INTERRUPTED, JitError
from jitd.core.text import meant
from jitd.core.wireguard import REJECT_AFTER_MS

if TYPE_CHECKING:
    from jitctl.machine.tunnel.wanted import Tunnel
    from jitd import wire

#: Seconds within which the gateway has to hear from this machine: WireGuard tries again every 5 s, and gives a session up
#: that nobody answers in after 15 s, as after a reboot of the gateway.
_PATIENCE: Final = 22.0
#: Seconds between two questions whether it has; through ssh they share a login.
_LOOK: Final = 0.5


def connect(
    context: typer.Context,
    network: OnlyNetwork = None,
    reason: RequestReason = None,
    duration: RequestDuration = None,
    until: Until = None,
    again: Again = False,
    timeout: Timeout = None,
) -> int:
    """Get access to a network and bring up the tunnel of this machine.

    Does only the steps that are missing. It requests access and waits for the decision, resumes paused
    access, brings up the tunnel and checks that the gateway receives its handshake. NetworkManager brings the
    tunnel up where it runs; otherwise wg-quick does, through sudo. Run jitctl setup first.

    Example: jitctl connect office --reason "ticket 42" --duration 2h
    """
    wish_ = wish(duration, until)
    patience_ms = duration_ms(timeout)
    if reason is not None and again:
        raise usage("cannot use --again together with --reason", "Use only one of them.")
    profile = device_profile(context, "connect")
    key = keystore.find(profile.name, profile.device)
    if key is None:
        raise JitError(
            "not_found",
            f"cannot connect: the private key of {profile.device} {keystore.missing()}",
            keystore.advice(f"Make one: {command('setup', profile.host, name=profile.name)}"),
        )
    if keystore.find_next(profile.name, profile.device) is not None:
        raise JitError(
            "conflict",
            f"cannot connect: a rotation of the key of {profile.device} was interrupted, and only the "
            "gateway knows which of the two keys is registered",
            f"Finish it: {command('device rotate', profile=profile.name)}",
        )
    by = manager(profile.tunnel)
    client = settings(context).client()
    access = _Access(context, client, client.status(), network)
    if not access.is_open:
        status = access.open(
            lambda: {"reason": _why(reason, again=again), **wish_, "again": again or None}, patience_ms
        )
        if status is not None:
            return status
    if profile.device not in access.devices:
        raise JitError(
            "refused",
            f"cannot connect: {access.network} is open for {', '.join(access.devices)}, and not for {profile.device},"
            " which was registered after the grant",
            f"Request it again: {command('release', clean(access.network))} && "
            f"{command('connect', clean(access.network))}",
        )
    file = client.device_config(name=profile.device, interface=access.interface)["config"]
    wish_for = wanted.read(
        file,
        name=name_of(profile.name, access.interface),
        public_key=keypair.public_key(key),
    )
    _remember(profile, access.interface)
    since_ms = access.now - REJECT_AFTER_MS
    if not by.is_as(wish_for):
        if tunnel.is_up(wish_for.name):
            take_down(wish_for.name)
        for left_out in by.up(wish_for, key):
            say(f"warning: {left_out}")
        progress.changed = True
        # What was heard before was another tunnel.
        since_ms = access.now
    heard_ms = _heard(client, access.network, profile.device, wish_for, since_ms)
    background.begin(profile)
    return _connected(context, profile, access, wish_for, heard_ms)


class _Access:
    """Access to the network that is meant."""

    def __init__(
        self, context: typer.Context, client: Client, reply: wire.StatusReply, network: str | None
    ) -> None:
        self._context = context
        self._client = client
        self.user = reply["user"]
        self.now = reply["now"]
        self._status = _meant(reply, network, "connect")
        self.network = self._status["network"]
        self.interface = self._status["interface"]
        self.devices = self._status["devices"]
        self.id = self._status["id"]
        self.ends = self._status["ends"]

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to do. Raises JitError where nothing can be done."""
        state, frozen = self._status["state"], self._status["frozen"]
        if state == "closed":
            raise JitError("refused", f"cannot connect to {self.network}: {self._status['error']}")
        if frozen and state in ("active", "standing"):
            raise JitError(
                "refused",
                f"cannot connect to {self.network}: an administrator has frozen all access",
                "Access is open again after an administrator runs jitctl thaw.",
            )
        return state == "standing" or (state == "active" and not self._status["paused"])

    def open(self, asks: Any, limit_ms: int | None) -> int | None:
        """Have it opened. Returns None when it is, else the exit status of what became of it, which is told."""
        match self._status["state"]:
            case "active":
                reply = self._client.resume(id=self.id)
                if not reply["agrees"]:
                    return answer(self._context, reply, lambda: out(sentences.done(reply)))
                return None
            case "scheduled":
                starts = times.local(self._status["starts"] or self.now, self.now)
                raise JitError(
                    "pending",
                    f"cannot connect yet: {self.network} opens at {starts}",
                    f"jitctl show {self.id}",
                )
            case "pending":
                return self._wait(self.id or 0, limit_ms, None)
            case _:
                reply = self._client.request(network=self.network, **asks())
                made = reply["request"]
                assert made is not None
                self._took(made, reply["now"])
                if made["status"] == "active" and reply["agrees"]:
                    return None
                return self._wait(
                    made["id"], limit_ms, [sentences.outcome(made, reply["now"]), clean(reply["note"])]
                )

    def _wait(self, number: int, limit_ms: int | None, asked: list[str] | None) -> int | None:
        waiting = Waiting(self._client, number, limit_ms)
        if not waiting.wait(asked):
            return EXIT_INTERRUPTED
        if waiting.request["status"] == "active" and waiting.agrees and not waiting.request["marks"]:
            self._took(waiting.request, waiting.now)
            return None
        return became(self._context, waiting)

    def _took(self, request: wire.RequestView, now: int) -> None:
        self.id, self.ends, self.devices, self.now = request["id"], request["ends"], request["devices"], now


def disconnect(
    context: typer.Context,
    network: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="The network (default: all networks).")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Release the grant instead of pausing it.")
    ] = False,
) -> int:
    """Pause access and take down the tunnel of this machine.

    The granted time keeps running, and jitctl connect resumes access until it is over. With --release the
    grant ends at once. A tunnel that carries another open network stays up, unless no network is named.

    Example: jitctl disconnect office
    """
    profile = device_profile(context, "disconnect")
    client = settings(context).client()
    try:
        reply = client.status()
    except JitError as error:
        # Whatever keeps it from being asked: the tunnel is this machine's own.
        down = _take_down(profile, profile.interfaces)
        gone = f"{', '.join(down)} is down; " if down else ""
        raise JitError(
            error.code,
            f"{error.message} ({gone}the grant keeps running there)",
            error.hint,
        ) from error
    named = None if network is None else _meant(reply, network, "disconnect")
    ended = [
        client.release(id=one["id"]) if release else client.pause(id=one["id"])
        for one in ([named] if named is not None else reply["networks"])
        if one["state"] == "active" and (release or not one["paused"])
    ]
    used = [] if named is None else _others(reply, named)
    interfaces = profile.interfaces if named is None else () if used else (named["interface"],)
    down = _take_down(profile, interfaces)

    def tell() -> None:
        for one in ended:
            out(sentences.done(one))
        for name in down:
            out(f"tunnel {name} is down")
        if named is not None and used and tunnel.is_up(name_of(profile.name, named["interface"])):
            out(clean(f"the tunnel stays up: {', '.join(used)} is open through it"))
        if not ended and not down and not used:
            out("there was nothing to disconnect")
        if ended and not release:
            next_step("jitctl connect NETWORK as long as the grant lasts")

    waiting = [one["waiting"] for one in ended if not one["agrees"]]
    told = {
        "now": (ended[-1] if ended else reply)["now"],
        "agrees": not waiting,
        "waiting": waiting[-1] if waiting else "",
        "requests": [one["request"] for one in ended],
        "down": down,
    }
    return answer(context, told, tell)


def _meant(reply: wire.StatusReply, network: str | None, verb: str) -> wire.NetworkStatus:
    """The network of this name, the only one without a name. Raises JitError."""
    there = [one["network"] for one in reply["networks"]]
    found = [one for one in reply["networks"] if network in (None, one["network"])]
    if not found and network is not None:
        names = meant(network, there, f"There is: {', '.join(there)}." if there else "")
        raise JitError("not_found", f"cannot find the network {clean(network)[:40]!r}", clean(names))
    if not found:
        raise JitError("not_found", f"cannot {verb}: there is no network that you may request")
    if len(found) > 1:
        raise JitError(
            "bad_request",
            f"cannot tell which network you mean: {clean(', '.join(there))}",
            f"Name one: {command(verb, clean(there[0]))}",
        )
    return found[0]


def _why(reason: str | None, *, again: bool) -> str:
    if reason is None and not again and interactive():
        return ask("Why do you need access? ")
    return reason or ""


def _others(reply: wire.StatusReply, named: wire.NetworkStatus) -> list[str]:
    """What else is open through the same tunnel."""
    return [
        one["network"]
        for one in reply["networks"]
        if one is not named
        and one["interface"] == named["interface"]
        and (one["state"] == "standing" or (one["state"] == "active" and not one["paused"]))
    ]


def _take_down(profile: Profile, interfaces: tuple[str, ...]) -> list[str]:
    """Take the tunnels to these interfaces of the gateway down. Returns those that were up."""
    names = [name_of(profile.name, one) for one in interfaces]
    return [name for name in names if tunnel.is_up(name) and take_down(name)]


def _remember(profile: Profile, interface: str) -> None:
    """Write down that there is a tunnel to this interface, for whoever has to take it down without the gateway."""
    if interface not in profile.interfaces:
        known = profiles.read()
        profiles.write(known.with_(replace(profile, interfaces=(*profile.interfaces, interface))))


def _heard(client: Client, network: str, device: str, tunnel_: Tunnel, since_ms: int) -> int | None:
    """When the gateway last heard from this machine since a moment, milliseconds UTC; 0 when it does not within the time
    that this is waited for, None where it does not say.
    """
    line = Line()
    end = time.monotonic() + _PATIENCE
    try:
        while True:
            tunnel.knock(tunnel_)
            reply = client.doctor(network=network)
            known = reply["tunnel"]["devices"] if "tunnel" in reply else []
            seen = next((one.get("last_handshake") for one in known if one["name"] == device), None)
            if seen is None or seen >= since_ms:
                return seen
            left = end - time.monotonic()
            if left <= 0:
                return 0
            line.draw(f"{tunnel_.name} is up; waiting for the handshake with the gateway")
            time.sleep(min(_LOOK, left))
    finally:
        line.clear()


def _connected(
    context: typer.Context, profile: Profile, access: _Access, tunnel_: Tunnel, heard_ms: int | None
) -> int:
    told = {
        "now": access.now,
        "profile": profile.name,
        "network": access.network,
        "id": access.id,
        "ends": access.ends,
        "device": profile.device,
        "tunnel": {"interface": tunnel_.name, "up": True, "last_handshake": heard_ms},
    }

    def tell() -> None:
        if access.ends is None:
            out(clean(f"{access.network} is always open for {access.user}"))
        else:
            until = f"{times.local(access.ends, access.now)} ({times.left(access.ends - access.now)})"
            out(clean(f"{access.network} is open for {access.user} until {until}, grant {access.id}"))
        if heard_ms:
            out(f"tunnel {tunnel_.name} is up, and the gateway has a handshake with {clean(profile.device)}")
            next_step("jitctl status --watch", command("disconnect", access.network))

    status = answer(context, told, tell)
    if heard_ms is None:
        say(
            f"tunnel {tunnel_.name} is up; this gateway does not report handshakes of {clean(profile.device)}"
        )
    elif not heard_ms:
        say(
            f"tunnel {tunnel_.name} is up, but the gateway has not heard from {clean(profile.device)} in {_PATIENCE:.0f} s"
        )
        say(f"To find the problem: {command('doctor', access.network)}")
        return EXIT_FAILURE
    return status
