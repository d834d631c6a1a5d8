"""How fast one person may change things, over a real socket and with a clock that the test moves."""

from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.core.model import REGISTERED, Actor
from jitd.server.administrators import Administrators
from jitd.server.rates import Rates
from jitd.server.route import Kind
from jitd.server.routes import ROUTES
from support.clock import TestClock

ALICE = Actor(uid=1000, user="alice")
BOB = Actor(uid=1001, user="bob")
CAROL = Actor(uid=1002, user="carol")
JITD = 500

#: What closes access, and the lists of an administrator's: no rate refuses them.
NEVER_REFUSED = {
    "/v1/cancel",
    "/v1/change/reject",
    "/v1/deny",
    "/v1/revoke",
    "/v1/freeze",
    "/v1/release",
    "/v1/pause",
    "/v1/network/remove",
    "/v1/interface/remove",
    "/v1/device/remove",
    "/v1/user/disable",
    "/v1/policy/apply",
    "/v1/device/import",
}


def _rates(clock: TestClock, *, per_minute: int = 5, per_day: int = 20) -> Rates:
    administrators = Administrators(JITD, Path("/nonexistent"))
    administrators.learn(CAROL.uid, admin=True)
    return Rates(JITD, administrators, clock, per_minute=per_minute, per_day=per_day)


def _taken(rates: Rates, actor: Actor, most: int = 10_000) -> int:
    """How many changes somebody can make at once."""
    for number in range(most):
        try:
            rates.take(actor)
        except JitError as error:
            assert error.code == "limit"
            return number
    return most


def test_the_table_says_what_is_never_refused() -> None:
    """An attack: to use up an administrator's allowance so that a revoke is refused. What closes is not counted."""
    assert {route.path for route in ROUTES if not route.counted} == NEVER_REFUSED
    assert all(route.kind is Kind.CHANGE for route in ROUTES if not route.counted)


def test_a_person_has_so_many_changes_a_minute_and_a_day() -> None:
    """An attack: one user's `device add` and `device remove --lost` in a loop wrote 10 GB a day."""
    clock = TestClock()
    rates = _rates(clock)
    assert _taken(rates, ALICE) == 5
    assert _taken(rates, BOB) == 5, "each has an allowance of their own"
    clock.advance(12_000)
    assert _taken(rates, ALICE) == 1, "a fifth of a minute gives a fifth of it back"
    for _ in range(60 * 24):
        clock.advance(60_000)
        _taken(rates, ALICE)
    taken = 0
    for _ in range(60 * 24):
        clock.advance(60_000)
        taken += _taken(rates, ALICE)
    assert taken == 20


def test_a_refusal_says_when_to_try_again() -> None:
    """The wait that is named is enough, and what never is refused is named."""
    clock = TestClock()
    rates = _rates(clock)
    _taken(rates, ALICE)
    with pytest.raises(JitError) as caught:
        rates.take(ALICE)
    assert caught.value.message == ("cannot change more now: alice may make 5 changes within a minute")
    assert caught.value.hint.startswith(
        "Try again in 12s. Verbs that close access are never limited: revoke,"
    )
    clock.advance(12_000)
    rates.take(ALICE)


def test_administrators_have_ten_times_as_many_and_root_any_number() -> None:
    """Who decides for many people may change more; who owns the store is not counted."""
    rates = _rates(TestClock())
    assert _taken(rates, CAROL) == 50
    assert _taken(rates, Actor(uid=0, user="root"), 500) == 500
    assert _taken(rates, Actor(uid=JITD, user="jitd"), 500) == 500


def test_people_behind_one_account_are_counted_apart() -> None:
    """Behind a gate the person counts who was named, not the account that they share."""
    rates = _rates(TestClock())
    assert _taken(rates, Actor(uid=REGISTERED, user="zoe")) == 5
    assert _taken(rates, Actor(uid=REGISTERED, user="yan")) == 5


def test_who_is_remembered_is_bounded() -> None:
    """An attack: many uids, to grow the table. Those whose allowance is full again are forgotten."""
    clock = TestClock()
    rates = _rates(clock)
    for uid in range(5000):
        clock.advance(86_400_000)
        rates.take(Actor(uid=10_000 + uid, user=f"u{uid}"))
    assert len(rates._of) <= 1024
