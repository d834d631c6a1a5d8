"""Ports as people type them: `tcp/5432`, `udp/6000-6100`."""

import re
from typing import Final

from jitd.core.errors import JitError
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
        raise JitError("bad_request", f"cannot use the port range {text!r}: it is upside down", hint)
    return Ports(protocol, first, last)
