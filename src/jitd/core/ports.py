"""Ports as people type them: `tcp/5432`, `udp/6000-6100`; always-allowed destinations: `udp/53`, `ping@10.0.0.1`; an address and a port."""

import re
from typing import Final

from jitd.core import parsing
from jitd.core.errors import JitError
from jitd.core.firewall import Always
from jitd.core.model import Ports

_PATTERN: Final = re.compile(r"(tcp|udp)/([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_HIGHEST: Final = 65535


def parse_ports(text: str) -> Ports:
    """Read `tcp/5432` or `udp/6000-6100`. Raises JitError bad_request."""
    hint = "Type a protocol and a port or a range, for example tcp/5432 or udp/6000-6100."
    matched = _PATTERN.fullmatch(text)
    if matched is None:
        raise JitError("bad_request", f"cannot read the port {text[:40]!r}", hint)
    protocol, first, last = matched.group(1), int(matched.group(2)), int(matched.group(3) or matched.group(2))
    if not 1 <= first <= _HIGHEST or not 1 <= last <= _HIGHEST:
        raise JitError("bad_request", f"cannot use the port {text!r}: ports go from 1 to {_HIGHEST}", hint)
    if last < first:
        raise JitError(
            "bad_request", f"cannot use the port range {text!r}: its start is greater than its end", hint
        )
    return Ports(protocol, first, last)


def parse_always(text: str) -> Always:
    """Read `ping`, `udp/53` (on the gateway itself) or `tcp/53@10.0.0.53`. Raises JitError bad_request."""
    what, at, where = text.partition("@")
    try:
        to = parsing.network(where) if at else None
    except ValueError:
        raise JitError(
            "bad_request",
            f"cannot read the address in {text[:60]!r}",
            "Type it as udp/53@10.0.0.53, or omit @… for the gateway itself.",
        ) from None
    if what == "ping":
        return Always(to=to, protocol="icmp")
    ports = parse_ports(what)
    if ports.first != ports.last:
        raise JitError(
            "bad_request", f"cannot use the range in {text[:60]!r}", "Name one port, such as udp/53."
        )
    return Always(to=to, protocol=ports.protocol, port=ports.first)


def parse_loopback(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:9586` or `[::1]:9586`: an address that no other machine reaches. Raises JitError bad_request."""
    try:
        found = parsing.endpoint(text)
    except ValueError:
        found = None
    if found is None or isinstance(found.host, str):
        raise JitError(
            "bad_request",
            f"cannot read the address and port {text[:60]!r}",
            "Write an address of this machine alone and a port: 127.0.0.1:9586 or [::1]:9586.",
        )
    if not found.host.is_loopback:
        raise JitError(
            "bad_request",
            f"cannot listen on {found.host}: other machines could reach it, and nothing there asks who they are",
            "Use 127.0.0.1 or [::1], and let a Prometheus elsewhere come through ssh or a proxy that asks who it is.",
        )
    return parsing.write_address(found.host), found.port
