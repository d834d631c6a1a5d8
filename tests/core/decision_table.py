"""Makes the table of decisions: `python tests/core/decision_table.py >tests/core/decisions.txt`, then review the diff.

A row for what the rules say of a person, a column for each switch and kind of caller. Cells: closed (may not use it),
ask, open (standing access), unknown (cannot be looked up: nothing opens, and what was open has its grace).
"""

import itertools
from dataclasses import replace
from ipaddress import ip_network

from jitd.core import policy
from jitd.core.model import Network
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict
from jitd.core.policyfile import usual

OFFICE = replace(usual("office", 0), id=1, interface_id=1, routes=(ip_network("10.0.0.0/8"),))
#: What a list of principals can be for a person: not there, naming her, naming others, or not to be looked up.
LISTS = ("none", "in", "out", "unknown")
ADMINS = ("user", "unsure", "admin")
SWITCHES = (("on", "-"), ("on", "too"), ("off", "-"))


def person(**lists: str) -> Person:
    """alice, with the groups that make these lists what they are for her."""
    return Person(
        name="alice",
        exists=Answer.YES,
        uid=1001,
        groups=frozenset(name for name, what in lists.items() if what == "in"),
        unavailable=frozenset(name for name, what in lists.items() if what == "unknown"),
    )


def network(jit: str, too: str, **lists: str) -> Network:
    """A network with these lists."""
    named = {name: () if what == "none" else (f"@{name}",) for name, what in lists.items()}
    return replace(
        OFFICE,
        jit=jit == "on",
        jit_admins_too=too == "too",
        members=named["members"],
        jit_groups=named["groups"],
        jit_exempt=named["exempt"],
    )


def verdict(who: str) -> Verdict:
    """What is known of whether she administers the gateway."""
    return Verdict({"user": Answer.NO, "unsure": Answer.UNAVAILABLE, "admin": Answer.YES}[who], who)


def cell(one: Network, who: Person, admin: Verdict, unresolved: Verdict | None) -> str:
    """What comes of it."""
    standing = policy.has_standing(one, who, admin, unresolved)
    if standing:
        return "open"
    member = policy.may_use(one, who, admin)
    if Answer.UNAVAILABLE in (standing.answer, member.answer):
        return "closed" if member.answer is Answer.NO else "unknown"
    return "ask" if member and one.jit else "closed"


def table() -> str:
    """The whole table as text."""
    columns = [(jit, too, who) for jit, too in SWITCHES for who in ADMINS]
    head = [
        f"{'members':<9}{'groups':<12}{'exempt':<9}| "
        + " ".join(f"{jit + ',' + too:<8}" for jit, too, _ in columns)
    ]
    head.append(f"{'':<30}| " + " ".join(f"{who:<8}" for _, _, who in columns))
    lines = []
    for members, groups, exempt in itertools.product(LISTS, (*LISTS, "unresolved"), LISTS):
        unresolved = Verdict(Answer.YES, "the group does not exist") if groups == "unresolved" else None
        lists = {"members": members, "groups": "out" if unresolved else groups, "exempt": exempt}
        who = person(**lists)
        cells = [
            cell(network(jit, too, **lists), who, verdict(admin), unresolved) for jit, too, admin in columns
        ]
        lines.append(f"{members:<9}{groups:<12}{exempt:<9}| " + " ".join(f"{one:<8}" for one in cells))
    return "\n".join(line.rstrip() for line in [*head, *lines]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
