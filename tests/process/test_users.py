"""jitd with its real paths, as root and as somebody who is not."""

import stat

import pytest

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
            (["run"], 2, "jitd: cannot start: /var/lib/jitd belongs to somebody else (uid 0)\n"),
            (["check"], 1, "jitd: [daemon] state_dir: /var/lib/jitd belongs to somebody else (uid 0). "),
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
