"""The promises of the second layer under Debian's kernel, and what only a kernel with flowtables can show."""

import subprocess
import time
from pathlib import Path

import pytest

from jitd.enforce.firewall import NftFirewall
from support.firewall_contract import *  # noqa: F403 - the tests, and the fixtures that they ask for
from support.firewall_contract import connected, cut, firewall, let, scene
from support.firewall_scene import ADDRESS, INSIDE, ONE, Talk, nft, passes
from support.wait import until

__all__ = ["firewall", "scene"]

#: What a guide for fast gateways says: offload everything, whatever direction it has.
OFFLOAD = """
add table inet admin
add flowtable inet admin fast { hook ingress priority 0; devices = { wg0, in0 }; }
add chain inet admin forward { type filter hook forward priority 0; policy accept; }
add rule inet admin forward meta l4proto { tcp, udp } flow add @fast
"""


def offloaded() -> bool:
    """Whether some flow takes the short way."""
    return "[OFFLOAD]" in Path("/proc/net/nf_conntrack").read_text()


@pytest.fixture
def offload(firewall: NftFirewall) -> None:
    """An administrator's flowtable, and a member."""
    subprocess.run(["nft", "-f", "-"], input=OFFLOAD, text=True, check=True)
    let(firewall, ONE)


@pytest.mark.usefixtures("offload")
def test_an_offloaded_stream_ends_both_ways(firewall: NftFirewall) -> None:
    """A UDP flow that skips the forward hook stops in both directions at its timeout, with nobody acting."""
    with Talk(ONE, INSIDE, ADDRESS[INSIDE], source=ADDRESS[ONE], rate=200) as talk:
        talk.flows(30)
        until(offloaded, "the flow is offloaded", 30)
        # The control: without our device chains the flow would outlive its element.
        let(firewall, ONE, ms=1500)
        end_ns = time.monotonic_ns() + 1_500_000_000
        assert offloaded()
        until(lambda: time.monotonic_ns() > end_ns + 200_000_000, "the time is over")
        talk.sends(100)
        assert talk.after(end_ns) == [0, 0]


@pytest.mark.usefixtures("offload")
def test_the_flow_was_really_offloaded(firewall: NftFirewall) -> None:
    """Without the device chains the same flow goes on after its element is gone: they are what ends it."""
    with Talk(ONE, INSIDE, ADDRESS[INSIDE], source=ADDRESS[ONE], rate=200) as talk:
        talk.flows(30)
        until(offloaded, "the flow is offloaded", 30)
        nft("flush chain inet jitd ingress-wg0; flush chain netdev jitd egress-wg0")
        cut(firewall, ONE)
        talk.flows(30)


@pytest.mark.usefixtures("offload")
def test_an_offloaded_connection_ends_both_ways(firewall: NftFirewall) -> None:
    """A TCP connection that is offloaded stops in both directions with a cut."""
    line, other = connected(ONE, ADDRESS[INSIDE], 7200)
    with line, other:

        def talks() -> bool:
            return passes(line, other, 2) and passes(other, line, 2) and offloaded()

        until(talks, "the connection is offloaded", 30)
        cut(firewall, ONE)
        assert not passes(other, line)
        assert not passes(line, other)
