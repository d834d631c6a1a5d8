"""Some traffic, and whether a rule's test holds for it, as far as that can be known without sending it."""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from jitd.core.model import IPNetwork

Span = tuple[int, int]  # both ends belong to it


class Answer(IntEnum):
    """Whether a test holds for the traffic."""

    NO = 0
    PERHAPS = 1
    YES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Some packets of one direction. Empty fields are not known, or differ from packet to packet.

    `reply`: they answer what others began. `local`: the gateway itself is the destination.
    """

    source: IPNetwork
    destination: IPNetwork
    iif: str = ""
    oif: str = ""
    protocol: str = ""
    sport: Span | None = None
    dport: Span | None = None
    reply: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses from first to last, of one IP version."""

    version: int
    first: int
    last: int


Value = str | Span | Addresses


@dataclass(frozen=True, slots=True)
class Test:
    """A condition. `values`: one of them; None: nobody can say. `field` names a field of Traffic, or

    `version`, `state` (new, established, related, invalid, untracked), `direction` (original, reply), `status` (dnat,
    snat), `type` (local, unicast, broadcast …), `icmp` (echo-request, echo-reply …).
    """

    field: str
    values: tuple[Value, ...] | None
    negated: bool = False


UNKNOWN: Final = Test("unknown", None)


def holds(test: Test, traffic: Traffic) -> Answer:
    """Whether the test holds for this traffic."""
    if test.values is None:
        return Answer.PERHAPS
    found = _FIELDS[test.field](test.field, test.values, traffic)
    return Answer(Answer.YES - found) if test.negated else found


def span(network: IPNetwork) -> Addresses:
    """The addresses of a network."""
    return Addresses(network.version, int(network.network_address), int(network.broadcast_address))


def between(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address) -> Addresses:
    """The addresses from first to last."""
    return Addresses(first.version, int(first), int(last))


# --- what a test compares ---


def _device(name: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    device = traffic.iif if name == "iif" else traffic.oif
    if not device:
        return Answer.PERHAPS
    for value in values:
        if isinstance(value, str) and (
            value == device or (value.endswith("*") and device.startswith(value[:-1]))
        ):
            return Answer.YES
    return Answer.NO


def _address(name: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    here = span(traffic.source if name == "source" else traffic.destination)
    answer = Answer.NO
    for value in values:
        if not isinstance(value, Addresses) or value.version != here.version:
            continue
        if value.first <= here.first and here.last <= value.last:
            return Answer.YES
        if value.first <= here.last and here.first <= value.last:
            answer = Answer.PERHAPS
    return answer


def _port(name: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    here = traffic.sport if name == "sport" else traffic.dport
    if here is None:
        return Answer.PERHAPS
    answer = Answer.NO
    for value in values:
        if not isinstance(value, tuple):
            continue
        if value[0] <= here[0] and here[1] <= value[1]:
            return Answer.YES
        if value[0] <= here[1] and here[0] <= value[1]:
            answer = Answer.PERHAPS
    return answer


def _protocol(_: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    if not traffic.protocol:
        return Answer.PERHAPS
    return _either(traffic.protocol in values)


def _version(_: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    return _either(str(traffic.source.version) in values)


def _state(_: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    return _either(("established" if traffic.reply else "new") in values)


def _direction(_: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    return _either(("reply" if traffic.reply else "original") in values)


def _status(_: str, values: tuple[Value, ...], __: Traffic) -> Answer:
    # What is looked at goes to where it was sent.
    return Answer.NO if set(values) <= {"dnat"} else Answer.PERHAPS


def _icmp(_: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    # jitd allows no other one by itself.
    return _either(("echo-reply" if traffic.reply else "echo-request") in values)


def _type(_: str, values: tuple[Value, ...], traffic: Traffic) -> Answer:
    return _either(("local" if traffic.local else "unicast") in values)


def _either(yes: bool) -> Answer:
    return Answer.YES if yes else Answer.NO


_FIELDS: Final = {
    "iif": _device,
    "oif": _device,
    "source": _address,
    "destination": _address,
    "sport": _port,
    "dport": _port,
    "protocol": _protocol,
    "version": _version,
    "state": _state,
    "direction": _direction,
    "status": _status,
    "type": _type,
    "icmp": _icmp,
}
