"""nft's expressions in JSON, what a packet must be, as tests."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jitd.core import parsing
from jitd.diagnostics.firewall.traffic import UNKNOWN, Test, Value, between, span

#: More elements than this in a map or in a set of combined fields are not looked at one by one.
_ELEMENTS: Final = 256
_META: Final = {
    "iifname": "iif",
    "iif": "iif",
    "oifname": "oif",
    "oif": "oif",
    "l4proto": "protocol",
    "nfproto": "version",
    "protocol": "version",
    "pkttype": "type",
}
_SPOKEN: Final = {"ipv4": "4", "ipv6": "6", "ip": "4", "ip6": "6", "host": "unicast"}
_PROTOCOLS: Final = {"icmpv6": "ipv6-icmp"}
_CT: Final = {"state": "state", "direction": "direction", "status": "status"}


def matched(what: Mapping[str, Any]) -> list[tuple[Test, ...]]:
    """The ways in which a match can hold, each of them tests that must hold together."""
    left, right, op = what["left"], what["right"], what["op"]
    if op not in ("==", "in", "!="):
        return [(UNKNOWN,)]
    if isinstance(left, dict) and "concat" in left:
        if op == "!=" or not isinstance(right, dict):
            return [(UNKNOWN,)]
        elements = [right] if "concat" in right else _elements(right)
        return _together(left["concat"], elements) or [(UNKNOWN,)]
    return [_tests(left, _elements(right), negated=op == "!=")]


def mapped(what: Mapping[str, Any]) -> Iterator[tuple[tuple[Test, ...], Mapping[str, Any]]]:
    """What a verdict map tests, with the verdict of each. A map whose elements are not known may accept all."""
    data = what["data"]
    if not isinstance(data, dict) or len(data.get("set", [])) > _ELEMENTS:
        yield (UNKNOWN,), {"accept": None}
        return
    for key, verdict in data["set"]:
        parts = what["key"]
        if isinstance(parts, dict) and "concat" in parts:
            ways = _together(parts["concat"], [key]) or [(UNKNOWN,)]
        else:
            ways = [_tests(parts, [key], negated=False)]
        yield from ((way, verdict) for way in ways)


def _together(lefts: Sequence[Any], elements: Sequence[Any] | None) -> list[tuple[Test, ...]]:
    if elements is None or len(elements) > _ELEMENTS:
        return []
    ways = []
    for element in elements:
        parts = _bare(element)
        if not isinstance(parts, dict) or "concat" not in parts:
            return []
        pairs = zip(lefts, parts["concat"], strict=True)
        ways.append(tuple(test for left, part in pairs for test in _tests(left, [part], negated=False)))
    return ways


def _elements(right: Any) -> list[Any] | None:
    """The values on the right; None: a set whose elements are not listed, or a calculation."""
    if isinstance(right, dict) and "set" in right:
        return list(right["set"]) if isinstance(right["set"], list) else [right["set"]]
    if isinstance(right, list):
        return right
    return None if isinstance(right, str) and right.startswith("@") else [right]


def _bare(element: Any) -> Any:
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _tests(left: Any, elements: Sequence[Any] | None, *, negated: bool) -> tuple[Test, ...]:
    needs, field = _field(left)
    if not field:
        return (*needs, UNKNOWN)
    values = None if elements is None else [_value(field, _bare(one)) for one in elements]
    known = None if values is None or None in values else tuple(one for one in values if one is not None)
    return (*needs, Test(field, known, negated))


def _field(left: Any) -> tuple[tuple[Test, ...], str]:
    """What is compared, and what must hold for the comparison to be made at all."""
    if not isinstance(left, dict):
        return (), ""
    if "meta" in left:
        return (), _META.get(left["meta"].get("key", ""), "")
    if "ct" in left:
        return (), _CT.get(left["ct"].get("key", ""), "")
    if "fib" in left:
        fib = left["fib"]
        flags = fib.get("flags", [])
        to = "daddr" in ([flags] if isinstance(flags, str) else flags)
        return (), "type" if fib.get("result") == "type" and to else ""
    if "payload" in left:
        return _payload(left["payload"].get("protocol", ""), left["payload"].get("field", ""))
    return (), ""


def _payload(protocol: str, name: str) -> tuple[tuple[Test, ...], str]:
    fields = {"saddr": "source", "daddr": "destination", "protocol": "protocol", "nexthdr": "protocol"}
    if protocol in ("ip", "ip6"):
        return (Test("version", ("4" if protocol == "ip" else "6",)),), fields.get(name, "")
    port = name if name in ("sport", "dport") else ""
    if protocol == "th":
        return (), port
    if protocol in ("icmp", "icmpv6") and name == "type":
        port = "icmp"
    return (Test("protocol", (_PROTOCOLS.get(protocol, protocol),)),), port


def _value(field: str, element: Any) -> Value | None:
    if isinstance(element, dict):
        if "prefix" in element and isinstance(element["prefix"].get("addr"), str):
            prefix = element["prefix"]
            return span(parsing.network(f"{prefix['addr']}/{prefix['len']}", strict=False))
        if "range" in element:
            first, last = element["range"]
            if isinstance(first, int) and isinstance(last, int):
                return first, last
            if field in ("source", "destination"):
                return between(parsing.address(first), parsing.address(last))
        return None
    if field in ("sport", "dport"):
        return (element, element) if isinstance(element, int) else None
    if not isinstance(element, str):
        return None
    if field in ("source", "destination"):
        try:
            return between(parsing.address(element), parsing.address(element))
        except ValueError:
            return None
    if field == "protocol":
        return _PROTOCOLS.get(element, element)
    return _SPOKEN.get(element, element)
