"""What a stop, a death and a restart of the daemon do to packets."""

import signal
import time

import pytest

from support.deployment import Deployment, Say
from support.gateway import wall_to_monotonic_ns
from support.wait import until

pytestmark = pytest.mark.root


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_restart_loses_no_packet_of_the_allowed(office: Deployment, say: Say, number: signal.Signals) -> None:
    """A stop or a kill and a new start lose not one packet of who is allowed in, in either direction."""
    office.grant("alice", "1h")
    streams = office.both_ways("alice")
    since = max(stream.arrives().sent for stream in streams)
    office.gateway.stop(number)
    for stream in streams:
        stream.arrives()
    took = office.gateway.start()
    for stream in streams:
        stream.arrives()
    office.streams.stop()
    assert [stream.losses(since) for stream in streams] == ["", ""]
    say(f"ready {took * 1000:.0f} ms after its start; 0 of {len(streams[0].sent())} packets lost each way")


def test_start_cuts_first_what_ended_meanwhile(office: Deployment, say: Say) -> None:
    """A grant that ends while the daemon is dead is cut by the kernel on time; the next start settles the rest."""
    office.grant("bob", "1h")
    number = office.grant("alice", "10s")  # a client whose peer was not there tries again every five seconds
    mine = office.both_ways("alice")
    others = office.both_ways("bob")
    since = max(stream.arrives().sent for stream in (*mine, *others))
    ends = office.gateway.request(number)["ends"]
    office.gateway.stop(signal.SIGKILL)
    until(lambda: time.time() * 1000 > ends + 500, "the grant's time is over")

    office.gateway.start()
    answered = time.monotonic_ns()
    assert all(stream.silent() for stream in mine)
    office.streams.stop()
    assert [stream.sent_after(answered) for stream in mine] == [[], []]
    assert [stream.losses(since) for stream in others] == ["", ""]
    view = office.gateway.request(number)
    assert (view["status"], view["marks"]) == ("expired", [])
    end_ns = wall_to_monotonic_ns(ends)
    last = max(packet.received for stream in mine for packet in stream.received())
    say(f"dead at the end of a grant: the last packet passed {(last - end_ns) / 1e6:+.1f} ms from the end")
    assert [stream.sent_after(end_ns) for stream in mine] == [[], []]


def test_second_daemon_is_refused(office: Deployment) -> None:
    """A second jitd on the same state ends with an error that names the first one's process id."""
    done = office.world.run(["jitd", "run"], check=False)
    assert done.returncode != 0
    inside = office.gateway.get("/v1/health")["pid"]
    assert str(inside) in done.stderr
    assert office.gateway.answers()
