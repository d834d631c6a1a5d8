"""Who is asking, as the kernel says: over ssh, and behind sudo."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import network, sshd
from support.deployment import Deployment, deployment
from support.gateway import ADMIN_GROUP
from support.wait import until

pytestmark = pytest.mark.root


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Deployment]:
    """A running jitd with the office, and nobody's laptop."""
    with deployment(tmp_path) as made:
        yield made


def test_sudo_does_not_make_another_person(running: Deployment) -> None:
    """Bob with sudo cannot grant bob's own request, can grant alice's, and carol can grant bob's."""
    world, gateway = running.world, running.gateway
    world.path("/etc/sudoers.d/bob").write_text("bob ALL=(ALL:ALL) NOPASSWD: ALL\n")
    for user in ("alice", "bob"):
        key = world.run(["sh", "-c", "wg genkey | wg pubkey"]).stdout
        gateway.jitctl(user, "device", "add", "laptop", "--public-key", "-", given=key)
    his = gateway.json("bob", "request", "office", "--reason", "backup")["request"]["id"]
    hers = gateway.json("alice", "request", "office", "--reason", "restore")["request"]["id"]

    refused = gateway.refusal("bob", "grant", str(his), "--duration", "1h", before=("sudo", "-n"))
    assert refused.status == 3
    assert "own" in refused.stderr
    assert gateway.request(his)["status"] == "pending"

    gateway.jitctl("bob", "grant", str(hers), "--duration", "1h", before=("sudo", "-n"))
    assert gateway.request(hers)["status"] == "active"
    granted = [one for one in gateway.get(f"/v1/show?id={hers}")["events"] if one["kind"] == "granted"]
    assert granted[0]["actor"]["uid"] == 0
    assert granted[0]["actor"]["login_user"] == "bob"

    gateway.jitctl("carol", "grant", str(his), "--duration", "1h")
    assert gateway.request(his)["status"] == "active"


def test_over_ssh_whoever_logs_in_is_who_asks(running: Deployment, tmp_path: Path) -> None:
    """`--host ssh://alice@…` asks as alice, through a real sshd, from her laptop; the event says that it was ssh."""
    world, gateway = running.world, running.gateway
    sshd.start(world, tmp_path / "sshd.log", snippet=False)
    sshd.allow(world, "alice")
    key = world.run(["sh", "-c", "wg genkey | wg pubkey"]).stdout
    gateway.jitctl("alice", "device", "add", "laptop", "--public-key", "-", given=key)

    host = f"ssh://alice@{network.OUTER}:{sshd.PORT}"
    gateway.jitctl("alice", "--host", host, "request", "office", "--reason", "from home", where="alice")
    listed = gateway.jitctl("alice", "list", env={"JITCTL_HOST": host}, where="alice")
    assert "from home" in listed
    asked = gateway.get("/v1/show?id=1")["events"][0]
    assert (asked["actor"]["user"], asked["actor"]["login_user"]) == ("alice", "alice")
    assert "ssh" in asked["actor"]["origin"]


def test_snippet_leaves_nothing_but_jitctl(running: Deployment, tmp_path: Path) -> None:
    """An account under the shipped sshd snippet can ask for access, and can neither get a shell nor forward a port."""
    world, gateway = running.world, running.gateway
    world.group("jit-remote")
    world.run(["usermod", "-a", "-G", "jit-remote", "alice"])
    sshd.start(world, tmp_path / "sshd.log", snippet=True)
    sshd.allow(world, "alice")
    host = f"ssh://alice@127.0.0.1:{sshd.PORT}"
    said = gateway.jitctl("alice", "--host", host, "status")
    assert "office" in said

    ssh = ["ssh", "-o", "BatchMode=yes", "-p", str(sshd.PORT), "alice@127.0.0.1"]
    shell = world.run([*ssh, "id"], user="alice", check=False)
    assert "uid=" not in shell.stdout
    forward = [*ssh[:1], "-o", "ExitOnForwardFailure=yes", "-W", f"{network.SERVER}:7000", *ssh[1:]]
    through = world.run(forward, user="alice", given="word", check=False)
    assert "word" not in through.stdout
    assert "prohibited" in through.stderr


def test_strangers_of_the_group_are_no_administrators(running: Deployment) -> None:
    """Leaving the administrators' group takes the right to decide away while the daemon runs."""
    world, gateway = running.world, running.gateway
    key = world.run(["sh", "-c", "wg genkey | wg pubkey"]).stdout
    gateway.jitctl("alice", "device", "add", "laptop", "--public-key", "-", given=key)
    number = gateway.json("alice", "request", "office", "--reason", "night shift")["request"]["id"]
    world.run(["gpasswd", "-d", "carol", ADMIN_GROUP])
    # What the system says about a user is asked again every second.
    until(lambda: not gateway.json("carol", "status")["admin"], "carol is no administrator", seconds=3)
    # What is somebody else's does not exist for her any more.
    assert gateway.refusal("carol", "grant", str(number), "--duration", "1h").status == 10
    assert gateway.request(number)["status"] == "pending"
