"""Lists by who asked, who decided and when; what somebody may decide; and what was meant by a slip."""

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import listing
from jitd.verbs import grants, networks
from support.service import ALICE, BOB, CAROL, HOUR, ROOT, World


async def users(world: World, caller: Actor, **query: object) -> list[str]:
    """Whose requests somebody is shown."""
    return [one["user"] for one in (await world.ask(listing.list_, caller, **query))["requests"]]


async def test_by_who_decided(office: World) -> None:
    """--managed-by is who granted or denied, and who revoked after that."""
    await office.granted(ALICE)
    number = await office.asked(BOB)
    await office.do(grants.deny, CAROL, id=number, comment="no")
    assert await users(office, ROOT, managed_by="carol") == ["bob"]
    assert await users(office, ROOT, managed_by="root") == ["alice"]
    await office.do(grants.revoke, CAROL, id=1, comment="no")
    assert await users(office, ROOT, managed_by="carol") == ["bob", "alice"]


async def test_what_was_asked_for_a_network_that_is_gone(office: World) -> None:
    """Its requests stay in the list, under the name that it had."""
    number = await office.asked(ALICE)
    await office.do(networks.remove, ROOT, name="office")
    (one,) = (await office.ask(listing.list_, ROOT))["requests"]
    assert (one["id"], one["network"], one["status"]) == (number, "office", "lapsed")
    assert await users(office, ROOT, network="office") == ["alice"]


async def test_mine_and_what_i_may_decide(office: World) -> None:
    """An approver's own request is his, and nothing that he may decide; what is decided is not to decide."""
    await office.do(networks.set_, ROOT, name="office", changes=["approvers=bob"])
    await office.asked(ALICE)
    await office.asked(BOB)
    assert await users(office, BOB, mine=True) == ["bob"]
    assert await users(office, BOB, decidable=True) == ["alice"]
    assert await users(office, ALICE, decidable=True) == []
    assert set(await users(office, CAROL, decidable=True)) == {"alice", "bob"}
    assert await users(office, CAROL, mine=True) == []
    await office.do(grants.grant, BOB, id=1, duration=HOUR)
    assert await users(office, BOB, decidable=True) == []
    assert await users(office, BOB, decidable=True, status=["active"]) == []


async def test_by_group(office: World) -> None:
    """The members of a group as the system has them, for administrators alone."""
    office.people.put_into("alice", "night")
    await office.asked(ALICE)
    await office.asked(BOB)
    assert await users(office, ROOT, group="night") == ["alice"]
    assert await users(office, ROOT, group="night", user="bob") == []
    assert await users(office, ROOT, group="nobody-is-in-it") == []
    with pytest.raises(JitError, match="cannot list by group as bob"):
        await users(office, BOB, group="night")


async def test_by_time_and_in_order(office: World) -> None:
    """Since and until bound when it was asked; newest, oldest and the next end are orders."""
    await office.granted(ALICE, duration=3 * HOUR)
    then = office.clock.now_ms()
    await office.advance(HOUR)
    await office.granted(BOB, duration=HOUR)
    assert await users(office, ROOT, since=then + 1) == ["bob"]
    assert await users(office, ROOT, until=then) == ["alice"]
    assert await users(office, ROOT, sort="newest") == ["bob", "alice"]
    assert await users(office, ROOT, sort="oldest") == ["alice", "bob"]
    assert await users(office, ROOT, sort="left") == ["bob", "alice"]


async def test_counts_follow_every_transition(office: World) -> None:
    """The counts of the tabs are right for everybody, whatever happens to a request."""
    expected = {"pending": 0, "approved": 0, "denied": 0, "ended": 0}
    for verb, tab in ((grants.deny, "denied"), (grants.grant, "approved")):
        number = await office.asked(ALICE)
        for caller in (ROOT, ALICE):
            assert (await office.ask(listing.list_, caller))["counts"] == {**expected, "pending": 1}
        await office.do(verb, ROOT, id=number)
        expected[tab] += 1
        assert (await office.ask(listing.list_, ALICE))["counts"] == expected
    await office.advance(24 * HOUR)
    expected |= {"approved": 0, "ended": 1}
    assert (await office.ask(listing.list_, ROOT))["counts"] == expected
    assert (await office.ask(listing.list_, BOB))["counts"] == dict.fromkeys(expected, 0)


async def test_a_slip_is_understood(office: World) -> None:
    """A network is suggested; one that somebody may not know of is not."""
    with pytest.raises(JitError) as caught:
        await office.do(networks.set_, ROOT, name="offce", changes=[])
    assert caught.value.hint == "Did you mean office?"
    await office.do(networks.set_, ROOT, name="office", changes=["members=bob"])
    with pytest.raises(JitError) as caught:
        await office.asked(ALICE, network="offce")
    assert caught.value.hint == "See jitctl status"
    # One that is there, and not for the caller, is told in the same words.
    with pytest.raises(JitError) as caught:
        await office.asked(ALICE, network="office")
    assert str(caught.value.message) == "cannot find a network 'office'"
    assert caught.value.hint == "See jitctl status"


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ("logs", []),
        ("OPS-12 naïve 日本", []),
        ("🔥", ["🔥"]),
        ("logs 🔥", ["🔥"]),
        ("C++ --", ["C++", "--"]),
        ("5€ a+b", ["5€", "a+b"]),
    ],
)
async def test_emoji_and_signs_are_told_to_be_left_out(office: World, search: str, told: list[str]) -> None:
    """What the index does not have is named in the answer, which otherwise looks as if there were none."""
    await office.asked(ALICE, reason="🔥 C++ logs 5€")
    reply = await office.ask(listing.list_, ROOT, search=search)
    assert reply["not_searched"] == told
    counted = await office.ask(listing.list_, ROOT, search=search, count=True)
    assert counted["not_searched"] == told
