"""Asking, taking back, giving back, pausing."""

from pathlib import Path

import pytest

from jitd.core.configuration import Limits
from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.queries import listing, show
from jitd.verbs import devices, grants, holding, networks, removal, requests
from support.service import ALICE, BOB, HOUR, ROOT, World, key


async def test_a_request_is_pending_and_opens_nothing(office: World) -> None:
    """After a request the user's device is not on the interface."""
    reply = await office.do(requests.request, ALICE, reason="ticket 42", duration=HOUR)
    assert reply["request"]["status"] == "pending"
    assert reply["request"]["network"] == "office"
    assert reply["agrees"] is True
    assert office.peers() == {}


async def test_a_grant_opens_for_the_devices_of_its_user(office: World) -> None:
    """After the grant just that user's device is on the interface, with its own address."""
    await office.granted(ALICE)
    assert office.peers() == {"alice": frozenset({"10.9.0.2/32"})}


async def test_a_second_pending_request_is_refused_and_named(office: World) -> None:
    """While a request is pending, another one for the same network is a conflict that names it."""
    number = await office.asked()
    with pytest.raises(JitError) as caught:
        await office.asked()
    assert caught.value.code == "conflict"
    assert caught.value.message == f"cannot ask again for office: request {number} is pending"


async def test_a_request_while_active_names_extend(office: World) -> None:
    """While a grant is active, another request is refused and names the way to more time."""
    number = await office.granted()
    with pytest.raises(JitError) as caught:
        await office.asked()
    assert caught.value.code == "conflict"
    assert f"jitctl extend {number}" in caught.value.hint


async def test_what_is_open_says_so(office: World) -> None:
    """An administrator who asks is told that the network is open, and nothing is recorded."""
    reply = await office.do(
        requests.request, Actor(uid=61003, user="carol"), network="office", reason="why not"
    )
    assert (reply["request"], reply["already"]) == (None, True)
    assert reply["note"] == "office is open for carol: administrators have standing access to office"
    assert (await office.ask(listing.list_, ROOT))["requests"] == []


async def test_the_only_network_that_is_open_says_so(office: World) -> None:
    """Without a name, too: the only network is open for an administrator already, and that is no error."""
    reply = await office.do(requests.request, Actor(uid=61003, user="carol"), reason="why not")
    assert (reply["request"], reply["already"]) == (None, True)


async def test_without_a_device_a_request_is_refused(office: World) -> None:
    """A user without a device is told to add one."""
    await office.do(removal.remove, ALICE, name="laptop")
    with pytest.raises(JitError) as caught:
        await office.asked()
    assert caught.value.code == "refused"
    assert "jitctl device add" in caught.value.hint


async def test_cancel_ends_a_pending_request_once(office: World) -> None:
    """A cancelled request cannot be cancelled or granted again, and both are told what happened."""
    number = await office.asked()
    assert (await office.do(requests.cancel, ALICE, id=number))["request"]["status"] == "cancelled"
    office.clock.advance(60_000)
    for verb, actor in ((requests.cancel, ALICE), (grants.grant, ROOT)):
        with pytest.raises(JitError) as caught:
            await office.do(verb, actor, id=number)
        assert caught.value.code == "conflict"
        assert caught.value.message.endswith(f"{number}: alice cancelled it 1m ago")


async def test_release_cuts_at_once(office: World) -> None:
    """A released grant's device leaves the interface."""
    number = await office.granted()
    reply = await office.do(holding.release, ALICE)
    assert (reply["request"]["id"], reply["request"]["status"]) == (number, "released")
    assert office.peers() == {}


async def test_pause_and_resume_switch_within_the_granted_time(office: World) -> None:
    """A paused peer stays without addresses, resume gives them back, and the end does not move."""
    number = await office.granted(duration=HOUR)
    ends = (await office.ask(show.show, ALICE, id=number))["request"]["ends"]
    reply = await office.do(holding.pause, ALICE)
    assert reply["request"]["marks"] == ["paused"]
    assert office.peers() == {"alice": frozenset()}
    again = await office.do(holding.pause, ALICE)
    assert again["already"] is True
    await office.advance(HOUR // 2)
    reply = await office.do(holding.resume, ALICE)
    assert office.peers() == {"alice": frozenset({"10.9.0.2/32"})}
    assert reply["request"]["ends"] == ends
    await office.advance(HOUR // 2)
    assert office.peers() == {}


async def test_a_paused_grant_ends_in_time(office: World) -> None:
    """The clock runs on while paused: at the end the peer goes."""
    await office.granted(duration=HOUR)
    await office.do(holding.pause, ALICE)
    await office.advance(HOUR)
    assert office.peers() == {}


async def test_other_peoples_requests_do_not_exist(office: World) -> None:
    """A user can neither see nor touch what is somebody else's."""
    number = await office.granted(ALICE)
    for verb in (requests.cancel, holding.release, holding.pause, holding.resume):
        with pytest.raises(JitError) as caught:
            await office.do(verb, BOB, id=number)
        assert caught.value.code == "not_found"
    with pytest.raises(JitError) as caught:
        await office.ask(show.show, BOB, id=number)
    assert caught.value.code == "not_found"
    assert office.peers() == {"alice": frozenset({"10.9.0.2/32"})}


async def test_root_acts_for_who_logged_in_or_is_refused(office: World) -> None:
    """A user's verb through sudo is the login user's; from root alone it is refused."""
    sudo = Actor(uid=0, user="root", login_uid=61001, login_user="alice")
    reply = await office.do(requests.request, sudo, network="office", reason="through sudo")
    assert reply["request"]["user"] == "alice"
    with pytest.raises(JitError) as caught:
        await office.do(requests.request, ROOT, network="office", reason="as root")
    assert caught.value.code == "not_permitted"


async def test_system_accounts_ask_for_nothing(office: World) -> None:
    """A service account may not register a device or ask."""
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, Actor(uid=1, user="daemon"), name="x", public_key=key("x"))
    assert caught.value.code == "not_permitted"


async def test_a_wish_above_the_maximum_is_refused(office: World) -> None:
    """The network's maximum bounds the wish already, and is named."""
    with pytest.raises(JitError) as caught:
        await office.asked(duration=9 * HOUR)
    assert "its maximum is 8h" in caught.value.message


async def test_limits_of_requests(tmp_path: Path) -> None:
    """Requests an hour are limited per user; the message says when it works again; administrators are not limited."""
    world = World(tmp_path, Limits(requests_per_hour=2))
    await world.start()
    try:
        await world.furnish()
        for _ in range(2):
            await world.do(requests.cancel, ALICE, id=await world.asked())
        world.clock.advance(10 * 60_000)
        with pytest.raises(JitError) as caught:
            await world.asked()
        assert caught.value.code == "limit"
        assert caught.value.hint == "Try again in 50m."
        assert await world.asked(ROOT, user="alice")
    finally:
        await world.stop()


async def test_the_only_network_is_taken(office: World) -> None:
    """Without a name the only network is meant; with two the user has to say which."""
    assert (await office.do(requests.request, BOB, reason="any"))["request"]["network"] == "office"
    from jitd.verbs import interfaces

    await office.do(interfaces.add, ROOT, name="wg1", pools=["10.8.0.0/24"], port=51821)
    await office.do(networks.add, ROOT, name="lab", interface="wg1", routes=["10.20.0.0/16"])
    with pytest.raises(JitError) as caught:
        await office.do(requests.request, ALICE, reason="any")
    assert caught.value.code == "bad_request"
    assert "lab, office" in caught.value.message
