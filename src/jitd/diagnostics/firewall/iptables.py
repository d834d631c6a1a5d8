"""What `iptables-save` and its relatives print, as chains to be judged."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from jitd.core import parsing
from jitd.diagnostics.firewall.chains import Chain, Rule, Table
from jitd.diagnostics.firewall.traffic import UNKNOWN, Test, Value, span
from jitd.enforce.port import EnforceError

_VERDICTS: Final = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "REJECT": "drop",
    "RETURN": "return",
    "MASQUERADE": "snat",
    "SNAT": "snat",
    "DNAT": "dnat",
    "REDIRECT": "dnat",
    "NETMAP": "dnat",
}
_OPTIONS: Final = {
    "-i": "iif",
    "-o": "oif",
    "-s": "source",
    "-d": "destination",
    "-p": "protocol",
    "--dport": "dport",
    "--dports": "dport",
    "--sport": "sport",
    "--sports": "sport",
    "--ctstate": "state",
    "--state": "state",
    "--dst-type": "type",
    "--icmp-type": "icmp",
    "--icmpv6-type": "icmp",
}
#: Matches of which every option is one of the above.
_KNOWN: Final = frozenset(
    ("tcp", "udp", "conntrack", "state", "addrtype", "multiport", "comment", "icmp", "icmp6")
)
_NUMBERS: Final = {"8": "echo-request", "0": "echo-reply", "128": "echo-request", "129": "echo-reply"}
_HOOKS: Final = frozenset(("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"))


def explain(tables: Iterable[Table], saved: Iterable[Table]) -> None:
    """Give the chains that are opaque to nft the rules that iptables shows for them.

    Other chains of the same tables, which iptables does not show, stay as they are.
    """
    known = {(table.family, table.name): table for table in saved}
    for table in tables:
        there = known.get((table.family, table.name))
        for chain in table.chains.values():
            if chain.opaque and there is not None and chain.name in there.chains:
                chain.rules, chain.opaque = there.chains[chain.name].rules, False


def parse(text: str, family: str, tool: str = "nft") -> list[Table]:
    """Read the tables of one family (ip or ip6). Raises EnforceError when this is no such text."""
    tables: list[Table] = []
    for line in text.splitlines():
        if line.startswith("*"):
            tables.append(Table(family=family, name=line[1:].strip(), tool=tool))
        elif line.startswith(":") and tables:
            name, policy, *_ = line[1:].split()
            base = policy != "-" and name in _HOOKS
            tables[-1].chains[name] = Chain(
                name=name,
                hook=name.lower() if base else "",
                kind=("nat" if tables[-1].name == "nat" else "filter") if base else "",
                policy="drop" if policy == "DROP" else "accept",
            )
        elif line.startswith("-A ") and tables:
            try:
                _, name, *words = shlex.split(line)
                chain = tables[-1].chains[name]
            except (ValueError, KeyError) as error:
                raise EnforceError(
                    f"what iptables says of its rules cannot be read: {line[:120]!r}"
                ) from error
            chain.rules.append(_rule(words, f"rule {len(chain.rules) + 1}", tables[-1]))
    return tables


def _rule(words: list[str], name: str, table: Table) -> Rule:
    tests: list[Test] = []
    negated = False
    place = 0
    while place < len(words):
        word, place = words[place], place + 1
        if word == "!":
            negated = True
            continue
        arguments = []
        while place < len(words) and words[place] != "!" and not words[place].startswith("-"):
            arguments.append(words[place])
            place += 1
        argument = arguments[0] if arguments else ""
        if word in ("-j", "-g"):
            # What follows are the target's own options.
            return _end(tuple(tests), word, argument, name, table)
        if word in _OPTIONS:
            tests.append(Test(_OPTIONS[word], tuple(_values(_OPTIONS[word], argument)) or None, negated))
        elif word == "--comment":
            # It may begin with a dash, and be several words to the loop above only then.
            place += not arguments
        elif word != "-m" or argument not in _KNOWN:
            tests.append(UNKNOWN)
        negated = False
    return Rule(tuple(tests), "", name=name)


def _end(tests: tuple[Test, ...], word: str, target: str, name: str, table: Table) -> Rule:
    if target in _VERDICTS:
        return Rule(tests, _VERDICTS[target], name=name)
    if target in ("NFQUEUE", "QUEUE"):
        return Rule((*tests, UNKNOWN), "accept", name=name)
    if target in table.chains:
        return Rule(tests, "goto" if word == "-g" else "jump", target, name)
    return Rule(tests, "", name=name)


def _values(field: str, argument: str) -> Iterator[Value]:
    if field in ("source", "destination"):
        try:
            yield from (span(parsing.network(one, strict=False)) for one in argument.split(","))
        except ValueError:
            return
    elif field in ("sport", "dport"):
        for one in argument.split(","):
            first, _, last = one.partition(":")
            if first.isdecimal() and (last or first).isdecimal():
                yield int(first), int(last or first)
    elif field in ("iif", "oif"):
        yield argument[:-1] + "*" if argument.endswith("+") else argument
    elif field == "icmp":
        yield _NUMBERS.get(argument, argument)
    else:
        yield from (one.lower() for one in argument.split(","))
