"""Reads the text that jitd loads into nftables, and says what becomes of a packet. What it does not know it refuses.

It knows the part of nft's language that `core/firewallrules.py` writes; `test_ruleset.py` holds it against what those
rules mean.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final

_TOKEN: Final = re.compile(r'"[^"]*"|[{},:;]|[^\s{},:;"]+(?::[^\s{},:;"]+)*')
_VERDICTS: Final = ("accept", "drop", "return")
#: Words in front of a field that say nothing here.
_FIELDS: Final = {
    "iifname": "iifname",
    "oifname": "oifname",
    "iif": "iif",
    "oif": "oif",
    "meta iifname": "iifname",
    "meta oifname": "oifname",
    "meta iif": "iif",
    "meta oif": "oif",
    "meta l4proto": "protocol",
    "meta skuid": "uid",
    "ip saddr": "saddr4",
    "ip daddr": "daddr4",
    "ip6 saddr": "saddr6",
    "ip6 daddr": "daddr6",
    "ip version": "version4",
    "ip6 version": "version6",
    "ip6 hoplimit": "hoplimit",
    "tcp dport": "tcp dport",
    "tcp sport": "tcp sport",
    "udp dport": "udp dport",
    "udp sport": "udp sport",
    "icmp type": "icmp",
    "icmpv6 type": "icmpv6",
    "ct state": "state",
    "ct direction": "direction",
}


class Unknown(Exception):
    """The text holds something that is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet at a hook. Names are "" and indexes 0 where there is no such device."""

    saddr: str
    daddr: str
    iifname: str = ""
    oifname: str = ""
    iif: int = 0
    oif: int = 0
    protocol: str = "udp"
    sport: int = 40000
    dport: int = 40000
    state: str = "new"
    direction: str = "original"
    uid: int = 0

    def fields(self) -> dict[str, Any]:
        """What can be matched; None: it has no such field."""
        version = ip_address(self.saddr).version
        ports = {
            f"{name} {port}": getattr(self, port) if self.protocol == name else None
            for name in ("tcp", "udp")
            for port in ("dport", "sport")
        }
        return {
            **ports,
            "iifname": self.iifname,
            "oifname": self.oifname,
            "iif": self.iif,
            "oif": self.oif,
            "protocol": self.protocol,
            "uid": self.uid,
            "saddr4": self.saddr if version == 4 else None,
            "daddr4": self.daddr if version == 4 else None,
            "saddr6": self.saddr if version == 6 else None,
            "daddr6": self.daddr if version == 6 else None,
            "version4": 4 if version == 4 else None,
            "version6": 6 if version == 6 else None,
            "hoplimit": None,
            "icmp": None,
            "icmpv6": None,
            "state": self.state,
            "direction": self.direction,
        }


@dataclass(frozen=True, slots=True)
class Match:
    """A field against some values. `words` are compared as they are, `numbers` are ranges, `places` prefixes."""

    name: str
    negated: bool
    words: frozenset[str]
    sets: tuple[str, ...]
    numbers: tuple[tuple[int, int], ...]
    places: tuple[tuple[int, int, int], ...]  # (version, number, prefix length)

    def holds(self, value: Any, contains: Callable[[str, str], bool]) -> bool:
        """Whether a packet with this value matches."""
        if value is None:
            return False
        if isinstance(value, int):
            found = any(first <= value <= last for first, last in self.numbers)
        else:
            found = (
                value in self.words
                or any(contains(name, value) for name in self.sets)
                or (bool(self.places) and any(_inside(value, place) for place in self.places))
            )
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Rule:
    """What has to match, and then a verdict; or a map from a field to verdicts."""

    matches: tuple[Match, ...]
    verdict: str
    field: str = ""
    mapped: tuple[tuple[Match, str], ...] = ()


@lru_cache(maxsize=4096)
def _number(address: str) -> tuple[int, int]:
    ip = ip_address(address)
    return ip.version, int(ip)


def _inside(address: str, place: tuple[int, int, int]) -> bool:
    version, number = _number(address)
    shift = (32 if version == 4 else 128) - place[2]
    return version == place[0] and number >> shift == place[1] >> shift


@dataclass
class Chain:
    """A chain; `hook` is "" for one that is only jumped to, `device` where it belongs to one."""

    name: str
    hook: str = ""
    device: str = ""
    rules: list[Rule] = field(default_factory=list)


@dataclass
class Table:
    """A table of one family."""

    family: str
    chains: dict[str, Chain] = field(default_factory=dict)
    sets: dict[str, frozenset[str]] = field(default_factory=dict)  # with the elements that stand in the text
    kinds: dict[str, str] = field(default_factory=dict)

    def copied(self) -> "Table":
        """Another one that can be changed; rules are never changed."""
        chains = {
            name: Chain(one.name, one.hook, one.device, list(one.rules)) for name, one in self.chains.items()
        }
        return Table(self.family, chains, dict(self.sets), dict(self.kinds))


def parse(text: str) -> Table:
    """One table."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    head = lines.pop(0).split()
    if head[0] != "table" or head[-1] != "{":
        raise Unknown(lines[0])
    table = Table(head[1])
    block: tuple[str, str] | None = None
    for line in lines:
        words = _TOKEN.findall(line)
        if block is None:
            if words == ["}"]:
                break
            block = (words[0], words[1])
            if words[0] == "chain":
                table.chains[words[1]] = Chain(words[1])
            elif words[0] == "set":
                table.sets[words[1]] = frozenset()
            else:
                raise Unknown(line)
        elif words == ["}"]:
            block = None
        elif block[0] == "chain":
            _chain_line(table.chains[block[1]], words)
        else:
            _set_line(table, block[1], words)
    return table


