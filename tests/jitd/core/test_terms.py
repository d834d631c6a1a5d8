"""For how long, and when."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from jitd.core import durations, terms
from jitd.core.errors import JitError
from jitd.core.hours import parse_hours
from jitd.core.model import Account, Grant, Network
from jitd.core.terms import Term, Wish

HOUR = durations.HOUR
#: Monday 2026-11-23, 12:00 UTC.
NOON = 1_795_435_200_000
ALICE = Account(id=1, uid=1001, name="alice")
OFFICE = Network(
    id=1,
    name="office",
    interface_id=1,
    routes=(ip_network("10.0.0.0/8"),),
    ports=(),
    jit_enabled=True,
    members=(),
    default_duration_ms=2 * HOUR,
    max_duration_ms=8 * HOUR,
    min_duration_ms=60_000,
    pending_ttl_ms=86_400_000,
    created_ms=0,
)
SHIFT = replace(OFFICE, jit_hours=(parse_hours("Mon-Fri 08:00-18:00 UTC"),))


def refused(network: Network, *wishes: Wish, account: Account = ALICE, at_ms: int = NOON) -> JitError:
    """The refusal of a term."""
    with pytest.raises(JitError) as caught:
        terms.term(network, account, at_ms, wishes)
    return caught.value


def test_durations_fall_back_in_order() -> None:
    """What the decider gave, else what was wished, else the network's default."""
    given, wished = Wish(3 * HOUR), Wish(4 * HOUR)
    assert terms.term(OFFICE, ALICE, NOON, [given, wished]).duration_ms == 3 * HOUR
    assert terms.term(OFFICE, ALICE, NOON, [Wish(), wished]).duration_ms == 4 * HOUR
    assert terms.term(OFFICE, ALICE, NOON, [Wish(), Wish()]).duration_ms == 2 * HOUR
    assert terms.term(OFFICE, ALICE, NOON, [Wish(until_ms=NOON + HOUR)]) == Term(NOON, NOON + HOUR, "")


def test_the_maximum_is_named() -> None:
    """A grant above the network's maximum is refused, and the answer names the maximum; so is an end beyond it."""
    error = refused(OFFICE, Wish(9 * HOUR))
    assert error.code == "refused"
    assert error.message == "cannot give access to office for 9h: its maximum is 8h"
    assert error.hint == "Use --duration 8h or less."
    assert refused(OFFICE, Wish(until_ms=NOON + 9 * HOUR)).message == error.message


def test_the_minimum_is_named() -> None:
    """A wish below the minimum is refused; the end of a shift may make access shorter than that."""
    assert refused(OFFICE, Wish(30_000)).message == "cannot give access to office for 30s: its minimum is 1m"
    late = NOON + 6 * HOUR - 30_000
    assert terms.term(SHIFT, ALICE, late, [Wish(HOUR)]).duration_ms == 30_000


@pytest.mark.parametrize("given_ms", [0, -1, 999])
def test_nothing_is_granted_for_no_time(given_ms: int) -> None:
    """Less than a second, zero and negative durations are errors; so is an end that is over."""
    assert refused(OFFICE, Wish(given_ms)).code == "bad_request"
    assert refused(OFFICE, Wish(until_ms=NOON + given_ms)).code == "bad_request"


def test_access_ends_with_the_shift_and_says_so() -> None:
    """The smallest cap wins and is named: the shift, or the account where that ends before."""
    term = terms.term(SHIFT, ALICE, NOON, [Wish(8 * HOUR)])
    assert term.ends_ms == NOON + 6 * HOUR
    assert term.why.startswith("the shift ends at 2026-11-23 18:00")
    soon = replace(ALICE, ends_ms=NOON + HOUR)
    term = terms.term(SHIFT, soon, NOON, [Wish(8 * HOUR)])
    assert (term.ends_ms, term.why) == (NOON + HOUR, "the end date of alice is then")


def test_nothing_opens_outside_the_hours() -> None:
    """Outside the hours it is refused, with the moment when it opens; an emergency keeps no hours."""
    night = NOON + 10 * HOUR
    error = refused(SHIFT, Wish(HOUR), at_ms=night)
    assert "its hours are Mon-Fri 08:00-18:00 UTC" in error.message
    assert "2026-11-24 08:00" in error.hint
    assert terms.term(SHIFT, ALICE, night, [Wish(HOUR)], break_glass=True).duration_ms == HOUR


def test_break_glass_has_its_own_maximum() -> None:
    """Break-glass gives the shorter of the default and its maximum, and no more than that maximum."""
    assert terms.term(OFFICE, ALICE, NOON, [], break_glass=True).duration_ms == HOUR
    with pytest.raises(JitError, match="break_glass_max"):
        terms.term(OFFICE, ALICE, NOON, [Wish(2 * HOUR)], break_glass=True)


def test_an_extension_counts_from_the_start() -> None:
    """The maximum counts from the grant's start; with extend_beyond_max from the end; the shift ends both."""
    grant = Grant(
        decided_ms=NOON,
        decided_by="carol",
        comment="",
        starts_ms=NOON,
        ends_ms=NOON + 7 * HOUR,
        boot_id="b",
        ends_boot_ms=0,
    )
    assert terms.extended(OFFICE, ALICE, grant, Wish(HOUR)).ends_ms == NOON + 8 * HOUR
    with pytest.raises(JitError, match="its maximum is 8h from the start") as caught:
        terms.extended(OFFICE, ALICE, grant, Wish(2 * HOUR))
    assert caught.value.hint == "Use --duration 1h or less."
    beyond = replace(OFFICE, extend_beyond_max=True)
    assert terms.extended(beyond, ALICE, grant, Wish(8 * HOUR)).ends_ms == NOON + 15 * HOUR
    short = replace(grant, ends_ms=NOON + 5 * HOUR)
    assert terms.extended(SHIFT, ALICE, short, Wish(2 * HOUR)).ends_ms == NOON + 6 * HOUR
    with pytest.raises(JitError, match="the shift ends at"):
        terms.extended(SHIFT, ALICE, replace(grant, ends_ms=NOON + 6 * HOUR), Wish(HOUR))
