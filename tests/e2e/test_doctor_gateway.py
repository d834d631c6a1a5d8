"""doctor on a real gateway and on a user's machine: what is broken is found, with the command that mends it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support import network, sshd, tunnel
from support.deployment import Deployment
from support.sshd import SNIPPET
from support.wait import until

pytestmark = pytest.mark.root

SSHD = "/etc/ssh/sshd_config.d/01-test.conf"


def examine(
    deployment: Deployment, *words: str, user: str = "root", where: str = ""
) -> tuple[int, list[dict[str, Any]]]:
    """(exit status, lines) of jitctl doctor."""
    more = {"where": where} if where else {}
    done = deployment.world.run(["jitctl", "doctor", *words, "--json"], user=user, check=False, **more)  # type: ignore[arg-type]  # keywords of World.run, handed on
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["checks"]


def at(checks: list[dict[str, Any]], level: str) -> list[str]:
    """What was said at a level."""
    return [check["what"] for check in checks if check["level"] == level]


def test_a_gateway_in_order(office: Deployment) -> None:
    """Every part is examined by name and nothing is broken; jitd check agrees, and looks without the daemon."""
    said = office.world.run(["jitctl", "doctor"]).stdout
    titles = [line for line in said.splitlines() if line.isalpha()]
    assert titles == [
        "config",
        "socket",
        "store",
        "clock",
        "interfaces",
        "firewall",
        "sshd",
        "people",
        "mail",
        "files",
    ]
    assert "BROKEN" not in said
    checked = office.world.run(["jitd", "check", "--verbose"]).stdout
    assert "ok: the database is whole" in checked
    assert "listens on /run/jitd/jitd.sock" in checked
    office.gateway.stop()
    dead = office.world.run(["jitctl", "doctor"], check=False)
    assert dead.returncode == 6
    assert "cannot reach jitd" in dead.stderr
    assert "sudo jitd check" in dead.stderr
    assert "jitd does not run: the socket" in office.world.run(["jitd", "check"]).stderr


def test_an_interface_that_is_gone(office: Deployment) -> None:
    """Somebody takes an adopted interface down: it is broken, with the line that brings it up."""
    key = office.world.run(["wg", "genkey"]).stdout
    tunnel.up(
        office.world,
        "gateway",
        "wg7",
        f"[Interface]\nPrivateKey = {key}Address = 10.7.0.1/24\nListenPort = 51827\n",
    )
    office.gateway.jitctl("carol", "interface", "adopt", "wg7")
    assert not at(examine(office, "interfaces")[1], "broken")
    tunnel.down(office.world, "gateway", "wg7")
    status, checks = examine(office, "interfaces")
    assert status == 1
    gone = [check for check in checks if check["what"] == "wg7 does not exist: no traffic passes"]
    assert [check["fix"] for check in gone] == ["wg-quick up wg7 # or the tool that created it"]


def test_what_sshd_forwards(office: Deployment) -> None:
    """A real sshd's own answers: forwarding that the firewall stops is ok, a tunnel device is not, none at all is."""
    office.world.run(["mkdir", "-p", "/run/sshd"])
    office.world.run(["ssh-keygen", "-A"])
    assert at(examine(office, "sshd")[1], "ok") == [
        "sshd forwards TCP for every user (ssh -L, ssh -D), but the firewall blocks it (close_local_users)"
    ]
    office.world.path(SSHD).write_text("PermitTunnel yes\nGatewayPorts yes\n")
    status, checks = examine(office, "sshd")
    assert status == 0
    assert [line.partition(" for ")[0] for line in at(checks, "warning")] == [
        "sshd makes tunnel devices",
        "sshd lets others use the forwarded ports of every user (GatewayPorts): other people can use the "
        "connection of one login",
    ]
    office.world.path(SSHD).write_text("DisableForwarding yes\n")
    assert examine(office, "sshd")[1] == [
        {
            "level": "ok",
            "what": "sshd forwards no connections for users of this gateway",
            "fix": "",
            "code": "ssh-forwarding",
        }
    ]
    office.world.path(SSHD).write_text(
        "DisableForwarding yes\nMatch User bob\n  DisableForwarding no\n  PermitTunnel yes\n"
    )
    (line,) = at(examine(office, "sshd")[1], "warning")
    assert line.startswith("sshd makes tunnel devices for bob ")


