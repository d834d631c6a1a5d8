"""Columns whose values go to other programs: read back one by one, and written in one spelling.

What cannot be read (an older jitd took IPv6 zones, and a file can be edited) is left out, so that it disables what uses it
and nothing else; `unreadable.py` names it for doctor until it is set anew.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final, TypeVar

from jitd.core import parsing
from jitd.core.model import IPNetwork

_T = TypeVar("_T")


#: The same texts are read at every verb, and there are ten thousand addresses.
_network = lru_cache(1 << 16)(parsing.network)


def networks(texts: Iterable[str]) -> tuple[IPNetwork, ...]:
    """Those of the texts that are networks, in their order."""
    return tuple(_readable(_network, texts))


def network4(text: str | None) -> IPv4Network | None:
    """An IPv4 network, None where there is none."""
    return next(_readable(parsing.network4, [text] if text else []), None)


def network6(text: str | None) -> IPv6Network | None:
    """An IPv6 network, None where there is none."""
    return next(_readable(parsing.network6, [text] if text else []), None)


def endpoint(text: str) -> str:
    """What clients connect to, "" where there is nothing."""
    return next(_readable(_endpoint, [text] if text else []), "")


def peer_endpoint(text: str) -> str:
    """Where a client was heard from, "" where there is nothing."""
    return next(_readable(parsing.write_peer_endpoint, [text] if text else []), "")


def dns(texts: Iterable[str]) -> tuple[str, ...]:
    """DNS servers and domains to search in."""
    return tuple(_readable(_dns, texts))


def canonical(kind: str, text: str | None) -> str | None:
    """A stored value in its one spelling, for a migration; one that cannot be read stays as it is. `kind` is one of KINDS,
    with "s" behind it for a JSON list.
    """
    if not text:
        return text
    if kind not in KINDS:
        read = KINDS[kind.removesuffix("s")]
        return json.dumps([_or_same(read, one) for one in json.loads(text)])
    return _or_same(KINDS[kind], text)


def _or_same(read: Callable[[str], str], text: str) -> str:
    return next(_readable(read, [text]), text)


def _readable(read: Callable[[str], _T], texts: Iterable[str]) -> Iterator[_T]:
    for text in texts:
        try:
            yield read(text)
        except ValueError:
            continue


def bad(kind: str, texts: Iterable[str]) -> list[str]:
    """Those of the texts that cannot be read as a kind of value, which is one of KINDS."""
    return [text for text in texts if text and next(_readable(KINDS[kind], [text]), None) is None]


def _endpoint(text: str) -> str:
    return str(parsing.endpoint(text))


def _dns(text: str) -> str:
    return parsing.write_host(parsing.dns(text))


#: How each kind of value is written.
KINDS: Final[dict[str, Callable[[str], str]]] = {
    "network": lambda text: parsing.write_network(parsing.network(text)),
    "network4": lambda text: parsing.write_network(parsing.network4(text)),
    "network6": lambda text: parsing.write_network(parsing.network6(text)),
    "endpoint": _endpoint,
    "dns_host": _dns,
}
