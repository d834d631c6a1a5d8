"""What holds for every policy and everybody: restrictions never give more, and nothing outlives what caps it."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jitd.core import durations, policy, settings, terms
from jitd.core.errors import JitError
from jitd.core.hours import parse_hours
from jitd.core.model import REGISTERED, Account, Actor, AutoApproval, Grant, Network
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict
from jitd.core.policyfile import usual
from jitd.core.terms import Wish

HOUR, MINUTE = durations.HOUR, durations.MINUTE
#: Monday 2026-11-23, 12:00 UTC.
NOON = 1_795_435_200_000
GROUPS = ("staff", "dev", "oncall", "dba")
WINDOWS = (
    "Mon-Fri 08:00-18:00 UTC",
    "daily 00:00-24:00 UTC",
    "Sat 22:00-06:00 Europe/Berlin",
    "Mon 11:00-13:00 UTC",
)

groups = st.frozensets(st.sampled_from(GROUPS))
principals = st.frozensets(st.sampled_from([*(f"@{group}" for group in GROUPS), "alice", "bob"]))
people = st.builds(
    lambda mine, unknown: Person(
        name="alice", exists=Answer.YES, uid=1001, groups=mine - unknown, unavailable=unknown
    ),
    groups,
    groups,
)
verdicts = st.sampled_from([Verdict(answer, answer.value) for answer in Answer])
unresolved = st.sampled_from([None, Verdict(Answer.YES, "gone"), Verdict(Answer.UNAVAILABLE, "down")])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A network whose settings go together."""
    scoped = draw(principals)
    jit = draw(st.booleans())
    members = draw(principals)
    assume(members or (jit and not scoped))
    most = draw(st.integers(1, 48)) * HOUR
    usually = draw(st.integers(1, most // MINUTE)) * MINUTE
    made = replace(
        usual("office", 0),
        id=1,
        routes=(ip_network("10.0.0.0/8"),),
        jit_enabled=jit,
        members=tuple(sorted(members)),
        jit_groups=tuple(sorted(scoped)),
        jit_exempt=tuple(sorted(draw(principals))),
        jit_admins_too=draw(st.booleans()),
        approvers=tuple(sorted(draw(principals))),
        jit_break_glass=tuple(sorted(draw(principals))),
        jit_auto_approve=tuple(
            AutoApproval(tuple(sorted(who)), min(hours * HOUR, most), often)
            for who, hours, often in draw(
                st.lists(
                    st.tuples(principals.filter(bool), st.integers(1, 48), st.integers(1, 9)), max_size=2
                )
            )
        ),
        max_duration_ms=most,
        default_duration_ms=usually,
        min_duration_ms=draw(st.integers(1, usually // MINUTE)) * MINUTE,
        extend_beyond_max=draw(st.booleans()),
        jit_break_glass_max_ms=draw(st.integers(1, 48)) * HOUR,
        jit_hours=tuple(
            parse_hours(one) for one in draw(st.lists(st.sampled_from(WINDOWS), max_size=2, unique=True))
        ),
    )
    settings.check(made)  # these laws are about networks that there can be
    # Some rules mean the alice of now, some one who had the name before, and of some nobody knows yet.
    return made.bind(None, lambda name: 1002 if name == "bob" else draw(st.sampled_from([1001, 1777, None])))


def rights(one: Network, who: Person, admin: Verdict, missing: Verdict | None = None) -> set[str]:
    """What somebody may, for sure."""
    return {
        name
        for name, verdict in (
            ("use", policy.may_use(one, who, admin)),
            ("standing", policy.has_standing(one, who, admin, missing)),
            ("decide", policy.may_decide(one, who, admin)),
            ("break", policy.may_break_glass(one, who)),
        )
        if verdict
    }


@given(networks(), people, verdicts, unresolved, st.data())
def test_a_restriction_never_gives_anyone_more(
    one: Network, who: Person, admin: Verdict, missing: Verdict | None, data: st.DataObject
) -> None:
    """To take somebody off a list that opens, to put somebody into the scope, to switch JIT on: nobody gains by it."""
    before = rights(one, who, admin, missing)
    field = data.draw(
        st.sampled_from(
            [
                "members",
                "jit_exempt",
                "approvers",
                "jit_break_glass",
                "jit_groups",
                "jit_enabled",
                "jit_admins_too",
            ]
        )
    )
    match field:
        case "jit_enabled":
            after = replace(one, jit_enabled=True)
        case "jit_admins_too":
            after = replace(one, jit_admins_too=True)
        case "jit_groups":
            # Empty means everybody: that is the widest scope.
            wider = (
                ()
                if not one.jit_groups
                else (*one.jit_groups, data.draw(st.sampled_from(["@staff", "alice"])))
            )
            after = replace(one, jit_groups=wider)
        case _:
            kept = getattr(one, field)[1:]
            assume(field != "members" or kept)  # none: everybody may ask, which is more
            after = replace(one, **{field: kept})
    assert rights(after, who, admin, missing) <= before


@given(networks(), people, verdicts)
def test_a_group_that_cannot_be_resolved_gives_nobody_more(one: Network, who: Person, admin: Verdict) -> None:
    """Neither one that is gone nor one that cannot be looked up."""
    for missing in (Verdict(Answer.YES, "gone"), Verdict(Answer.UNAVAILABLE, "down")):
        assert rights(one, who, admin, missing) <= rights(one, who, admin)


@given(networks(), people, verdicts, st.data())
def test_what_cannot_be_looked_up_gives_nobody_more(
    one: Network, who: Person, admin: Verdict, data: st.DataObject
) -> None:
    """A person with a group in doubt has no right that she would not have with it and without it."""
    group = data.draw(st.sampled_from(GROUPS))
    known = who.unavailable - {group}
    doubt = replace(who, groups=who.groups - {group}, unavailable=known | {group})
    inside = replace(doubt, groups=doubt.groups | {group}, unavailable=known)
    outside = replace(doubt, unavailable=known)
    assert rights(one, doubt, admin) <= rights(one, inside, admin) & rights(one, outside, admin)


@given(networks(), people, verdicts, unresolved)
def test_exempt_beats_scope(one: Network, who: Person, admin: Verdict, missing: Verdict | None) -> None:
    """Who is exempt for sure never has to ask, whatever the scope says; and has access if he may use it at all."""
    one = replace(one, jit_exempt=(*one.jit_exempt, "alice"))
    one = one.bind(replace(one, jit_exempt=()), lambda _: 1001)
    assert policy.must_ask(one, who, admin, missing).answer is Answer.NO
    member = policy.may_use(one, who, admin)
    if one.jit_enabled:
        assert policy.has_standing(one, who, admin, missing).answer is member.answer


@given(
    st.one_of(st.none(), st.integers(-60, 60)),
    st.sampled_from([None, "", "left"]),
    st.sampled_from(list(Answer)),
    st.sampled_from([1001, 1002]),
    st.booleans(),
)
def test_nothing_makes_up_for_an_account_that_does_not_count(
    minutes: int | None, disabled: str | None, exists: Answer, uid: int, can_log_in: bool
) -> None:
    """Disabled, over, gone, somebody else or expired: each alone is enough, and only a sure yes to all is one."""
    ends_ms = None if minutes is None else NOON + minutes * MINUTE
    account = Account(id=1, uid=1001, name="alice", ends_ms=ends_ms, disabled=disabled)
    who = Person(name="alice", exists=exists, uid=uid, can_log_in=can_log_in)
    verdict = policy.is_same_account(account, who, NOON)
    surely_not = disabled is not None or (ends_ms is not None and ends_ms <= NOON)
    if surely_not or exists is Answer.NO:
        assert verdict.answer is Answer.NO
    assert bool(verdict) is (not surely_not and exists is Answer.YES and uid == 1001 and can_log_in)


def term_of(
    one: Network, account: Account, starts_ms: int, wish: Wish, *, emergency: bool
) -> terms.Term | None:
    """The term, None where it is refused."""
    try:
        return terms.term(one, account, starts_ms, [wish], break_glass=emergency)
    except JitError:
        return None


wishes = st.one_of(
    st.just(Wish()),
    st.integers(1, 60 * 24 * 3).map(lambda minutes: Wish(minutes * MINUTE)),
    st.integers(-60, 60 * 24 * 3).map(lambda minutes: Wish(until_ms=NOON + minutes * MINUTE)),
)
starts = st.integers(0, 60 * 24 * 8).map(lambda minutes: NOON + minutes * MINUTE)
accounts = st.one_of(
    st.just(Account(id=1, uid=1001, name="alice")),
    st.integers(1, 60 * 24 * 9).map(
        lambda minutes: Account(id=1, uid=1001, name="alice", ends_ms=NOON + minutes * MINUTE)
    ),
)


@given(networks(), accounts, starts, wishes, st.booleans())
def test_no_term_outlives_what_caps_it(
    one: Network, account: Account, starts_ms: int, wish: Wish, emergency: bool
) -> None:
    """Not the maximum, not the shift, not the account; and where a cap made it shorter, the term names it."""
    term = term_of(one, account, starts_ms, wish, emergency=emergency)
    if term is None:
        return
    assert 0 < term.duration_ms <= (one.jit_break_glass_max_ms if emergency else one.max_duration_ms)
    assert account.ends_ms is None or term.ends_ms <= account.ends_ms
    if one.jit_hours and not emergency:
        from jitd.core import hours

        assert all(hours.is_open(one.jit_hours, at) for at in (term.starts_ms, term.ends_ms - 1))
    most = one.jit_break_glass_max_ms if emergency else one.max_duration_ms
    wished = wish.until_ms or starts_ms + (wish.duration_ms or min(one.default_duration_ms, most))
    assert term.ends_ms <= wished
    assert (term.why != "") == (term.ends_ms < wished)


@given(networks(), accounts, starts, wishes, st.sampled_from(["max", "min", "hours", "account"]))
def test_a_tighter_cap_never_makes_a_term_longer(
    one: Network, account: Account, starts_ms: int, wish: Wish, which: str
) -> None:
    """A lower maximum, a higher minimum, fewer hours, an earlier end: shorter, as long, or refused."""
    before = term_of(one, account, starts_ms, wish, emergency=False)
    if which == "max":
        most = max(one.min_duration_ms, one.max_duration_ms // 2)
        one = replace(one, max_duration_ms=most, default_duration_ms=min(one.default_duration_ms, most))
    elif which == "min":
        one = replace(one, min_duration_ms=one.default_duration_ms)
    elif which == "hours":
        one = replace(one, jit_hours=one.jit_hours[:1] or (parse_hours(WINDOWS[0]),))
    else:
        account = replace(account, ends_ms=min(account.ends_ms or NOON + HOUR, NOON + HOUR))
    after = term_of(one, account, starts_ms, wish, emergency=False)
    if after is not None:
        assert before is not None
        assert after.ends_ms <= before.ends_ms


@given(networks(), accounts, starts, st.integers(1, 60 * 48), wishes)
def test_no_extension_outlives_what_caps_it(
    one: Network, account: Account, starts_ms: int, minutes: int, wish: Wish
) -> None:
    """An extension ends after the grant that it lengthens, and within the maximum, the shift and the account."""
    first = term_of(one, account, starts_ms, Wish(minutes * MINUTE), emergency=False)
    if first is None:
        return
    grant = Grant(
        decided_ms=starts_ms,
        decided_by="carol",
        comment="",
        starts_ms=first.starts_ms,
        ends_ms=first.ends_ms,
        boot_id="b",
        ends_boot_ms=0,
    )
    try:
        more = terms.extended(one, account, grant, wish)
    except JitError:
        return
    assert (
        first.ends_ms
        < more.ends_ms
        <= (first.ends_ms if one.extend_beyond_max else starts_ms) + one.max_duration_ms
    )
    assert account.ends_ms is None or more.ends_ms <= account.ends_ms
    if one.jit_hours:
        from jitd.core import hours

        assert hours.is_open(one.jit_hours, more.ends_ms - 1)


@given(networks(), people, st.integers(1, 96), st.data())
def test_automatic_approval_needs_a_rule_that_says_so(
    one: Network, who: Person, hours: int, data: st.DataObject
) -> None:
    """The named rule is there, is for the person for sure, allows the duration, and is not used up."""
    used = {str(rule): data.draw(st.integers(0, 9)) for rule in one.jit_auto_approve}
    rule, why = policy.auto_approval(one, who, hours * HOUR, used)
    if rule is not None:
        assert rule in one.jit_auto_approve
        assert who.matches(rule.who, one.uids("jit_auto_approve")) is Answer.YES
        assert hours * HOUR <= rule.most_ms
        assert used[str(rule)] < rule.a_week
        assert str(rule) in why


@given(networks(), people, st.integers(1, 96), st.data())
def test_a_tighter_rule_never_approves_more(
    one: Network, who: Person, hours: int, data: st.DataObject
) -> None:
    """To take a rule away, or to write it for fewer people, less time or fewer times, approves nothing that was not
    approved before: what was granted by the rule as it was still counts.
    """
    # As settings read them: none twice.
    assume(one.jit_auto_approve and len(set(map(str, one.jit_auto_approve))) == len(one.jit_auto_approve))
    used = {str(rule): data.draw(st.integers(0, 9)) for rule in one.jit_auto_approve}
    before, _ = policy.auto_approval(one, who, hours * HOUR, used)
    at = data.draw(st.integers(0, len(one.jit_auto_approve) - 1))
    rule = one.jit_auto_approve[at]
    tighter = data.draw(
        st.sampled_from(
            [
                (),
                (replace(rule, who=rule.who[1:]),) if rule.who[1:] else (),
                (replace(rule, most_ms=max(HOUR, rule.most_ms // 2)),),
                (replace(rule, a_week=max(1, rule.a_week - 1)),),
            ]
        )
    )
    after = replace(
        one, jit_auto_approve=(*one.jit_auto_approve[:at], *tighter, *one.jit_auto_approve[at + 1 :])
    )
    found, _ = policy.auto_approval(after, who, hours * HOUR, used)
    assert before is not None or found is None


uids = st.sampled_from([0, 1001, 1002, 1003])
logins = st.sampled_from([None, 1001, 1002, 1003])


@given(uids, logins, uids, logins)
def test_the_same_person_is_symmetric(
    uid: int, login: int | None, other: int, other_login: int | None
) -> None:
    """Who is the same person as the other one, is so the other way round, and everybody is one with himself."""
    assert policy.same_person(uid, login, other, other_login) == policy.same_person(
        other, other_login, uid, login
    )
    assert policy.same_person(uid, login, uid, login)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((0, 1001), (0, 1002), False),
        ((0, 1001), (1001, 1001), True),
        ((0, 1001), (1001, None), True),
        ((0, None), (0, None), True),
        ((0, None), (0, 1001), False),
        ((1001, 1001), (1002, 1002), False),
        ((1002, 1001), (1001, 1001), True),
    ],
)
def test_two_behind_sudo_are_two(
    one: tuple[int, int | None], other: tuple[int, int | None], same: bool
) -> None:
    """Root is who logged in; two of whom nobody knows who logged in are one."""
    assert policy.same_person(*one, *other) is same


def test_contractors_share_a_uid_and_nothing_else() -> None:
    """What is zoe's is not yan's, although neither is a user of the system."""
    zoe = Account(id=1, uid=REGISTERED, name="zoe")
    assert policy.is_own(Actor(uid=REGISTERED, user="zoe"), zoe)
    assert not policy.is_own(Actor(uid=REGISTERED, user="yan"), zoe)


@given(networks(), verdicts, unresolved, st.integers(2000, 3000))
def test_a_name_alone_is_nobody(one: Network, admin: Verdict, missing: Verdict | None, uid: int) -> None:
    """Attack: an account is made under the name that rules give something to. A uid that no rule means has no more than
    somebody whom no rule names at all, and has to ask where the name had to.
    """
    assume(admin.answer is not Answer.YES)
    successor = Person(name="alice", exists=Answer.YES, uid=uid)
    stranger = replace(successor, name="nobody")
    assert rights(one, successor, admin, missing) <= rights(one, stranger, admin, missing)
    for rule in (None, one.jit_auto_approve):
        if rule:
            found, _ = policy.auto_approval(one, successor, HOUR, {})
            assert found is None
