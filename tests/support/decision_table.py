"""Makes the tables of decisions: `python tests/support/decision_table.py >tests/jitd/core/decisions.txt`, then review the diff.

A row for what the lists of a network say of a person, a column for each switch and kind of caller.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network

from jitd.core import durations, foureyes, policy, settings
from jitd.core.errors import JitError
from jitd.core.hours import parse_hours
from jitd.core.model import AutoApproval, Network
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict
from jitd.core.policyfile import usual
from jitd.core.ports import parse_ports

OFFICE = replace(usual("office", 0), id=1, interface_id=1, routes=(ip_network("10.0.0.0/8"),))
#: What a list of principals can be for a person: not there, naming her, naming others, or not to be looked up.
LISTS = ("none", "in", "out", "unknown")
#: What jit.groups can be besides: naming others, with a group that does not exist or cannot be looked up.
UNRESOLVED = {"gone": Answer.YES, "down": Answer.UNAVAILABLE}
ADMINS = {"user": Answer.NO, "unsure": Answer.UNAVAILABLE, "admin": Answer.YES}
#: jit.enabled, and jit.admins_too.
SWITCHES = (("on", "-"), ("on", "too"), ("off", "-"))
CELLS = {"open", "ask", "ask?", "?ask", "closed", "unknown", "-"}
HEAD = """\
What the policy decides. Made by decision_table.py and reviewed by people: a difference is a change of the policy.

Lists of a network are, for the person: none (nobody is named), in (she is), out (others are), unknown (a group that
cannot be looked up). jit.groups can also be gone or down: it names others, and a group that does not exist, or that
cannot be looked up. Callers are a user, an admin, or unsure (whether they administer cannot be looked up).
"""
ACCESS = """\
1. Access. Columns: jit.enabled, jit.admins_too; the caller.
   open     standing access, without asking
   ask      may ask, and has no access without
   ask?     may ask; whether there is standing access is not known: nothing opens, and what was sure has its grace
   closed   may not use it
   ?ask     has surely no standing access; whether she may ask is not known, so she asks in vain
   unknown  neither is known: nothing opens, and what was sure has its grace
   -        jitd refuses such a network, as one with jit.groups and without members, which is not listed
"""
DECIDING = """\
2. Deciding about requests of others.
"""
BREAKING = """\
3. Break-glass. Columns: the caller; once more behind a slash when the quota is used up.
"""
APPROVING = """\
4. Automatic approval of somebody who may use the network, by one rule "up to 2h, 3 a week". Columns: how long she
   wants it; how often the rule has granted something in this week (of that: by a rule that is not there any more).
"""


WIDENING = """\
5. How many have to agree to a change of rules. Columns: approvals of the network before; "all": [policy] four_eyes. The
   network lets in @in and @other (both have to ask), exempts, lets decide and break glass @in, opens tcp/5000-5500 on Monday
   08-18 and Tuesday 08-12, approves "@in up to 2h, 3 a week", and asks two.
