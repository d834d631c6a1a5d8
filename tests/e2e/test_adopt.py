"""A gateway with a past: an interface of wg-quick with colleagues on it."""

import time

import pytest

from support import network
from support.deployment import Deployment, Say
from support.old_gateway import PEOPLE, old_gateway
from support.wait import until

pytestmark = pytest.mark.root


def test_adoption_loses_nobody_a_packet(lone: Deployment, say: Say) -> None:
    """Adopting, importing and enforcing cut only who was named in the confirmed plan, and nobody loses one before."""
    streams = old_gateway(lone)
    flows = {user: streams[2 * index : 2 * index + 2] for index, user in enumerate(PEOPLE)}
    since = time.monotonic_ns()
    lone.gateway.init()
    lone.gateway.start()
    carol = "carol"
    lone.gateway.jitctl(carol, "interface", "adopt", "wg0", "--endpoint", f"{network.OUTER}:51820")
    lone.gateway.jitctl(carol, "network", "add", "office", "--route", network.INSIDE_NET)
    shown = lone.gateway.json(carol, "interface", "show", "wg0")
    assert {peer["public_key"] for peer in shown["peers"] if not peer["managed"]} == set(lone.keys.values())

    # dave and erin are named; dave gets a grant; frank stays unknown.
    names = lone.world.path("/home/carol/map")
    names.write_text("".join(f"{lone.keys[user]} {user} laptop\n" for user in ("dave", "erin")))
    lone.gateway.jitctl(carol, "device", "import", "wg0", "--map", "/home/carol/map")
    lone.gateway.jitctl(carol, "grant", "--user", "dave", "--network", "office", "-d", "1h")
    for stream in streams:
        stream.arrives()
    lone.gateway.stop()
    lone.gateway.start()
    for stream in streams:
        stream.arrives()
    named = time.monotonic_ns()

    asked = lone.gateway.refusal(carol, "interface", "enforce", "wg0", "on")
    assert lone.keys["frank"][:8] in asked.stdout + asked.stderr, "who would lose access is said before"
    assert all(stream.arrives() for stream in streams)
    lone.gateway.jitctl(carol, "interface", "enforce", "wg0", "on", "--yes")
    enforced = time.monotonic_ns()
    for user in ("erin", "frank"):
        assert all(stream.silent() for stream in flows[user]), user
    lone.streams.stop()
    assert [stream.losses(since) for stream in flows["dave"]] == ["", ""]
    for user in ("erin", "frank"):
        assert [stream.losses(since, named) for stream in flows[user]] == ["", ""], user
        assert [stream.sent_after(enforced) for stream in flows[user]] == [[], []], user
    until(lambda: set(lone.gateway.peers()) == {lone.keys["dave"]}, "only dave's peer is left")
    say(f"adopt, import, restart, enforce: 0 packets lost of {len(flows['dave'][0].sent())} a direction")


def test_save_config_is_refused(lone: Deployment) -> None:
    """An interface whose file says SaveConfig=true is not adopted, and the reason is said."""
    old_gateway(lone)
    file = lone.world.path("/etc/wireguard/wg0.conf")
    file.write_text(file.read_text().replace("[Interface]\n", "[Interface]\nSaveConfig = true\n"))
    lone.gateway.init()
    lone.gateway.start()
    refused = lone.gateway.refusal("carol", "interface", "adopt", "wg0")
    assert "SaveConfig" in refused.stderr
    assert set(lone.gateway.peers()) == set(lone.keys.values())
