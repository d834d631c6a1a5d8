"""jitd with its real paths, as root and as somebody who is not."""

import base64
import hashlib
import stat
from pathlib import Path

import pytest

from support.gateway import Gateway
from support.wait import until
from support.world import World

pytestmark = pytest.mark.root


def test_root_and_others() -> None:
    """root's init makes what check accepts; others are told plainly what they may not, and nothing of it changes."""
    with World() as world:
        world.user("alice")
        told = world.run(["jitd", "init", "--admin-group", "jit-admins"]).stdout
        assert told.splitlines() == [
            "wrote /etc/jitd/jitd.toml",
            "state directory /var/lib/jitd (mode 0700)",
            "there is no group jit-admins yet; make it with: groupadd --system jit-admins",
            "next: jitd check, then jitd run (or systemctl enable --now jitd)",
        ]
        world.group("jit-admins")
        assert world.run(["jitd", "check"]).stdout == "/etc/jitd/jitd.toml: ok\n"
        written = world.path("/etc/jitd/jitd.toml").read_text()
        world.path("/root/private").mkdir(mode=0o700)
        for arguments, status, said in (
            (["run"], 2, "jitd: cannot start: /var/lib/jitd belongs to another user (uid 0)\n"),
            (["check"], 1, "jitd: [daemon] state_dir: /var/lib/jitd belongs to another user (uid 0). "),
            (["init"], 8, "jitd: cannot write /etc/jitd/jitd.toml: it exists\n"),
            (["init", "--force"], 2, "jitd: cannot write /etc/jitd/jitd.toml: Permission denied\n"),
            (
                ["init", "--config", "/root/private/jitd.toml", "--state-dir", "/home/alice/none"],
                2,
                "jitd: cannot write /root/private/jitd.toml: Permission denied\n",
            ),
            (
                ["init", "--config", "/home/alice/c", "--state-dir", "/var/lib/other"],
                2,
                "jitd: cannot write /var/lib/other: Permission denied\n",
            ),
            (
                ["--config", "/root/private/jitd.toml", "check"],
                2,
                "jitd: cannot read /root/private/jitd.toml: Perm",
            ),
        ):
            refused = world.run(["jitd", *arguments], user="alice", check=False)
            assert refused.stderr.startswith(said), (arguments, refused.stderr)
            assert refused.returncode == status, arguments
            assert "Traceback" not in refused.stderr
        assert not world.path("/home/alice/none").exists()
        assert not world.path("/home/alice/c").exists()
        assert world.path("/etc/jitd/jitd.toml").read_text() == written
        assert stat.S_IMODE(world.path("/var/lib/jitd").stat().st_mode) == 0o700


def test_an_ordinary_users_own() -> None:
    """With paths in her own home a user initialises, checks and runs a jitd, and administers it."""
    with World() as world:
        world.user("alice")
        own = ["jitd", "--config", "/home/alice/jit/jitd.toml"]
        paths = ["--socket", "/home/alice/jit/jitd.sock", "--state-dir", "/home/alice/jit/state"]
        world.run([*own, "init", *paths, "--backend", "memory"], user="alice")
        assert world.run([*own, "check"], user="alice").stdout == "/home/alice/jit/jitd.toml: ok\n"
        daemon = world.start([*own, "run"], user="alice")
        status = ["jitctl", "--socket", "/home/alice/jit/jitd.sock", "status", "--json"]
        until(
            lambda: world.run(status, user="alice", check=False).returncode == 0, "it answers", 30, every=0.3
        )
        assert '"admin": true' in world.run(status, user="alice").stdout
        assert daemon.stop() == 0


def test_who_is_gone_is_noticed_at_once(tmp_path: Path) -> None:
    """Attack: somebody who was dismissed uses the half minute until jitd looks again. userdel, the loss of a group and an
    expired account are noticed by the files that change, and cut within 2 s.
    """
    with World() as world:
        world.group("jit-admins")
        world.group("staff")
        for user in ("alice", "bob", "zoe", "anna", "otto"):
            world.user(user, groups=["staff"])
        gateway = Gateway(world, tmp_path / "jitd.log")
        gateway.init()
        gateway.settle("enforce", 'backend = "memory"')
        gateway.start()
        gateway.jitctl("root", "interface", "add", "wg0", "--pool", "10.9.0.0/24")
        gateway.jitctl("root", "network", "add", "office", "--route", "10.0.0.0/8", "--member", "@staff")
        for user in ("alice", "bob", "zoe", "anna", "otto"):
            key = base64.b64encode(hashlib.sha256(user.encode()).digest()).decode()
            gateway.jitctl(user, "device", "add", "laptop", "--public-key", key)
            number = gateway.json(user, "request", "office", "--reason", "logs")["request"]["id"]
            gateway.jitctl("root", "grant", str(number), "--duration", "1h")
        world.run(["gpasswd", "-d", "bob", "staff"])
        until(lambda: gateway.request(2)["status"] == "revoked", "bob has lost his membership", 2)
        world.run(["chage", "-E", "0", "zoe"])
        until(lambda: gateway.request(3)["status"] == "revoked", "zoe's account has expired", 2)
        world.run(["userdel", "alice"])
        until(lambda: gateway.request(1)["status"] == "revoked", "alice is gone", 2)
        assert gateway.request(4)["status"] == gateway.request(5)["status"] == "active"
        gateway.stop()
