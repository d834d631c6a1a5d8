"""From request to cut, with real packets in both directions."""

import time

import pytest

from support.deployment import Deployment, Say
from support.gateway import wall_to_monotonic_ns

pytestmark = pytest.mark.root


def test_grant_opens_and_its_end_cuts_both_directions(office: Deployment, say: Say) -> None:
    """Nothing passes before the grant; TCP and UDP do after it, to its end, in both directions; nobody else loses."""
    others = office.grant("bob", "1h")
    to_bob, from_bob = office.both_ways("bob")
    calm = max(from_bob.arrives().sent, to_bob.arrives().sent)

    out, back = office.both_ways("alice")
    assert out.silent()
    assert back.silent()
    assert not office.connects("alice")

    before = time.monotonic_ns()
    number = office.grant("alice", "12s")
    first = min(out.arrives().received, back.arrives().received)
    say(f"first packet {(first - before) / 1e6:.0f} ms after the request was typed")
    assert office.connects("alice")
    connection = office.streams.tcp("alice", "10.20.0.10")
    connection.arrives()

    end_ns = wall_to_monotonic_ns(office.gateway.request(number)["ends"])
    assert len(out.sent_after(end_ns)) == 0
    office.ended(number, 20)
    assert out.silent()
    assert back.silent()
    assert not office.connects("alice")
    office.streams.stop()

    late = {stream.name: stream.sent_after(end_ns) for stream in (out, back)}
    last = max(packet.received for stream in (out, back, connection) for packet in stream.received())
    say(f"the cut: the last packet of 1000 a second passed {(last - end_ns) / 1e6:+.1f} ms from the end")
    assert not any(late.values()), late
    assert office.gateway.request(number)["status"] == "expired"

    assert to_bob.losses(calm) == ""
    assert from_bob.losses(calm) == ""
    assert office.gateway.request(others)["status"] == "active"
    assert list(office.gateway.peers()) == [office.keys["bob"]]


@pytest.mark.parametrize("verb", ["release", "revoke"])
def test_early_end_cuts_at_once(office: Deployment, say: Say, verb: str) -> None:
    """A grant that is released or revoked carries no packet that is sent after the reply, in either direction."""
    number = office.grant("alice", "1h")
    streams = office.both_ways("alice")
    for stream in streams:
        stream.arrives()
    begun = time.monotonic_ns()
    if verb == "release":
        office.gateway.jitctl("alice", "release")
    else:
        office.gateway.jitctl("carol", "revoke", str(number), "--reason", "not today")
    replied = time.monotonic_ns()
    assert all(stream.silent() for stream in streams)
    office.streams.stop()
    assert [stream.sent_after(replied) for stream in streams] == [[], []]
    last = max(packet.received for stream in streams for packet in stream.received())
    say(f"{verb}: the last packet {(last - begun) / 1e6:.0f} ms after it was typed")
    assert office.gateway.request(number)["status"] == f"{verb}d"
    assert office.keys["alice"] not in office.gateway.peers()


def test_pause_stops_and_resume_opens_again(office: Deployment, say: Say) -> None:
    """Between the replies to pause and resume nothing passes; behind the reply to resume not one packet is lost."""
    number = office.grant("alice", "1h")
    streams = office.both_ways("alice")
    for stream in streams:
        stream.arrives()
    ends = office.gateway.request(number)["ends"]

    office.gateway.jitctl("alice", "pause")
    paused = time.monotonic_ns()
    assert all(stream.silent() for stream in streams)
    assert not any(stream.sent_after(paused) for stream in streams)
    assert "paused" in office.gateway.request(number)["marks"]

    begun = time.monotonic_ns()
    office.gateway.jitctl("alice", "resume")
    resumed = time.monotonic_ns()
    for stream in streams:
        stream.arrives(2)
    assert office.gateway.request(number)["ends"] == ends
    office.streams.stop()
    assert [stream.losses(resumed) for stream in streams] == ["", ""]
    first = max(stream.sent_after(begun)[0].received for stream in streams)
    say(f"resume: packets in both directions {(first - resumed) / 1e6:+.0f} ms from its reply")


def test_denied_request_opens_nothing(office: Deployment) -> None:
    """A denied request lets no packet pass."""
    streams = office.both_ways("alice")
    request = office.gateway.json("alice", "request", "office", "--reason", "curiosity")
    office.gateway.jitctl("carol", "deny", str(request["request"]["id"]), "--reason", "ask your lead")
    assert all(stream.silent() for stream in streams)
    assert office.gateway.peers() == {}


def test_a_peer_that_comes_back_is_called(office: Deployment, say: Say) -> None:
    """After a revoke and another grant packets pass at once: the gateway begins, and does not wait for the client."""
    number = office.grant("alice", "1h")
    out, back = office.both_ways("alice")
    out.arrives()
    back.arrives()
    office.gateway.jitctl("carol", "revoke", str(number), "--reason", "for a moment")
    assert out.silent()
    begun = time.monotonic_ns()
    office.grant("alice", "1h")
    granted = time.monotonic_ns()
    first = max(stream.arrives(2).received for stream in (out, back))
    say(f"a peer that comes back: packets {(first - granted) / 1e6:+.0f} ms from the reply to grant")
    # By itself its client would begin again 15 s after the last packet that it got.
    assert first - begun < 5e9
    assert (
        office.world.run(["wg", "show", "wg0", "persistent-keepalive"]).stdout
        == f"{office.keys['alice']}\toff\n"
    )
