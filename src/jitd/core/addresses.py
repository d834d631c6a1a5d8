"""Addresses, endpoints and routes as people type them."""

from collections.abc import Iterable
from typing import Final

from jitd.core import parsing, text
from jitd.core.errors import JitError
from jitd.core.model import IPNetwork

HIGHEST_PORT: Final = parsing.HIGHEST_PORT
#: IPv4's smallest reassembly buffer; below it nothing useful passes.
SMALLEST_MTU: Final = 576


def endpoint(typed: str, port: int) -> str:
    """What clients connect to, as `host:port` or `[v6]:port`; a bare host gets `port`. "" stays "".

    Raises JitError bad_request.
    """
    if not typed:
        return ""
    try:
        return str(parsing.endpoint(typed, port))
    except ValueError as error:
        raise JitError(
            "bad_request",
            f"cannot read the endpoint {text.clean(typed)[:60]!r}: {text.clean(str(error))}",
            "Type the address of the gateway for clients, for example vpn.example.org:51820 or "
            "[2001:db8::1]:51820.",
        ) from None


def dns(typed: Iterable[str]) -> tuple[str, ...]:
    """DNS servers, and domains to search in, in their one spelling. Raises JitError bad_request."""
    found = []
    for one in typed:
        try:
            found.append(parsing.write_host(parsing.dns(one)))
        except ValueError as error:
            raise JitError(
                "bad_request",
                f"cannot read the DNS server {text.clean(one)[:50]!r}: {text.clean(str(error))}",
                "Type an address such as 10.9.0.1, or a domain to search in, such as corp.example.",
            ) from None
    return tuple(dict.fromkeys(found))


def pool(typed: str) -> IPNetwork:
    """A network that tunnel addresses are taken from. Raises JitError bad_request."""
    try:
        return parsing.network(typed)
    except ValueError as error:
        raise JitError(
            "bad_request",
            f"cannot read the pool {text.clean(typed)[:50]!r}: {text.clean(str(error))}",
            "Type a network such as 10.9.0.0/24 or fd00:9::/64.",
        ) from error


def mtu(number: int) -> int:
    """An MTU in bytes; 0 leaves the default. Raises JitError bad_request."""
    if number and not SMALLEST_MTU <= number <= 65535:
        raise JitError("bad_request", f"cannot use an MTU of {number}", "Use a number of bytes such as 1420.")
    return number


def routes(texts: Iterable[str]) -> tuple[IPNetwork, ...]:
    """What a network opens, sorted, each once. Raises JitError bad_request."""
    found: list[IPNetwork] = []
    for one in texts:
        try:
            found.append(parsing.network(one))
        except ValueError as error:
            raise JitError(
                "bad_request",
                f"cannot read the route {text.clean(one)[:50]!r}: {text.clean(str(error))}",
                "Type a network such as 10.0.0.0/8, 10.1.2.3 or fd00:12::/64.",
            ) from error
    if not found:
        raise JitError(
            "bad_request", "cannot use a network without routes", "Add a destination: --route 10.0.0.0/8"
        )
    if len(set(found)) < len(found):
        raise JitError("bad_request", "cannot use the same route twice", "Name each --route once.")
    return tuple(
        sorted(found, key=lambda route: (route.version, int(route.network_address), route.prefixlen))
    )
