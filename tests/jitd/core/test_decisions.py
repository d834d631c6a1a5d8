"""The tables of decisions, which people have reviewed, are what the code decides."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jitd.core import policy
from jitd.core.model import Network
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict
from support import decision_table as made

TABLE = Path(__file__).with_name("decisions.txt")


def test_the_tables_are_what_is_decided() -> None:
    """Each cell of them. A difference is a change of the policy: make the file anew and review the diff."""
    assert made.tables() == TABLE.read_text()


def test_the_tables_are_whole() -> None:
    """684 cells say what comes of a list, a switch and a caller, and all of it is a decision that has a name."""
    cells = [cell for _, row in made.access_rows() for cell in row]
    assert len(cells) == 76 * 9
    assert set(cells) == made.CELLS


def known(lists: dict[str, str], admin: str) -> Iterator[tuple[dict[str, str], str]]:
    """Everything that can be so where something cannot be looked up."""
    ways = [("in", "out") if what == "unknown" else (what,) for what in lists.values()]
    for way in itertools.product(*ways):
        for who in ("user", "admin") if admin == "unsure" else (admin,):
            yield dict(zip(lists, way, strict=True)), who


RULES: dict[str, Callable[[Network, Person, Verdict], Verdict]] = {
    "may_use": policy.may_use,
    "must_ask": lambda one, who, admin: policy.must_ask(one, who, admin, None),
    "has_standing": lambda one, who, admin: policy.has_standing(one, who, admin, None),
    "may_decide": policy.may_decide,
    "may_break_glass": lambda one, who, _: policy.may_break_glass(one, who),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_doubt_is_one_only_where_it_matters(rule: str) -> None:
    """Yes and no are said exactly where it would be so either way. An "unavailable" in place of a no keeps standing
    access for its grace; in place of a yes it ends it after that.
    """

    def decided(jit: str, too: str, lists: dict[str, str], admin: str) -> Answer:
        one: Network = made.network(jit, too, **lists)
        return RULES[rule](one, made.person(**lists), made.verdict(admin)).answer

    names = {"may_decide": ["approvers"], "may_break_glass": ["glass"]}
    keys = names.get(rule, ["members", "groups", "exempt"])
    for what in itertools.product(made.LISTS, repeat=len(keys)):
        lists = dict(zip(keys, what, strict=True))
        for (jit, too), admin in itertools.product(made.SWITCHES, made.ADMINS):
            if made.can_be(made.network(jit, too, **lists)):
                found = {decided(jit, too, *one) for one in known(lists, admin)}
                expected = found.pop() if len(found) == 1 else Answer.UNAVAILABLE
                assert decided(jit, too, lists, admin) is expected, (jit, too, lists, admin)
