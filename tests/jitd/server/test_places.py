"""Who gets a place, and who gives way."""

from functools import partial
from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.server.administrators import Administrators
from jitd.server.places import Place, Places


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """The second."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def busy(places: Places, person: int, *, admin: bool = False) -> Place:
    """A place whose connection is working."""
    place = places.enter(person, admin=admin)
    places.working(place)
    return place


def test_one_place_for_each_name_while_the_total_lasts(clock: Clock) -> None:
    """Attack: accounts that work without a pause take all they can. Half of the places stay for the firsts of others."""
    places = Places(total=120, reserved=20, per_user=16, now=clock)
    for account in range(4):
        with pytest.raises(JitError, match=r"cannot (open|serve) another connection"):
            for _ in range(1000):
                busy(places, account)
    assert places.taken <= 4 + 50
    for newcomer in range(1000, 1046):
        busy(places, newcomer)
    assert places.taken == 100


def test_when_everybody_has_one_the_reserve_is_left(clock: Clock) -> None:
    """With all places held by as many names, nobody gets one but root and administrators."""
    places = Places(total=16, reserved=8, per_user=16, now=clock)
    for person in range(1, 9):
        busy(places, person)
    with pytest.raises(JitError, match="all connections are in use"):
        busy(places, 9)
    for admin in (0, 77, 78):
        busy(places, admin, admin=True)
    # Nor does one of them hold the others out.
    with pytest.raises(JitError, match="all connections are in use"):
        for _ in range(8):
            busy(places, 77, admin=True)
    busy(places, 0, admin=True)


def test_idle_ones_give_way_those_first_who_have_most(clock: Clock) -> None:
    """Somebody new gets the place of the connection that has been idle longest, of whoever has most of them."""
    places = Places(total=6, reserved=2, per_user=16, now=clock)
    gone: list[int] = []
    for at, person in enumerate((1, 1, 2, 3)):
        clock.now = float(at)
        places.enter(person, admin=False).give_way = partial(gone.append, at)
    clock.now = 3.5
    busy(places, 4)
    assert gone == [0]
    # Now all have one: what has been idle longest goes, and nothing that is younger than a second.
    busy(places, 5)
    assert gone == [0, 1]
    busy(places, 6)
    assert gone == [0, 1, 2]
    with pytest.raises(JitError, match="all connections are in use"):
        busy(places, 7)
    assert places.taken == 4


def test_nobody_gives_way_for_the_second_place_of_another(clock: Clock) -> None:
    """Who has as many as everybody else gets no further one at their cost."""
    places = Places(total=4, reserved=0, per_user=16, now=clock)
    gone = []
    for person in (1, 2, 3, 4):
        places.enter(person, admin=False).give_way = lambda: gone.append(1)
    clock.now = 100
    with pytest.raises(JitError, match="all connections are in use"):
        places.enter(1, admin=False)
    assert gone == []


def test_a_place_that_was_given_away_is_given_back_once(clock: Clock) -> None:
    """The end of a connection that gave way frees nothing of somebody else's."""
    places = Places(total=2, reserved=0, per_user=16, now=clock)
    first = places.enter(1, admin=False)
    places.enter(2, admin=False)
    clock.now = 10
    places.enter(3, admin=False)
    assert places.taken == 2
    places.leave(first)
    assert places.taken == 2


def test_whoever_speaks_through_a_gate_counts_for_themselves(clock: Clock) -> None:
    """Attack: one contractor behind a shared account takes all places of that account. The others have their own."""
    places = Places(total=100, reserved=0, per_user=4, now=clock)
    for _ in range(4):
        places.move(places.enter(1000, admin=False), "mallory")
    extra = places.enter(1000, admin=False)
    with pytest.raises(JitError, match="you have 4 open"):
        places.move(extra, "mallory")
    places.move(extra, "zoe")
    assert places.taken == 5


def test_administrators_are_remembered_over_a_restart(tmp_path: Path) -> None:
    """Attack: all connections are in use when jitd starts, and nobody has told it yet who is an
    administrator.
    """
    before = Administrators(0, tmp_path)
    assert before.learn(1004, admin=True)
    assert not before.learn(1004, admin=True)
    before.save()
    after = Administrators(0, tmp_path)
    assert 1004 in after
    assert 1005 not in after
    # Who is none any more loses the place with the next answer.
    assert after.learn(1004, admin=False)
    after.save()
    assert 1004 not in Administrators(0, tmp_path)


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"[[], {}, null, true, -1]", b"\xff" * 100_000])
def test_a_damaged_memory_of_administrators_is_no_failure(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in the file, jitd starts; root is one all the same."""
    (tmp_path / "administrators").write_bytes(content)
    found = Administrators(0, tmp_path)
    assert 0 in found
    assert 1000 not in found
