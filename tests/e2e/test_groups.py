"""Groups and accounts of the system change while people are connected, and the packets follow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment import Deployment, Say, deployment
from support.streams import Stream
from support.wait import until

pytestmark = pytest.mark.root

#: Seconds until a change of the system's users is noticed: people are asked for every 15 s, and compared every 30 s.
NOTICED = 50


def stops(stream: Stream) -> None:
    """Wait until nothing arrives any more."""
    until(lambda: stream.silent(100), f"{stream.name} stops", seconds=NOTICED)


def events(office: Deployment, kind: str) -> list[tuple[str, str]]:
    """(user, why) of the events of a kind, oldest first."""
    lines = office.gateway.jitctl("carol", "events", "--kind", kind, "-o", "jsonl").splitlines()
    found = [json.loads(line) for line in lines]
    return [(one["user"], one["data"].get("why") or one["data"].get("comment", "")) for one in found]


def test_membership_decides_while_people_are_connected(office: Deployment, say: Say) -> None:
    """An exempt user who is taken out of her group is cut and comes back with it; one who is put into the scope is cut;
    somebody else's packets go on, and the events say why.
    """
    world, gateway = office.world, office.gateway
    for group in ("staff", "oncall", "contractors"):
        world.group(group)
    for user in ("alice", "bob"):
        world.run(["usermod", "-aG", "staff", user])
    world.run(["usermod", "-aG", "oncall", "alice"])
    settings = ["members=@staff", "jit.groups=@staff", "jit.exempt=@oncall"]
    gateway.jitctl("carol", "network", "set", "office", *settings, "--yes")
    office.grant("bob", "1h")
    to_alice, _ = office.both_ways("alice", rate=250)
    to_bob, from_bob = office.both_ways("bob", rate=250)
    to_alice.arrives(NOTICED)
    calm = max(to_bob.arrives(NOTICED).sent, from_bob.arrives(NOTICED).sent)

    world.run(["gpasswd", "-d", "alice", "oncall"])
    stops(to_alice)
    assert events(office, "standing_ended")[-1] == (
        "alice",
        "@staff have to request office (jit.groups)",
    )
    world.run(["usermod", "-aG", "oncall", "alice"])
    to_alice.arrives(NOTICED)

    gateway.jitctl("carol", "network", "set", "office", "jit.groups=@contractors", "jit.exempt=", "--yes")
    to_alice.arrives(NOTICED)
    world.run(["usermod", "-aG", "contractors", "alice"])
    stops(to_alice)
    assert events(office, "standing_ended")[-1] == (
        "alice",
        "@contractors have to request office (jit.groups)",
    )
    # Not cut for a moment; in a hundred seconds a busy machine loses some packets by itself.
    lost = len(to_bob.lost(calm)) + len(from_bob.lost(calm))
    say(f"bob lost {lost} of some 50,000 packets while alice came and went")
    assert lost < 500, to_bob.losses(calm) + from_bob.losses(calm)


def test_who_may_not_log_in_any_more_loses_the_grant(office: Deployment) -> None:
    """A running grant is cut within a check when its user gets a nologin shell, or the account expires."""
    world, gateway = office.world, office.gateway
    numbers = [office.grant(user, "1h") for user in ("alice", "bob")]
    streams = [*office.both_ways("alice", rate=250), *office.both_ways("bob", rate=250)]
    for stream in streams:
        stream.arrives()
    world.run(["usermod", "-s", "/usr/sbin/nologin", "alice"])
    world.run(["chage", "-E", "2020-01-01", "bob"])
    for stream in streams:
        stops(stream)
    for number in numbers:
        office.ended(number, NOTICED)
        ended = gateway.request(number)
        assert ended["status"] == "revoked"
        assert "has expired or may not log in" in ended["ended_comment"]


@pytest.fixture
def carols(tmp_path: Path) -> Iterator[Deployment]:
    """The office with alice's laptop, and carol's where bob's would be."""
    with deployment(tmp_path) as made:
        made.laptop("alice")
        made.laptop("carol", where="bob")
        yield made


def test_a_demoted_administrator_and_a_freeze(carols: Deployment) -> None:
    """Carol's own laptop passes while she administers; freeze cuts her and everybody at once, thaw lets them in again,
    and leaving the group cuts her.
    """
    office = carols
    world, gateway = office.world, office.gateway
    office.grant("alice", "1h")
    alice, _ = office.both_ways("alice", rate=250)
    alice.arrives()
    until(lambda: office.connects("bob"), "carol passes", seconds=20)
    gateway.jitctl("root", "freeze", "--reason", "a stolen laptop", "--yes")
    assert alice.silent(100)
    assert not office.connects("bob")
    gateway.jitctl("root", "thaw")
    alice.arrives()
    until(lambda: office.connects("bob"), "carol passes again", seconds=20)
    world.run(["gpasswd", "-d", "carol", "jit-admins"])
    until(lambda: not office.connects("bob"), "carol is cut", seconds=NOTICED)
    until(
        lambda: (
            "carol lost standing access to office"
            in gateway.jitctl("root", "events", "--kind", "standing_ended")
        ),
        "cut first, and recorded then",
        seconds=10,
    )
    alice.arrives()
