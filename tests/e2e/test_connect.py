"""A laptop of its own: setup, connect, traffic, the cut and disconnect, over a real sshd and real WireGuard."""

import json
import signal
from pathlib import Path

import pytest

from support.desktop import Desktop
from support.gateway import RefusedError
from support.laptop import HOST, TUNNEL, Laptop
from support.wait import until

pytestmark = pytest.mark.root


def test_connect_and_disconnect(laptop: Laptop) -> None:
    """connect asks, waits, brings the tunnel up and says until when; disconnect pauses; connect again resumes."""
    deployed, gateway = laptop.deployment, laptop.deployment.gateway
    waiting = deployed.world.start(
        ["jitctl", "connect", "office", "-r", "ticket 42", "-d", "1h"], user="alice", where="alice"
    )
    until(lambda: gateway.json("carol", "list", "--status", "pending")["requests"], "the request is there")
    assert not laptop.is_up()
    gateway.jitctl("carol", "grant", "--duration", "1h")
    assert waiting.popen.wait(30) == 0
    assert laptop.is_up()
    assert laptop.reaches()
    assert TUNNEL in laptop.jitctl("connect")
    private = laptop.world.path("/home/alice/.config/jitctl/keys/office.desk.key").read_text().strip()
    file = laptop.world.path(f"/home/alice/.config/jitctl/tunnels/{TUNNEL}.conf").read_text()
    assert private not in file

    said = laptop.jitctl("disconnect", "office")
    assert "office is paused" in said
    assert f"tunnel {TUNNEL} is down" in said
    assert not laptop.is_up()
    assert not laptop.reaches()
    assert "paused" in gateway.request(1)["marks"]

    told = json.loads(laptop.jitctl("connect", "office", "--json"))
    assert told["tunnel"]["interface"] == TUNNEL
    assert told["tunnel"]["last_handshake"] > 0
    assert laptop.reaches()
    assert "released" in laptop.jitctl("disconnect", "--release")
    assert gateway.request(1)["status"] == "released"


def test_a_refused_connect_brings_nothing_up(laptop: Laptop) -> None:
    """A rule that says no ends connect with exit status 3, and there is no tunnel."""
    gateway = laptop.deployment.gateway
    gateway.jitctl("carol", "network", "set", "office", "reason_pattern=OPS-[0-9]+", "--yes")
    with pytest.raises(RefusedError) as refused:
        laptop.jitctl("connect", "office", "-r", "because")
    assert refused.value.status == 3
    assert not laptop.is_up()


def test_on_a_desktop(laptop: Laptop, tmp_path: Path) -> None:
    """The key is kept in the keyring; request starts an agent that shows the decision and the end, also one that the
    laptop slept over; it takes the tunnel down then, and ends itself.
    """
    world, gateway = laptop.world, laptop.deployment.gateway
    desk = Desktop(world, "alice", "alice", tmp_path / "dunst.log")
    environment = desk.environment | {"JITCTL_PROFILE": "home"}
    kept = world.path("/home/alice/run/jitctl/home.status.json")

    def jitctl(*words: str) -> str:
        return gateway.jitctl("alice", *words, where="alice", env=environment)

    def agents() -> list[str]:
        return world.run(["pgrep", "-u", "alice", "-f", "jitctl agent"], check=False).stdout.split()

    gateway.jitctl("alice", "device", "remove", "desk", "--yes")
    assert "in your keyring" in jitctl("setup", HOST, "--name", "home", "--device", "den")
    assert not list(world.path("/home/alice/.config/jitctl/keys").glob("home.*"))

    jitctl("request", "office", "-r", "the <b>printer</b> is on fire", "-d", "1h")
    until(agents, "an agent runs")
    # It listens from when its stream stands; a decision before that would be none of its news.
    until(kept.exists, "it has asked")
    gateway.jitctl("carol", "grant", "--duration", "8s", "--comment", "for <i>once</i>")
    desk.until_shown("office: granted")
    desk.until_shown("carol: granted office for 8s: for &lt;i&gt;once&lt;/i&gt;")
    jitctl("connect")
    assert laptop.is_up("jit-home-wg0")
    assert laptop.reaches()
    assert len(agents()) == 1
    assert jitctl("status", "-o", "prompt").startswith("office ")
    desk.until_shown("office: access has ended")
    until(lambda: not laptop.is_up("jit-home-wg0"), "the tunnel is taken down")
    until(lambda: not agents(), "the agent ends when nothing is open")

    number = laptop.deployment.grant("alice", "10s")
    jitctl("connect")
    until(agents, "an agent runs again")
    until(lambda: "ssh" in world.run(["pgrep", "-u", "alice", "-l", "ssh"], check=False).stdout, "it listens")
    asleep = world.run(["pgrep", "-u", "alice", "-f", "jitctl agent|dial-stdio"]).stdout.split()
    world.run(["kill", "-STOP", *asleep])
    laptop.deployment.ended(number, 30)
    world.run(["kill", "-CONT", *asleep])
    until(lambda: not laptop.is_up("jit-home-wg0"), "the tunnel is taken down at the awakening")
    until(lambda: not agents(), "the agent ends")


def test_after_a_reboot_of_either_side(laptop: Laptop) -> None:
    """What was granted is still there after the laptop or the gateway was down: connect brings the tunnel back, and the
    gateway's end needs nothing.
    """
    world, gateway = laptop.world, laptop.deployment.gateway
    laptop.deployment.grant("alice", "1h")
    laptop.jitctl("connect")
    assert laptop.reaches()

    world.run(["ip", "link", "delete", TUNNEL], where="alice")
    until(lambda: not laptop.is_up(), "the laptop is down")
    assert "down" in laptop.jitctl("status")
    laptop.jitctl("connect")
    assert laptop.reaches()

    gateway.stop(signal.SIGKILL)
    world.run(["ip", "link", "delete", "wg0"])
    world.run(["nft", "flush", "ruleset"])
    assert not laptop.reaches()
    gateway.start()
    laptop.jitctl("connect")
    assert laptop.reaches(10)


def test_root_is_asked_for_by_sudo_alone(laptop: Laptop) -> None:
    """Who may not become root gets a sentence and the command for an administrator, exit status 7, and no tunnel."""
    laptop.deployment.grant("alice", "1h")
    laptop.world.path("/etc/sudoers.d/alice").unlink()
    with pytest.raises(RefusedError) as refused:
        laptop.jitctl("connect")
    assert refused.value.status == 7
    assert f"cannot bring up {TUNNEL}: it needs root, and sudo said no" in refused.value.stderr
    assert not laptop.is_up()
