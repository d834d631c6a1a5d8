"""The part of doctor for the machine on which it is typed: the interface and key of the tunnel, the way to the gateway."""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from jitctl.machine import programs
from jitd.core import parsing, text
from jitd.core.commandline import command
from jitd.core.parsing import Network

if TYPE_CHECKING:
    from jitd import wire

_SECONDS: Final = 5.0
#: How long a refusal of the endpoint is waited for, in seconds; a router far away takes no longer.
_REFUSAL_SECONDS: Final = 1.0
_FRESH_SECONDS: Final = 180


def examine(tunnel: wire.TunnelFacts, *, far: bool) -> list[wire.Check]:
    """Compare this machine with what the gateway knows. `far`: the gateway is another machine, so the tunnel is here."""
    try:
        tunnel = _checked(tunnel)
    except ValueError as error:
        return [
            _line("broken", f"the gateway says what cannot be used of its tunnel: {text.clean(str(error))}")
        ]
    keys = _wg("public-key")
    if isinstance(keys, str):
        right = " or ".join(one["public_key"] for one in tunnel["devices"])
        fix = f"sudo wg show # its public key has to be {right}" if right else ""
        found = [_line("unknown", f"on this machine: {keys}", fix)]
        return [*found, *_way(tunnel["endpoint"])] if far else []
    # wg also names the tunnels of other network namespaces, where a program carries them.
    present = {name for _, name in socket.if_nameindex()}
    interfaces = {line[0]: line[1] for line in keys if len(line) > 1 and line[0] in present}
    peers = [line[0] for line in _lines("peers") if line[1:] == [tunnel["public_key"]] and line[0] in present]
    registered = {one["public_key"]: one["name"] for one in tunnel["devices"]}
    mine = [name for name, key in interfaces.items() if key in registered]
    if not far and not mine and not peers:
        return []  # the gateway itself, or somebody else's machine
    found = _interface(tunnel, interfaces, registered, mine, peers)
    # A gateway that has just answered is there; of any other it can only be asked who refuses.
    answered = any(_handshake(tunnel, name)["level"] == "ok" for name in peers)
    return found if answered else [*found, *_way(tunnel["endpoint"])]


def _checked(tunnel: wire.TunnelFacts) -> wire.TunnelFacts:
    """The same, every value written anew: they stand in commands that are shown to be typed as root. Raises ValueError."""
    return {
        **tunnel,
        "public_key": parsing.key(tunnel["public_key"]),
        "endpoint": str(parsing.endpoint(tunnel["endpoint"])) if tunnel["endpoint"] else "",
        "routes": [parsing.write_network(parsing.network(one)) for one in tunnel["routes"]],
        "devices": [
            {**one, "name": parsing.name(one["name"]), "public_key": parsing.key(one["public_key"])}
            for one in tunnel["devices"]
        ],
    }


def _interface(
    tunnel: wire.TunnelFacts,
    interfaces: dict[str, str],
    registered: dict[str, str],
    mine: list[str],
    peers: list[str],
) -> list[wire.Check]:
    both = [name for name in peers if name in mine]
    if both:
        name = both[0]
        device = registered[interfaces[name]]
        return [
            _line("ok", f"{name} on this machine has the registered key of {device}"),
            *_routes(tunnel, name),
            _handshake(tunnel, name),
        ]
    if peers:
        name = peers[0]
        return [
            _line(
                "broken",
                f"{name} on this machine talks to the gateway with a key that is not registered: {interfaces[name]}",
                f"{command('device add', 'NAME', public_key=interfaces[name])} # or bring up the right file",
            )
        ]
    again = "jitctl device config > wg0.conf # then put the private key in, and: wg-quick up ./wg0.conf"
    if mine:
        name = mine[0]
        return [
            _line(
                "broken",
                f"{name} on this machine has the key of {registered[interfaces[name]]}, and does not know the"
                f" gateway's key {tunnel['public_key']}",
                again,
            )
        ]
    others = f" (there is {', '.join(interfaces)})" if interfaces else ""
    return [_line("broken", f"no tunnel to this gateway is up on this machine{others}", again)]


