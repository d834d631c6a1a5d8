"""What chains of somebody else's would do with some traffic, as far as that can be known without sending it.

Traffic is described by what is known of it before it is there (`traffic.py`); a rule's tests answer YES,
NO or PERHAPS (a mark, a rate, a set whose elements were not listed, half of a network). Both of nftables' JSON (`nft.py`) and
iptables' save format (`iptables.py`) become this.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from jitd.diagnostics.firewall.traffic import Answer, Test, Traffic, holds

#: nftables itself allows 16 jumps.
_DEPTH: Final = 16
#: What a chain may do that was not listed.
_ANY: Final = frozenset({"accept", "return"})


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
