"""What chains of somebody else's would do with some traffic, as far as that can be known without sending it.

Traffic is described by what is known of it before it is there; a rule's tests answer YES, NO or PERHAPS (a mark, a
rate, a set whose elements were not listed, half of a network). Both of nftables' JSON (`surroundings_nft.py`) and
iptables' save format (`surroundings_iptables.py`) become this.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from jitd.core.model import IPNetwork

#: nftables itself allows 16 jumps.
_DEPTH: Final = 16
#: What a chain may do that was not listed.
_ANY: Final = frozenset({"accept", "return"})

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


@dataclass(frozen=True, slots=True)
class Rule:
    """`verdict`: accept, drop, return, jump, goto, snat, dnat, or "" for what changes no packet's way.

    `name` is how people find it: `rule handle 7` of nft's, `rule 3` of iptables'.
    """

    tests: tuple[Test, ...]
    verdict: str
    target: str = ""
    name: str = ""


@dataclass(slots=True, kw_only=True)
class Chain:
    """A chain; one without a hook is only jumped to. `opaque`: it has conditions of iptables', hidden from nft."""

    name: str
    hook: str = ""
    kind: str = ""  # filter, nat, route
    policy: str = "accept"
    devices: tuple[str, ...] = ()
    opaque: bool = False
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Table:
    """A table. `tool` is what speaks to it: nft, or iptables-legacy and ip6tables-legacy."""

    family: str  # ip, ip6, inet, netdev
    name: str
    tool: str = "nft"
    chains: dict[str, Chain] = field(default_factory=dict)

    def __str__(self) -> str:
        """`table ip filter`, or `iptables-legacy's table filter`."""
        if self.tool != "nft":
            return f"{self.tool}'s table {self.name}"
        return f"table {self.family} {self.name}"

    def judges(self, version: int) -> bool:
        """Whether its chains see packets of this IP version."""
        return self.family not in ("ip", "ip6") or (self.family == "ip") == (version == 4)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of traffic. `verdict`: when all that may hold does not; `possible`: by whatever may hold.

    `rule` decided the verdict, in the chain `where`; None: the policy did.
    """

    verdict: str
    possible: frozenset[str]
    rule: Rule | None = None
    where: str = ""


def holds(test: Test, traffic: Traffic) -> Answer:
    """Whether the test holds for this traffic."""
    if test.values is None:
        return Answer.PERHAPS
    found = _FIELDS[test.field](test.field, test.values, traffic)
    return Answer(Answer.YES - found) if test.negated else found


def matches(rule: Rule, traffic: Traffic) -> Answer:
    """Whether all tests of the rule hold."""
    answer = Answer.YES
    for test in rule.tests:
        answer = min(answer, holds(test, traffic))
        if answer is Answer.NO:
            break
    return answer


def fate(table: Table, chain: Chain, traffic: Traffic) -> Fate:
    """What a base chain does with this traffic."""
    verdict, rule, where = _settled(table, chain, traffic, 0)
    if verdict in ("", "return"):
        verdict, rule, where = chain.policy, None, chain.name
    possible = _possible(table, chain, traffic, {}, 0)
    named = {chain.policy if one == "return" else one for one in possible}
    return Fate(verdict, frozenset(named), rule, where)


def paths(table: Table, chain: Chain, traffic: Traffic, verdict: str) -> Iterator[tuple[Rule, ...]]:
    """The rules with this verdict that the traffic may come to, each with the jumps that lead there."""
    yield from _paths(table, chain, traffic, verdict, frozenset())


def span(network: IPNetwork) -> Addresses:
    """The addresses of a network."""
    return Addresses(network.version, int(network.network_address), int(network.broadcast_address))


def between(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address) -> Addresses:
    """The addresses from first to last."""
    return Addresses(first.version, int(first), int(last))


def _settled(table: Table, chain: Chain, traffic: Traffic, depth: int) -> tuple[str, Rule | None, str]:
    if depth > _DEPTH:
        return "", None, ""
    for rule in chain.rules:
        if not rule.verdict or matches(rule, traffic) is not Answer.YES:
            continue
        if rule.verdict not in ("jump", "goto"):
            return rule.verdict, rule, chain.name
        target = table.chains.get(rule.target)
        if target is not None:
            verdict, decided, where = _settled(table, target, traffic, depth + 1)
            if verdict not in ("", "return"):
                return verdict, decided, where
        if rule.verdict == "goto":
            return "return", rule, chain.name
    return "", None, ""


def _possible(
    table: Table, chain: Chain, traffic: Traffic, known: dict[str, frozenset[str]], depth: int
) -> frozenset[str]:
    """Every verdict that may be; "return" when the chain may end without one."""
    if chain.name in known:
        return known[chain.name]
    if depth > _DEPTH:
        return frozenset({"return"})
    found: set[str] = set()
    for rule in chain.rules:
        answer = matches(rule, traffic) if rule.verdict else Answer.NO
        if answer is Answer.NO:
            continue
        back = False
        if rule.verdict in ("jump", "goto"):
            target = table.chains.get(rule.target)
            inner = _possible(table, target, traffic, known, depth + 1) if target else _ANY
            back = rule.verdict == "jump" and "return" in inner
            found |= inner - {"return"} if rule.verdict == "jump" else inner
        else:
            found.add(rule.verdict)
        if answer is Answer.YES and not back:
            break
    else:
        found.add("return")
    known[chain.name] = frozenset(found)
    return known[chain.name]


def _paths(
    table: Table, chain: Chain, traffic: Traffic, verdict: str, seen: frozenset[str]
) -> Iterator[tuple[Rule, ...]]:
    for rule in chain.rules:
        answer = matches(rule, traffic) if rule.verdict else Answer.NO
        if answer is Answer.NO:
            continue
        if rule.verdict == verdict:
            yield (rule,)
        elif rule.verdict in ("jump", "goto") and rule.target not in seen:
            target = table.chains.get(rule.target)
            if target is not None:
                for path in _paths(table, target, traffic, verdict, seen | {chain.name}):
                    yield (rule, *path)
        if answer is Answer.YES and rule.verdict != "jump":
            return


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
