"""Who may do what, for how long."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from jitd.core import durations, policy
from jitd.core.model import Account, Actor, Network
from jitd.core.people import Answer, Person

OFFICE = Network(
    id=1,
    name="office",
    interface_id=1,
    routes=(ip_network("10.0.0.0/8"),),
    ports=(),
    jit_enabled=True,
    members=(),
    default_duration_ms=2 * durations.HOUR,
    max_duration_ms=8 * durations.HOUR,
    pending_ttl_ms=86_400_000,
    created_ms=0,
)
ALICE = Person(name="alice", exists=Answer.YES, uid=1001, groups=frozenset({"alice", "staff"}))
LDAP_DOWN = Person(name="alice", exists=Answer.UNAVAILABLE, everything_unavailable=True)
NOBODY = Person(name="alice", exists=Answer.NO)


@pytest.mark.parametrize(
    ("uid", "person", "groups", "expected"),
    [
        (0, NOBODY, [], Answer.YES),
        (500, NOBODY, [], Answer.YES),
        (1001, ALICE, [], Answer.NO),
        (1001, ALICE, ["wheel"], Answer.NO),
        (1001, ALICE, ["wheel", "staff"], Answer.YES),
        (1001, LDAP_DOWN, ["wheel"], Answer.UNAVAILABLE),
        (1001, replace(ALICE, unavailable=frozenset({"wheel"})), ["wheel"], Answer.UNAVAILABLE),
        (1001, replace(ALICE, unavailable=frozenset({"wheel"})), ["wheel", "staff"], Answer.YES),
        (1001, LDAP_DOWN, [], Answer.NO),
    ],
)
def test_administrators(uid: int, person: Person, groups: list[str], expected: Answer) -> None:
    """Root, the daemon's own uid (500 here) and members of the admin groups; what is not known is not a yes."""
    verdict = policy.is_admin(uid, person, groups, daemon_uid=500)
    assert verdict.answer is expected
    assert bool(verdict) is (expected is Answer.YES)


ADMIN = policy.Verdict(Answer.YES, "")
USER = policy.Verdict(Answer.NO, "")
UNSURE = policy.Verdict(Answer.UNAVAILABLE, "")


@pytest.mark.parametrize(
    ("jit", "members", "person", "admin", "expected"),
    [
        (True, (), ALICE, USER, Answer.NO),
        (True, ("alice",), ALICE, USER, Answer.NO),
        (True, (), ALICE, ADMIN, Answer.YES),
        (True, (), ALICE, UNSURE, Answer.UNAVAILABLE),
        (False, ("alice",), ALICE, USER, Answer.YES),
        (False, ("@staff",), ALICE, USER, Answer.YES),
        (False, ("@wheel",), ALICE, USER, Answer.NO),
        (False, ("bob",), ALICE, ADMIN, Answer.YES),
        (False, ("@staff",), LDAP_DOWN, USER, Answer.UNAVAILABLE),
        (False, ("@nosuch",), ALICE, USER, Answer.NO),
    ],
)
def test_standing_access(
    jit: bool, members: tuple[str, ...], person: Person, admin: policy.Verdict, expected: Answer
) -> None:
    """JIT on: administrators only. JIT off: members and administrators. Not known is not a yes."""
    network = replace(OFFICE, jit_enabled=jit, members=members).bind(None, {"alice": 1001, "bob": 1002}.get)
    assert policy.has_standing(network, person, admin, None).answer is expected


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (ALICE, Answer.YES),
        (replace(ALICE, uid=1002), Answer.NO),
        (replace(ALICE, can_log_in=False), Answer.NO),
        (NOBODY, Answer.NO),
        (LDAP_DOWN, Answer.UNAVAILABLE),
    ],
)
def test_an_account_is_a_uid_and_a_name(person: Person, expected: Answer) -> None:
    """The same name with another uid is another person; one who may not log in has nothing."""
    assert policy.is_same_account(Account(id=1, uid=1001, name="alice"), person, 0).answer is expected


@pytest.mark.parametrize(
    ("uid", "user", "login", "own", "may_be"),
    [
        (1001, "alice", (1001, "alice"), True, True),
        (0, "root", (1001, "alice"), True, True),  # behind sudo
        (1001, "alice", (None, None), True, True),
        (0, "root", (1002, "bob"), False, False),
        (0, "root", (None, None), False, False),
        (1002, "bob", (1001, "alice"), False, True),  # only a claim: it forbids, and never allows
        (1001, "alice", (1002, "bob"), True, True),
        (1001, "anna", (1001, "anna"), False, False),  # alice's uid came back with another name
        (1777, "alice", (1777, "alice"), False, False),  # and her name with another uid
        (0, "root", (1001, "anna"), False, False),
        (1002, "bob", (1001, None), False, True),  # nobody can tell now whose login it is
    ],
)
def test_whose_request_it_is(
    uid: int, user: str, login: tuple[int | None, str | None], own: bool, may_be: bool
) -> None:
    """A request is the caller's own if uid and name are its user's; who logged in counts behind root alone."""
    actor = Actor(uid=uid, user=user, login_uid=login[0], login_user=login[1])
    account = Account(id=1, uid=1001, name="alice")
    assert (policy.is_own(actor, account), policy.may_be_own(actor, account)) == (own, may_be)