def _chain_line(chain: Chain, words: list[str]) -> None:
    if words[0] != "type":
        chain.rules.append(_rule(tuple(words)))
        return
    chain.hook = words[words.index("hook") + 1]
    if "device" in words:
        chain.device = words[words.index("device") + 1].strip('"')
    if words[-3:] != ["policy", "accept", ";"]:
        raise Unknown(" ".join(words))


def _set_line(table: Table, name: str, words: list[str]) -> None:
    if words[0] == "elements":
        table.sets[name] = frozenset(one for one in words[3:-1] if one != ",")
    elif words[0] in ("type", "flags"):
        table.kinds[name] = " ".join((table.kinds.get(name, ""), *words)).strip()
    else:
        raise Unknown(" ".join(words))


def verdict(table: Table, chain: Chain, packet: Packet, holds: Callable[[str, str], bool]) -> str:
    """`accept` or `drop`. `holds(set, address)` says who is in a set now."""
    found = _chain(table, chain, packet.fields(), holds)
    return found or "accept"


def _chain(table: Table, chain: Chain, fields: dict[str, Any], holds: Callable[[str, str], bool]) -> str:
    """A final verdict, or "" when the chain is left again."""
    for rule in chain.rules:
        found = ""
        if all(one.holds(fields[one.name], holds) for one in rule.matches):
            found = rule.verdict
            if rule.mapped:
                value = fields[rule.field]
                found = next((what for key, what in rule.mapped if key.holds(value, holds)), "")
        if found == "return":
            return ""
        if found.startswith("goto "):
            return _chain(table, table.chains[found[5:]], fields, holds)
        if found.startswith("jump "):
            found = _chain(table, table.chains[found[5:]], fields, holds)
        if found:
            return found
    return ""


@lru_cache(maxsize=4096)
def _rule(line: tuple[str, ...]) -> Rule:
    words = list(line)
    matches: list[Match] = []
    while words:
        word = words.pop(0)
        if word in _VERDICTS:
            return Rule(tuple(matches), word)
        if word == "reject":
            return Rule(tuple(matches), "drop")
        if word in ("jump", "goto"):
            return Rule(tuple(matches), f"{word} {words[0]}")
        if word == "comment":
            del words[0]
            continue
        if word == "counter":
            continue
        if word == "exthdr" or f"{word} {words[0]}" == "ip frag-off":
            return Rule((), "")  # no packet here is a fragment
        name = _FIELDS.get(word)
        if name is None:
            name = _FIELDS.get(f"{word} {words[0]}")
            if name is None:
                raise Unknown(" ".join((word, *words)))
            del words[0]
        if words[0] == "vmap":
            del words[0]
            mapped = tuple((_match(name, [key]), " ".join(what)) for key, *what in _entries(_flat(words)))
            return Rule(tuple(matches), "", name, mapped)
        negated = words[0] == "!="
        if words[0] in ("!=", "=="):
            del words[0]
        options = [one for one in _flat(words) if one != ","] if words[0] == "{" else [words.pop(0)]
        matches.append(_match(name, options, negated=negated))
    return Rule(tuple(matches), "")


def _match(name: str, options: list[str], *, negated: bool = False) -> Match:
    words, numbers, places = set(), [], []
    for one in options:
        if one.startswith("@"):
            continue
        if name[:5] in ("saddr", "daddr"):
            network = ip_network(one)
            places.append((network.version, int(network.network_address), network.prefixlen))
        elif re.fullmatch(r"[0-9]+(-[0-9]+)?", one):
            first, _, last = one.partition("-")
            numbers.append((int(first), int(last or first)))
        else:
            words.add(one.strip('"'))
    sets = tuple(one[1:] for one in options if one.startswith("@"))
    return Match(name, negated, frozenset(words), sets, tuple(numbers), tuple(places))


def _flat(words: list[str]) -> list[str]:
    if words.pop(0) != "{":
        raise Unknown(" ".join(words))
    found = []
    while (word := words.pop(0)) != "}":
        found.append(word)
    return found


def _entries(words: Iterable[str]) -> Iterable[list[str]]:
    entry: list[str] = []
    for word in words:
        if word == ",":
            yield entry
            entry = []
        elif word != ":":
            entry.append(word)
    if entry:
        yield entry