def test_those_who_may_only_talk_to_jitd(office: Deployment) -> None:
    """Members of jit-remote without the shipped settings are broken; with them they are held to jitd."""
    office.world.run(["mkdir", "-p", "/run/sshd"])
    office.world.run(["ssh-keygen", "-A"])
    office.world.group("jit-remote")
    office.world.run(["usermod", "-aG", "jit-remote", "alice"])
    assert at(examine(office, "sshd")[1], "broken") == [
        "sshd gives alice of jit-remote more than access to jitd: the shipped settings are not active"
    ]
    shutil.copy(SNIPPET, office.world.path("/etc/ssh/sshd_config.d/jitd.conf"))
    assert "jit-remote can only reach jitd over ssh (alice)" in at(examine(office, "sshd")[1], "ok")


def test_ordinary_users_with_a_way_around(office: Deployment) -> None:
    """Where the firewall does not stop them, what sshd forwards is a warning."""
    office.world.run(["mkdir", "-p", "/run/sshd"])
    office.world.run(["ssh-keygen", "-A"])
    office.gateway.stop()
    office.gateway.settle("enforce", "close_local_users = false")
    office.gateway.start()
    (line,) = at(examine(office, "sshd")[1], "warning")
    assert line.startswith("sshd forwards TCP for every user: ssh -L and ssh -D reach the networks")


def test_a_user_on_the_own_machine(office: Deployment) -> None:
    """From no grant to a handshake; then the tunnel has another key than the one that is registered."""
    status, checks = examine(office, "office", user="alice")
    assert status == 1
    assert at(checks, "broken") == ["alice has no grant for office"]
    office.grant("alice", "1h")
    until(lambda: office.connects("alice", 6), "alice is in")
    status, checks = examine(office, "office", user="alice")
    assert (status, at(checks, "warning")) == (0, [])
    assert any("laptop: last handshake" in line for line in at(checks, "ok"))

    # Her own machine, where root may read the tunnel.
    status, checks = examine(office, "office", "--user", "alice", where="alice")
    assert status == 0, checks
    assert "alice0 on this machine has the registered key of laptop" in at(checks, "ok")
    assert f"alice0 takes all that is for {network.INSIDE_NET}" in at(checks, "ok")
    assert any("the gateway's endpoint answers" in line for line in at(checks, "ok"))
    assert at(checks, "unknown") == []

    office.world.run(
        ["sh", "-c", "wg genkey > /root/other; wg set alice0 private-key /root/other"], where="alice"
    )
    status, checks = examine(office, "office", "--user", "alice", where="alice")
    assert status == 1
    (line,) = at(checks, "broken")
    assert line.startswith("alice0 on this machine talks to the gateway with a key that is not registered: ")


def test_a_kernel_without_wireguard(lone: Deployment) -> None:
    """Where the configuration wants the kernel's WireGuard and there is none, check says so and what would help."""
    network.wire(lone.world)
    lone.world.group("jit-admins")
    lone.gateway.init()
    lone.gateway.settle("enforce", 'backend = "kernel"')
    said = lone.world.run(["jitd", "check"], check=False)
    if said.returncode == 0:
        pytest.skip("this kernel has WireGuard")
    assert "[enforce] backend: this kernel has no WireGuard: boot one that has it" in said.stderr


def test_from_another_machine_over_ssh(office: Deployment, tmp_path: Path) -> None:
    """Alice asks from her laptop: what she may not see there is unknown, and the endpoint is looked at; root sees it."""
    sshd.start(office.world, tmp_path / "sshd.log", snippet=False)
    sshd.allow(office.world, "alice")
    host = f"ssh://alice@{network.OUTER}:{sshd.PORT}"
    office.grant("alice", "1h")
    status, checks = examine(office, "office", "--host", host, user="alice", where="alice")
    assert status == 0, checks
    said = at(checks, "unknown")
    assert any("on this machine: the tunnel can be seen by root only" in line for line in said), checks
    assert any(
        f"{network.OUTER}:51820 ({network.OUTER}) has a route, and nobody refuses" in line for line in said
    )
    tunnel.down(office.world, "alice", "alice0")
    office.world.run(["cp", "-r", "/home/alice/.ssh", "/root/"])
    status, checks = examine(office, "office", "--host", host, where="alice")
    assert status == 1
    assert at(checks, "broken") == ["no tunnel to this gateway is up on this machine"]
