"""A key is replaced while its device has access: the old one passes nothing any more, the new one does, nobody is disturbed."""

import time

import pytest

from support import network, tunnel
from support.deployment import Deployment, Say
from support.laptop import TUNNEL, Laptop

pytestmark = pytest.mark.root


def test_rotate_moves_access_to_the_new_key(office: Deployment, say: Say) -> None:
    """No packet that is sent with the old key after the reply passes, in either direction; with the new one they do, within
    the same grant and by the same address; nobody else loses any.
    """
    office.grant("bob", "1h")
    to_bob, from_bob = office.both_ways("bob")
    calm = max(from_bob.arrives().sent, to_bob.arrives().sent)
    number = office.grant("alice", "1h")
    out, back = office.both_ways("alice")
    out.arrives()
    back.arrives()
    new = tunnel.key_pair(office.world, "alice", "alice", "new.key")
    office.gateway.jitctl("alice", "device", "rotate", "--public-key", "-", given=f"{new}\n")
    replied = time.monotonic_ns()
    assert out.silent()
    assert back.silent()
    assert not office.connects("alice")
    assert (out.sent_after(replied), back.sent_after(replied)) == ([], [])
    assert set(office.gateway.peers()) == {new, office.keys["bob"]}

    office.world.run(["wg", "set", "alice0", "private-key", "/home/alice/new.key"], where="alice")
    begun = time.monotonic_ns()
    first = max(out.arrives().received, back.arrives().received)
    say(f"rotate: packets with the new key {(first - begun) / 1e6:.0f} ms after the laptop has it")
    assert office.connects("alice")
    assert (office.gateway.request(number)["status"], office.gateway.peers()[new]) == (
        "active",
        [f"{office.addresses['alice']}/32"],
    )
    office.streams.stop()
    assert to_bob.losses(calm) == ""
    assert from_bob.losses(calm) == ""


def test_a_connected_laptop_rotates_its_own_key(laptop: Laptop) -> None:
    """The tunnel goes on with the new key, also where the gateway is reached through that very tunnel alone."""
    deployed = laptop.deployment
    deployed.grant("alice", "1h")
    laptop.jitctl("connect", "office")
    assert laptop.reaches()
    before = set(deployed.gateway.peers())
    said = laptop.jitctl("device", "rotate")
    assert f"tunnel    {TUNNEL} is up with the new key" in said
    assert laptop.reaches(5)
    assert before.isdisjoint(deployed.gateway.peers())

    # The gateway by its address in the office, to which only the tunnel leads; ssh gives up sooner than it does by itself.
    config = laptop.world.path("/home/alice/.config/jitctl/config.toml")
    config.write_text(config.read_text().replace(network.OUTER, "10.20.0.1"))
    before = set(deployed.gateway.peers())
    ssh = "ssh -o StrictHostKeyChecking=no -o ServerAliveInterval=1 -o ServerAliveCountMax=2 -o ConnectTimeout=20"
    done = laptop.world.run(
        ["env", f"JITCTL_SSH={ssh}", "jitctl", "device", "rotate"], user="alice", where="alice", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "checking whether the gateway has the new key already" in done.stderr
    assert f"tunnel    {TUNNEL} is up with the new key" in done.stdout
    assert laptop.reaches(5)
    assert before.isdisjoint(deployed.gateway.peers())
    (kept,) = laptop.world.path("/home/alice/.config/jitctl/keys").glob("office.*")
    public = laptop.world.run(["wg", "pubkey"], given=kept.read_text()).stdout.strip()
    assert set(deployed.gateway.peers()) == {public}
