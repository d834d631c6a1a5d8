"""Addresses, endpoints and routes as people type them."""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Final

from jitd.core import text
from jitd.core.errors import JitError
from jitd.core.model import IPNetwork

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
HIGHEST_PORT: Final = 65535
#: IPv4's smallest reassembly buffer; below it nothing useful passes.
SMALLEST_MTU: Final = 576


def endpoint(typed: str, port: int) -> str:
    """What clients connect to, as `host:port` or `[v6]:port`; a bare host gets `port`. "" stays "".

    Raises JitError bad_request.
    """
    if not typed:
        return ""
    hint = "Type what clients reach the gateway by, for example vpn.example.org:51820 or [2001:db8::1]:51820."
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?", typed, re.ASCII)
    if bracketed:
        host, given = bracketed.group(1), bracketed.group(2)
        try:
            host = f"[{ip_address(host)}]"
        except ValueError:
            raise JitError(
                "bad_request", f"cannot read the endpoint {text.clean(typed)[:60]!r}", hint
            ) from None
    else:
        host, _, given = typed.partition(":")
        if (
            not _HOST.fullmatch(host)
            or (given and not given.isascii())
            or (":" in typed and not given.isdigit())
        ):
            raise JitError("bad_request", f"cannot read the endpoint {text.clean(typed)[:60]!r}", hint)
    number = int(given) if given else port
    if not 1 <= number <= HIGHEST_PORT:
        raise JitError(
            "bad_request",
            f"cannot use the endpoint {text.clean(typed)[:60]!r}: ports go up to {HIGHEST_PORT}",
            hint,
        )
    return f"{host}:{number}"


def dns(servers: Iterable[str]) -> tuple[str, ...]:
    """DNS servers in their one spelling. Raises JitError bad_request."""
    found = []
    for one in servers:
        try:
            found.append(str(ip_address(one)))
        except ValueError:
            raise JitError(
                "bad_request",
                f"cannot read the DNS server {text.clean(one)[:50]!r}",
                "Type an address such as 10.9.0.1.",
            ) from None
    return tuple(found)


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
            found.append(ip_network(one))
        except ValueError as error:
            raise JitError(
                "bad_request",
                f"cannot read the route {text.clean(one)[:50]!r}: {text.clean(str(error))}",
                "Type a network such as 10.0.0.0/8, 10.1.2.3 or fd00:12::/64.",
            ) from error
    if not found:
        raise JitError(
            "bad_request", "cannot use a network without routes", "Name what it opens: --route 10.0.0.0/8"
        )
    if len(set(found)) < len(found):
        raise JitError("bad_request", "cannot use the same route twice", "Name each --route once.")
    return tuple(
        sorted(found, key=lambda route: (route.version, int(route.network_address), route.prefixlen))
    )
