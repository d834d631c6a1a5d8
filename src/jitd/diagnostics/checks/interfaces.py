"""The interfaces as they were read, against what the store and the clients know of them."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core import parsing
from jitd.core.commandline import command, shell
from jitd.core.model import Interface
from jitd.core.text import clean
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken, ok, unknown, warning
from jitd.enforce.port import EnforceError, InterfaceGone, LinkState
from jitd.store import interfaces, networks
from jitd.verbs import placing
from jitd.verbs.context import View

_AGAIN: Final = "jitd tries again by itself; see its log: journalctl -u jitd"


def _backend(one: Examination) -> Iterator[wire.Check]:
    match one.view.backend:
        case "memory":
            yield warning("the memory backend enforces nothing: it is for dry runs")
        case "userspace":
            yield ok("WireGuard is wireguard-go, a process for each interface")
        case _:
            yield ok("WireGuard is the kernel's own")


def _any(one: Examination) -> Iterator[wire.Check]:
    if not interfaces.all_(one.view.rows):
        yield warning("there is no interface yet")


def _states(one: Examination) -> Iterator[wire.Check]:
    for interface in interfaces.all_(one.view.rows):
        yield from _state(one.view, interface, one.links.get(interface.name))


def _state(view: View, interface: Interface, link: LinkState | EnforceError | None) -> list[wire.Check]:
    name = interface.name
    if link is None:
        return [unknown(f"{name} was not read")]
    if isinstance(link, InterfaceGone):
        up = f"wg-quick up {name} # or the tool that created it" if interface.adopted else _AGAIN
        return [broken(f"{name} does not exist: no traffic passes", up)]
    if isinstance(link, EnforceError):
        return [broken(f"{name} cannot be read: {link}", "journalctl -u jitd")]
    found = [*_differences(interface, link)]
    found += [
        broken(
            one,
            f"change one of the addresses in the configuration of {name}, then: wg show {name} allowed-ips",
        )
        for one in placing.doubles(view, interface)
    ]
    if not any(one["level"] == "broken" for one in found):
        peers = len(link.peers)
        found.insert(
            0, ok(f"{name} is up on UDP port {link.port} with the key that clients have; peers: {peers}")
        )
    return found


def _differences(interface: Interface, link: LinkState) -> Iterator[wire.Check]:
    name = interface.name
    if link.name != name:
        called = clean(link.name)
        renaming = ((called, "down"), (called, "name", name), (name, "up"))
        yield warning(
            f"{name} is called {called} on this machine: the firewall covers both names and its addresses",
            "; ".join(shell("ip", "link", "set", *words) for words in renaming),
        )
    if not link.up:
        yield broken(f"{name} is down: no traffic passes", f"ip link set {name} up")
    if link.public_key != interface.public_key:
        yield broken(
            f"{name} has a different key than its clients expect: no client can connect",
            f"restore the old key in the configuration of {name}, or distribute new "
            "files: " + command("device config")
            if interface.adopted
            else _AGAIN,
        )
    if link.port != interface.port:
        yield broken(
            f"{name} listens on UDP port {link.port} instead of {interface.port}, which its clients use",
            f"wg set {name} listen-port {interface.port}" if interface.adopted else _AGAIN,
        )


def _endpoints(one: Examination) -> Iterator[wire.Check]:
    """Whether clients call where it listens."""
    for interface in interfaces.all_(one.view.rows):
        name, port = interface.name, interface.port
        if not interface.endpoint:
            yield warning(
                f"{name} has no endpoint: the files for clients contain no address to connect to",
                command("interface set", name, endpoint=f"HOST:{port}"),
            )
        elif (outer := parsing.endpoint(interface.endpoint)).port != port:
            yield warning(
                f"clients use UDP port {outer.port} ({outer}), and {name} listens on {port}: correct only if "
                "another device forwards one port to the other",
                command("interface set", name, endpoint=parsing.Endpoint(outer.host, port)),
            )


def _networks(one: Examination) -> Iterator[wire.Check]:
    for interface in interfaces.all_(one.view.rows):
        if not networks.of_interface(one.view.rows, interface.id):
            yield warning(
                f"{interface.name} has no network yet",
                command("network add", "NAME", interface=interface.name, route="…"),
            )


CHECKS: Final = (
    Check(
        "backend",
        "interfaces",
        "The WireGuard backend",
        "warning",
        _backend,
        fix='set backend = "auto" under [enforce] in jitd.toml, then restart jitd',
    ),
    Check(
        "no-interface",
        "interfaces",
        "At least one interface",
        "warning",
        _any,
        fix=command("interface add", "wg0", pool="10.9.0.0/24", endpoint="HOST:51820"),
    ),
    Check("interface-state", "interfaces", "Interfaces as clients know them", "broken", _states),
    Check("endpoints", "interfaces", "Endpoints that clients call", "warning", _endpoints),
    Check("no-network", "interfaces", "Interfaces without a network", "warning", _networks),
)