def _routes(tunnel: wire.TunnelFacts, name: str) -> list[wire.Check]:
    """Whether what is for the network is sent into the tunnel at all."""
    allowed: list[Network] = []
    for line in _lines("allowed-ips"):
        if line[:2] == [name, tunnel["public_key"]]:
            allowed = [parsing.network(one, strict=False) for one in " ".join(line[2:]).split() if "/" in one]
    outside = [
        one for one in tunnel["routes"] if not any(_within(parsing.network(one), net) for net in allowed)
    ]
    if not outside:
        return [_line("ok", f"{name} takes all that is for {', '.join(tunnel['routes'])}")]
    return [
        _line(
            "broken",
            f"{name} does not take what is for {', '.join(outside)}: its AllowedIPs are"
            f" {', '.join(map(str, allowed)) or 'empty'}",
            f"wg set {name} peer {tunnel['public_key']} allowed-ips"
            f" {','.join([*map(str, allowed), *outside])} # and in its file",
        )
    ]


def _within(inner: Network, outer: Network) -> bool:
    return (
        inner.version == outer.version
        and inner.network_address in outer
        and inner.prefixlen >= outer.prefixlen
    )


def _handshake(tunnel: wire.TunnelFacts, name: str) -> wire.Check:
    at = 0
    for line in _lines("latest-handshakes"):
        if line[:2] == [name, tunnel["public_key"]] and line[2:] and line[2].isdigit():
            at = int(line[2])
    if not at:
        return _line(
            "warning",
            f"{name} never had an answer from the gateway: nothing is granted just now, or UDP does not get through",
            "",
        )
    age = max(0, int(time.time()) - at)
    if age <= _FRESH_SECONDS:
        return _line("ok", f"{name} had its last handshake {age} s ago: the gateway's endpoint answers")
    return _line(
        "warning", f"{name} had its last handshake with the gateway {age} s ago: it is idle, or cut off"
    )


def _way(endpoint: str) -> list[wire.Check]:
    """As far as the endpoint can be asked: its name, the route to it, and whether somebody says no."""
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        return [
            _line(
                "unknown",
                "the gateway does not say where clients connect to",
                "ask an administrator for the endpoint",
            )
        ]
    addresses = _resolve(host, int(port))
    if isinstance(addresses, str):
        return [
            _line(
                "broken",
                f"the gateway's name {host} cannot be resolved: {addresses}",
                f"getent ahosts {host}",
            )
        ]
    troubles = []
    for family, address in addresses:
        trouble = _knock(family, address)
        if not trouble:
            return [
                _line(
                    "unknown",
                    f"{endpoint} ({address[0]}) has a route, and nobody refuses; more cannot be known over UDP:"
                    " WireGuard does not answer strangers, so only a handshake proves that it is there",
                )
            ]
        troubles.append(f"{address[0]}: {trouble}")
    return [
        _line(
            "broken",
            f"the gateway's endpoint {endpoint} cannot be reached ({'; '.join(troubles)})",
            f"ip route get {addresses[0][1][0]} # and see that the gateway listens: jitctl doctor interfaces, there",
        )
    ]


def _resolve(host: str, port: int) -> list[tuple[int, tuple[str, int]]] | str:
    """The addresses, or why there are none: in a thread, because a resolver can hang for a minute."""
    answer: list[list[tuple[int, tuple[str, int]]] | str] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            answer.append([(int(one[0]), (str(one[4][0]), port)) for one in found])
        except OSError as error:
            answer.append(error.strerror or str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return answer[0] if answer else f"no answer within {_SECONDS:.0f} s"


def _knock(family: int, address: tuple[str, int]) -> str:
    """Send one byte that no WireGuard takes for anything; returns who refuses it, "" where nobody does."""
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        try:
            line.connect(address)
            line.send(b"\0")
            if select.select([line], [], [], _REFUSAL_SECONDS)[0]:
                line.recv(1)
        except ConnectionRefusedError:
            return "nobody listens on the port"
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _lines(what: str) -> list[list[str]]:
    found = _wg(what)
    return [] if isinstance(found, str) else found


def _wg(what: str) -> list[list[str]] | str:
    """The fields that `wg show all WHAT` prints, or why it cannot. No secret is asked for."""
    try:
        done = programs.run(["wg", "show", "all", what], seconds=_SECONDS, LC_ALL="C")
    except FileNotFoundError:
        return "there is no program wg"
    except OSError as error:
        return f"wg cannot be run: {error.strerror}"
    if done.returncode or "Unable to access" in done.stderr:
        refused = "ermitted" in done.stderr or "denied" in done.stderr
        return "the tunnel can be seen by root only" if refused else "wg cannot show the tunnels"
    return [line.split("\t") for line in done.stdout.splitlines()]


def _line(level: wire.Level, what: str, fix: str = "") -> wire.Check:
    return {"level": level, "what": what, "fix": fix}