"""


def person(**lists: str) -> Person:
    """alice, with the groups that make these lists what they are for her."""
    return Person(
        name="alice",
        exists=Answer.YES,
        uid=1001,
        groups=frozenset(name for name, what in lists.items() if what == "in"),
        unavailable=frozenset(name for name, what in lists.items() if what == "unknown"),
    )


def network(jit: str = "on", too: str = "-", **lists: str) -> Network:
    """A network with these lists."""
    named = {name: () if what == "none" else (f"@{name}",) for name, what in lists.items()}
    return replace(
        OFFICE,
        jit_enabled=jit == "on",
        jit_admins_too=too == "too",
        members=named.get("members", ()),
        jit_groups=named.get("groups", ()),
        jit_exempt=named.get("exempt", ()),
        approvers=named.get("approvers", ()),
        jit_break_glass=named.get("glass", ()),
    )


def verdict(who: str) -> Verdict:
    """What is known of whether she administers the gateway."""
    return Verdict(ADMINS[who], who)


def unresolved(groups: str) -> Verdict | None:
    """What the service says of a scope with a group that nobody knows the members of."""
    return Verdict(UNRESOLVED[groups], groups) if groups in UNRESOLVED else None


def can_be(one: Network) -> bool:
    """Whether jitd takes such a network."""
    try:
        settings.check(one)
    except JitError:
        return False
    return True


def access(one: Network, who: Person, admin: Verdict, missing: Verdict | None) -> str:
    """The cell of the first table."""
    if not can_be(one):
        return "-"
    member = policy.may_use(one, who, admin).answer
    standing = policy.has_standing(one, who, admin, missing).answer
    named = {
        (Answer.YES, Answer.YES): "open",
        (Answer.YES, Answer.NO): "ask",
        (Answer.YES, Answer.UNAVAILABLE): "ask?",
        (Answer.NO, Answer.NO): "closed",
        (Answer.UNAVAILABLE, Answer.NO): "?ask",
        (Answer.UNAVAILABLE, Answer.UNAVAILABLE): "unknown",
    }
    return named.get((member, standing), f"ODD:{member.value},{standing.value}")


def said(answer: Answer) -> str:
    """yes, no, unknown."""
    return "unknown" if answer is Answer.UNAVAILABLE else answer.value


def break_glass(one: Network, who: Person, admin: Verdict, left: int) -> Answer:
    """As `requests.request` judges an emergency: the member, the right, what is left of the quota."""
    answers = [policy.may_use(one, who, admin).answer, policy.may_break_glass(one, who).answer]
    answers.append(Answer.YES if left else Answer.NO)
    return next((one for one in (Answer.NO, Answer.UNAVAILABLE) if one in answers), Answer.YES)


def access_rows() -> Iterator[tuple[Sequence[str], list[str]]]:
    """(what the lists are, the cells) of the first table."""
    for members, groups, exempt in itertools.product(LISTS, (*LISTS, *UNRESOLVED), LISTS):
        lists = {"members": members, "groups": "out" if groups in UNRESOLVED else groups, "exempt": exempt}
        cells = [
            access(network(jit, too, **lists), person(**lists), verdict(admin), unresolved(groups))
            for jit, too in SWITCHES
            for admin in ADMINS
        ]
        if set(cells) != {"-"}:
            yield (members, groups, exempt), cells


def deciding_rows() -> Iterator[tuple[Sequence[str], list[str]]]:
    """The same of the second one."""
    for approvers in LISTS:
        one, who = network(approvers=approvers), person(approvers=approvers)
        yield (
            (approvers,),
            [said(policy.may_decide(one, who, verdict(admin)).answer) for admin in ADMINS],
        )


def breaking_rows() -> Iterator[tuple[Sequence[str], list[str]]]:
    """The same of the third one."""
    for members, glass in itertools.product(LISTS, LISTS):
        lists = {"members": members, "glass": glass}
        one, who = network(**lists), person(**lists)
        yield (
            (members, glass),
            [
                "/".join(said(break_glass(one, who, verdict(admin), left)) for left in (1, 0))
                for admin in ADMINS
            ],
        )


def approving_rows() -> Iterator[tuple[Sequence[str], list[str]]]:
    """The same of the fourth one."""
    for rule in LISTS[1:]:
        made = AutoApproval((f"@{rule}",), 2 * durations.HOUR, 3)
        one = replace(network(), jit_auto_approve=(made,))
        who = person(**{rule: rule})
        cells = []
        for wanted, (used, gone) in itertools.product((1, 2, 3), ((0, 0), (2, 0), (3, 0), (2, 1), (0, 3))):
            counts = {str(made): used, "@others up to 1h, 9 a week": gone}
            found, _ = policy.auto_approval(one, who, wanted * durations.HOUR, counts)
            cells.append("yes" if found else "no")
        yield (rule,), cells


#: One change of each setting that can let somebody in, each way, of a network where two have to agree.
CHANGES = (
    *(
        "members+=@new",
        "members-=@in",
        "members=",
        "approvers+=@new",
        "approvers-=@in",
        "approvals=1",
        "approvals=3",
    ),
    *(
        "routes=10.0.0.0/9",
        "routes=0.0.0.0/0",
        "ports=tcp/80",
        "ports=",
        "ports=tcp/5000-6000",
        "ports=tcp/5000-5100",
    ),
    *(
        "max_duration=4h",
        "max_duration=24h",
        "min_duration=1m",
        "default_duration=3h",
        "extend_beyond_max=on",
    ),
    *(
        "pending_ttl=2h",
        "reason=optional",
        "jit.enabled=off",
        "jit.groups=@new",
        "jit.groups+=@new",
        "jit.groups-=@in",
    ),
    *(
        "jit.groups=",
        "jit.exempt+=@new",
        "jit.exempt-=@in",
        "jit.admins_too=off",
        "jit.hours=",
        "jit.hours=Mon 08:00-12:00 UTC",
    ),
    *(
        "jit.hours-=Tue 08:00-12:00 UTC",
        "jit.break_glass+=@new",
        "jit.break_glass_max=2h",
        "jit.break_glass_quota=9",
    ),
    *("jit.auto_approve+=@new up to 1h, 1 a week", "jit.auto_approve=@in up to 1h, 2 a week"),
    *("jit.auto_approve+=@in up to 1h, 3 a week",),
    *("jit.auto_approve=@in up to 3h, 3 a week", "jit.auto_approve="),
)


def widening_rows() -> Iterator[tuple[Sequence[str], list[str]]]:
    """(a change, what it needs where one and where two have to agree, and with four eyes everywhere)."""
    strict = replace(
        network("on", "too"),
        approvers=("@in",),
        jit_exempt=("@in",),
        jit_break_glass=("@in",),
        members=("@in", "@other"),
        jit_groups=("@in", "@other"),
        ports=(parse_ports("tcp/5000-5500"),),
        jit_hours=(parse_hours("Mon 08:00-18:00 UTC"), parse_hours("Tue 08:00-12:00 UTC")),
        jit_auto_approve=(AutoApproval(("@in",), 2 * durations.HOUR, 3),),
        approvals=2,
    )
    for change in CHANGES:
        after = settings.with_changes(strict, [settings.parse_change(change)])
        keys = foureyes.widened(strict, after)
        cells = []
        for approvals, everywhere in ((1, False), (1, True), (2, False), (3, False)):
            one = replace(strict, approvals=approvals)
            wide = bool(keys) and foureyes.holds(one, everywhere=everywhere)
            cells.append(str(foureyes.quorum(one, everywhere=everywhere) if wide else 1))
        yield (change,), cells


def table(
    names: Sequence[str],
    heads: Sequence[Sequence[str]],
    rows: Callable[[], Iterator[tuple[Sequence[str], list[str]]]],
    width: int = 8,
    first: int = 12,
) -> list[str]:
    """The lines of one table; rows that begin alike stand together."""
    found, before = [], ""
    for number, head in enumerate(heads):
        left = "".join(f"{name:<{first}}" for name in names) if not number else " " * first * len(names)
        found.append(left + "| " + " ".join(f"{one:<{width}}" for one in head))
    for place, cells in rows():
        group = " ".join(place[:2]) if len(place) > 2 else place[0] if len(place) > 1 else ""
        if group != before:
            found.append("")
        before = group
        found.append(
            "".join(f"{one:<{first}}" for one in place) + "| " + " ".join(f"{one:<{width}}" for one in cells)
        )
    return [line.rstrip() for line in found]


def tables() -> str:
    """All of them as text."""
    callers = list(ADMINS)
    switches = [f"{jit},{too}" for jit, too in SWITCHES for _ in callers]
    counts = ["0", "2", "3", "3 (1)", "3 (3)"]
    wanted = [f"{hours}h" for hours in (1, 2, 3) for _ in counts]
    parts = [
        HEAD,
        ACCESS,
        *table(["members", "jit.groups", "jit.exempt"], [switches, callers * len(SWITCHES)], access_rows),
        "",
        DECIDING,
        *table(["approvers"], [callers], deciding_rows),
        "",
        BREAKING,
        *table(["members", "break_glass"], [callers], breaking_rows, 16),
        "",
        APPROVING,
        *table(["the rule"], [wanted, counts * 3], approving_rows, 5),
        "",
        WIDENING,
        *table(["the change"], [["1", "1, all", "2", "3"]], widening_rows, 8, 48),
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(tables(), end="")
