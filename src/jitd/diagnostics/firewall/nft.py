"""nftables' own listing (`nft --json --terse list ruleset`) as chains to be judged."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from jitd.core.firewallrules import TABLE
from jitd.diagnostics.firewall.chains import Chain, Rule, Table
from jitd.diagnostics.firewall.expressions import mapped, matched
from jitd.diagnostics.firewall.traffic import UNKNOWN, Test
from jitd.enforce.port import EnforceError

_FAMILIES: Final = ("ip", "ip6", "inet", "netdev")
_PLAIN: Final = ("accept", "drop", "return")
_VERDICTS: Final = {
    **{name: name for name in _PLAIN},
    "jump": "jump",
    "goto": "goto",
    "reject": "drop",
    "masquerade": "snat",
    "snat": "snat",
    "dnat": "dnat",
    "redirect": "dnat",
}
#: Statements that let every packet go on to the next one.
_HARMLESS: Final = frozenset(
    (
        "counter",
        "log",
        "mangle",
        "notrack",
        "flow",
        "set",
        "map",
        "secmark",
        "dup",
        "continue",
        "ct helper",
        "ct timeout",
        "ct expectation",
    )
)
#: A set with more elements is not compared one by one with everything that may pass.
_ELEMENTS: Final = 4096
_PLAIN_NAMES: Final = re.compile(r"\S+ \w[\w./-]* \w[\w./-]*", re.ASCII)
_ON: Final = re.compile(r"\bhook (?:in|e)gress devices? (?:= )?(\{[^}]*\}|\S+)")
_NAME: Final = re.compile(r"[^\s{},\"]+")
#: Targets and matches of iptables that nft names without showing what they say.
_TARGETS: Final = {
    "MASQUERADE": "snat",
    "SNAT": "snat",
    "DNAT": "dnat",
    "REDIRECT": "dnat",
    "NETMAP": "dnat",
    "REJECT": "drop",
}


Named = tuple[str, str, str]  # family, table, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Flowtable:
    """An administrator's shortcut past the forward hook for established flows."""

    table: str  # "inet filter"
    name: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything that nftables holds."""

    tables: tuple[Table, ...]
    flowtables: tuple[Flowtable, ...]


def parse(text: str, elements: Mapping[Named, Sequence[Any]] | None = None) -> Listing:
    """Read nft's JSON; `elements` are those of named sets and maps. Raises EnforceError when it is none of nft's."""
    try:
        return _parse(json.loads(text)["nftables"], elements or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnforceError(
            "nft's listing of the rules cannot be read: it is not the JSON expected"
        ) from error


def named(text: str) -> dict[Named, str]:
    """The sets and maps that rules of others accept by, each with the command that lists it.

    What only drops, such as a blocklist, which may be huge, is not among them.
    """
    kinds: dict[Named, str] = {}
    wanted: dict[Named, None] = {}
    for entry in json.loads(text)["nftables"]:
        for kind, body in entry.items():
            if body.get("family") not in _FAMILIES or body.get("table", TABLE) == TABLE:
                continue
            if kind in ("set", "map"):
                kinds[body["family"], body["table"], body["name"]] = kind
            elif kind == "rule" and not any("drop" in one or "reject" in one for one in body.get("expr", [])):
                for statement in body.get("expr", []):
                    name = _reference(statement)
                    if name:
                        wanted[body["family"], body["table"], name] = None
    return {
        one: f"list {kinds[one]} {one[0]} {one[1]} {one[2]}"
        for one in wanted
        if one in kinds and _PLAIN_NAMES.fullmatch(" ".join(one))
    }


def contents(text: str) -> dict[Named, Sequence[Any]]:
    """The elements of the sets and maps that were listed, except for big ones. Raises EnforceError."""
    try:
        return {
            (body["family"], body["table"], body["name"]): body.get("elem", [])
            for entry in json.loads(text)["nftables"]
            for kind, body in entry.items()
            if kind in ("set", "map") and len(body.get("elem", [])) <= _ELEMENTS
        }
    except (ValueError, KeyError, TypeError) as error:
        raise EnforceError("nft's listing of a set cannot be read: it is not the JSON expected") from error


def _parse(entries: Sequence[Mapping[str, Any]], elements: Mapping[Named, Sequence[Any]]) -> Listing:
    tables: dict[tuple[str, str], Table] = {}
    flowtables: list[Flowtable] = []
    for entry in entries:
        for kind, body in entry.items():
            family = body.get("family")
            if family not in _FAMILIES:
                continue
            if kind == "table":
                tables[family, body["name"]] = Table(family=family, name=body["name"])
            elif kind == "flowtable":
                where = f"{family} {body['table']}"
                flowtables.append(
                    Flowtable(table=where, name=body["name"], devices=_devices(body.get("dev")))
                )
            elif kind == "chain":
                chain = _chain(body)
                tables[family, body["table"]].chains[chain.name] = chain
            elif kind == "rule":
                chain = tables[family, body["table"]].chains[body["chain"]]
                chain.opaque |= any("xt" in one for one in body.get("expr", []))
                name = f"rule handle {body.get('handle', '?')}"
                said = [_filled(one, body, elements) for one in body.get("expr", [])]
                chain.rules += [replace(rule, name=name) for rule in _rules(said)]
    return Listing(tables=tuple(tables.values()), flowtables=tuple(flowtables))


def _reference(statement: Mapping[str, Any]) -> str:
    """The named set of a match, or the named map of a verdict, without its @."""
    for kind, key in (("match", "right"), ("vmap", "data")):
        value = statement.get(kind, {}).get(key) if kind in statement else None
        if isinstance(value, str) and value.startswith("@"):
            return value[1:]
    return ""


def _filled(
    statement: Mapping[str, Any], rule: Mapping[str, Any], elements: Mapping[Named, Sequence[Any]]
) -> Mapping[str, Any]:
    name: Named = (rule["family"], rule["table"], _reference(statement))
    if name not in elements:
        return statement
    kind, key = ("match", "right") if "match" in statement else ("vmap", "data")
    return {kind: {**statement[kind], key: {"set": elements[name]}}}


def add_devices(tables: Iterable[Table], text: str) -> None:
    """Give chains on devices their devices, from what `nft list chains` prints."""
    chains: Mapping[str, Chain] = {}
    chain = None
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["table"] and len(words) >= 3:
            chains = next((one.chains for one in tables if [one.family, one.name] == words[1:3]), {})
        elif words[:1] == ["chain"] and len(words) >= 2:
            chain = chains.get(words[1])
        elif chain is not None and (found := _ON.search(line)):
            chain.devices = tuple(_NAME.findall(found[1]))


def _devices(found: Any) -> tuple[str, ...]:
    if found is None:
        return ()
    return (found,) if isinstance(found, str) else tuple(found)


def _chain(body: Mapping[str, Any]) -> Chain:
    return Chain(
        name=body["name"],
        hook=body.get("hook", ""),
        kind=body.get("type", ""),
        policy=body.get("policy", "accept"),
        devices=_devices(body.get("dev")),
    )


def _rules(statements: Iterable[Mapping[str, Any]]) -> Iterator[Rule]:
    """One rule of nft's; several, where a map or combined fields say several things at once."""
    ways: list[tuple[Test, ...]] = [()]
    for statement in statements:
        for kind, what in statement.items():
            if kind in _HARMLESS:
                continue
            if kind == "match":
                ways = [(*way, *more) for way in ways for more in matched(what)]
            elif kind == "vmap":
                yield from (
                    Rule((*way, *key), _VERDICTS[verdict], body.get("target", "") if body else "")
                    for key, choice in mapped(what)
                    for verdict, body in choice.items()
                    if verdict in _VERDICTS
                    for way in ways
                )
                # What is not in the map goes on.
            elif kind in _VERDICTS:
                target = what.get("target", "") if kind in ("jump", "goto") else ""
                yield from (Rule(way, _VERDICTS[kind], target) for way in ways)
                return
            elif kind == "xt":
                verdict = _foreign(what, ways)
                if verdict:
                    yield from (Rule(way, verdict) for way in ways)
                    return
            elif kind == "queue":
                # A program decides.
                yield from (Rule((*way, UNKNOWN), "accept") for way in ways)
            else:
                ways = [(*way, UNKNOWN) for way in ways]


def _foreign(what: Mapping[str, Any] | None, ways: list[tuple[Test, ...]]) -> str:
    """iptables' own match or target; older versions of nft do not even name it."""
    kind, name = (what.get("type", ""), what.get("name", "")) if what else ("", "")
    if kind == "target":
        return _TARGETS.get(name, "")
    if name != "comment":
        ways[:] = [(*way, UNKNOWN) for way in ways]
    return ""
