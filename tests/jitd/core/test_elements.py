"""Members of networks with a timeout: what reasons give, and what has to be done."""

from ipaddress import ip_address, ip_network

from jitd.core import elements
from jitd.core.elements import EARLY_MS, LATE_MS, LEASE_MS, Element, Reading, Right, SetEntry
from jitd.core.peers import Reason

IP = ip_address("10.9.0.2")
ONE = frozenset({ip_network("10.9.0.2/32")})
ENTRY = SetEntry(1, IP)


def grant(left_ms: int | None, network_id: int = 1, *, paused: bool = False) -> Reason:
    return Reason(
        kind="grant", network="office", why="", paused=paused, network_id=network_id, left_ms=left_ms
    )


def test_the_longest_reason_counts() -> None:
    """Of a grant and a standing right the longer one is what the kernel counts; each network is its own."""
    assert elements.rights(ONE, [grant(5000), grant(9000), grant(7000, 2)]) == {
        ENTRY: Right(9000, False),
        SetEntry(2, IP): Right(7000, False),
    }
    assert elements.rights(ONE, [grant(5000), grant(None)]) == {ENTRY: Right(LEASE_MS, True)}
    assert elements.rights(ONE, [grant(2 * LEASE_MS), grant(None)]) == {ENTRY: Right(2 * LEASE_MS, False)}


def test_paused_and_over_give_nothing() -> None:
    """A paused grant, one without time left, and an interface that is not enforced make no entry."""
    unenforced = Reason(kind="unenforced", network="", why="")
    assert elements.rights(ONE, [grant(5000, paused=True), grant(0), unenforced]) == {}


def test_wide_tunnels_are_no_members() -> None:
    """All addresses of a small network are members, and none of one that is too large."""
    small, large = ip_network("10.7.0.0/30"), ip_network("10.8.0.0/16")
    assert len(elements.rights([small], [grant(5000)])) == 4
    assert elements.rights([small, large], [grant(5000)]) == {}


NOW = Reading()


def difference(
    wanted: Right | None, least: int | None, most: int | None = None, reading: Reading = NOW
) -> tuple[bool, bool, bool, bool]:
    """Of one entry."""
    actual = {} if least is None else {ENTRY: Element(1, IP, least, most if most is not None else least)}
    found = elements.difference({} if wanted is None else {ENTRY: wanted}, actual, reading)
    return (bool(found.given), bool(found.removals), bool(found.missing), bool(found.too_long))


def test_what_agrees_is_left_alone() -> None:
    """Within what ticks and reading take, nothing is done."""
    for least in (60_000, 60_000 + LATE_MS, 60_000 - EARLY_MS):
        assert difference(Right(60_000, False), least) == (False, False, False, False)
    assert difference(Right(60_000, False), 57_000, 57_100, Reading(2900, 3000)) == (False,) * 4
    assert (
        difference(Right(LEASE_MS, True), LEASE_MS - 3000, LEASE_MS - 3000, Reading(3000, 3000))
        == (False,) * 4
    )


def test_what_differs_is_named() -> None:
    """Too long in one copy, missing in another, not there, there without a right: each is repaired, and told apart."""
    right = Right(60_000, False)
    assert difference(right, 60_000, 70_000) == (True, False, False, True)
    assert difference(right, 0, 60_000) == (True, False, False, False)
    assert difference(right, None) == (True, False, True, False)
    assert difference(None, 60_000) == (False, True, False, False)
    assert difference(Right(LEASE_MS, True), LEASE_MS // 2 - 1) == (True, False, False, False)
    # After a pass of three seconds the element of before is not too long.
    assert difference(right, 57_000, 60_000, Reading(3000, 3000)) == (True, False, False, True)


def test_in_its_last_moments_a_member_may_be_gone() -> None:
    """The kernel's ticks end it a little before the grant: that is no repair."""
    assert difference(Right(EARLY_MS, False), None) == (False,) * 4
