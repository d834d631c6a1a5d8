"""The status in words: networks, what to type next, how the gateway is doing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from jitctl.render import times
from jitctl.render.output import clean
from jitctl.render.statuses import STATE
from jitd.core.commandline import command
from jitd.core.wireguard import REJECT_AFTER_MS

if TYPE_CHECKING:
    from jitd import wire

NOTHING: Final = "there is no network that you may request"
DECIDE: Final = ("jitctl review | jitctl list --decidable",)


class Laptop(Protocol):
    """A machine with tunnels of its own: `machine/laptop.py`."""

    def is_up(self, network: wire.NetworkStatus) -> bool:
        """Whether the tunnel to a network is there."""
        ...

    def heard_ms(self, reply: wire.StatusReply) -> int:
        """When the gateway heard from this machine, milliseconds UTC; 0 for never."""
        ...


class Row(NamedTuple):
    """A network: what it is called, (words, style) of its access and of this machine's tunnel to it, for which devices."""

    network: str
    access: tuple[str, str]
    devices: str
    tunnel: tuple[str, str]


def rows(reply: wire.StatusReply, now: int, laptop: Laptop | None = None) -> tuple[list[Row], list[str]]:
    """(the networks, what to type next)."""
    found: list[Row] = []
    steps: list[str] = []
    for network in reply["networks"]:
        text, style, step = _state(network, now)
        tunnel = ("", "")
        if laptop is not None:
            up = laptop.is_up(network)
            tunnel = _tunnel(up, laptop.heard_ms(reply), now)
            step = _connecting(network, up) or step
        found.append(Row(network["network"], (text, style), ", ".join(network["devices"]), tunnel))
        if step not in steps and step:
            steps.append(step)
    return found, steps


def warnings(reply: wire.StatusReply) -> Iterator[str]:
    """What the user has to know beside the table."""
    for error in sorted({network["error"] for network in reply["networks"] if network["error"]}):
        closed = all(one["state"] == "closed" for one in reply["networks"] if one["error"] == error)
        yield f"warning: {'' if closed else 'the gateway does not agree yet: '}{clean(error)}"
    # Administrators are told whom else that is true of.
    if reply.get("address") == "" and not reply["admin"]:
        yield (
            "warning: you are told nothing by mail, nobody knows your address (an administrator types"
            f" {command('user set', reply['user'])} --email …)"
        )
    if not reply["devices"] and not reply["admin"]:
        yield "you have no device yet: jitctl device add laptop --public-key KEY"


def gateway(found: wire.GatewayStatus, now: int) -> Iterator[str]:
    """How the gateway is doing, for administrators."""
    yield (
        f"gateway: jitd {clean(found['version'])}, {found['backend']} backend, firewall {found['firewall']},"
        f" running for {times.left(now - found['started'])}"
    )
    yield f"requests: {found['pending']} pending, {found['active']} granted and running"


def gateway_warnings(found: wire.GatewayStatus) -> Iterator[str]:
    """What is wrong with it."""
    for waiting in found["waiting"]:
        yield f"BROKEN: {clean(waiting)}"
    for warning in found["warnings"]:
        yield f"warning: {clean(warning)}"


def _state(network: wire.NetworkStatus, now: int) -> tuple[str, str, str]:
    """(words, style, what to type next) of a network."""
    name = network["network"]
    state: str = network["state"]  # of a newer jitd it may be another word
    more = f", {network['asked']} asks for more time" if network.get("asked") else ""
    show = f"jitctl show {network['id']}"
    if network.get("frozen") and state in ("active", "standing"):
        return _told("frozen", "frozen by an administrator")
    match state:
        case "active":
            left = times.left((network["ends"] or now) - now)
            if network["paused"]:
                return _told("paused", f"paused, {left} left{more}", command("resume", name))
            return _told(
                "active",
                f"active, {left} left{more}",
                f"{command('pause', name)} | {command('release', name)}",
            )
        case "pending":
            since = times.local(network["since"] or now, now)
            return _told(
                "pending", f"access request pending since {since}", f"{show} | jitctl cancel {network['id']}"
            )
        case "scheduled":
            return _told("scheduled", f"opens at {times.local(network['starts'] or now, now)}", show)
        case "standing":
            return _told("standing", "always open")
        case "request":
            return _told("request", "request", f'{command("request", name)} --reason "…" --duration 2h')
        case _:
            return _told(state, state)


def _told(state: str, words: str, step: str = "") -> tuple[str, str, str]:
    symbol, style = STATE.get(state, (" ", ""))
    return f"{symbol} {words}", style, step


def _tunnel(up: bool, heard_ms: int, now: int) -> tuple[str, str]:
    """(words, style) of this machine's tunnel to a network."""
    if not up:
        return "down", ""
    if not heard_ms:
        return "up, never heard", "yellow"
    fresh = now - heard_ms <= REJECT_AFTER_MS
    return f"up, heard {times.ago(heard_ms, now)}", "green" if fresh else "yellow"


def _connecting(network: wire.NetworkStatus, up: bool) -> str:
    """What to type next on a machine that has a tunnel of its own, "" where it is what others type."""
    name = network["network"]
    if network.get("frozen"):
        return ""
    match network["state"]:
        case "active" if network["paused"] or not up:
            return command("connect", name)
        case "active":
            return command("disconnect", name)
        case "standing" if not up:
            return command("connect", name)
        case "request":
            return f'{command("connect", name)} --reason "…" --duration 2h'
        case _:
            return ""
