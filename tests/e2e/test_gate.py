"""A contractor without an account, through a shared ssh account and a real sshd, with real packets."""

import time
from pathlib import Path

import pytest

from support import network, sshd, tunnel
from support.deployment import deployment
from support.wait import until

pytestmark = pytest.mark.root

SHARED = "jit"


def test_a_contractor_through_the_gate(tmp_path: Path) -> None:
    """Zoe's key in the shared account makes her ask as zoe, from her laptop; packets pass once she is granted; after
    her time neither asking nor connecting works, and nobody else's name or shell is to be had.
    """
    with deployment(tmp_path) as running:
        world, gateway = running.world, running.gateway
        world.user(SHARED)
        sshd.start(world, tmp_path / "sshd.log", snippet=False)
        sshd.allow(world, SHARED)
        keys = world.path(f"/home/{SHARED}/.ssh/authorized_keys")
        keys.write_text(f'restrict,command="jitctl gate --user zoe" {keys.read_text()}')
        gateway.settle("daemon", f'gate_users = ["{SHARED}"]')
        gateway.stop()
        gateway.start()

        ends = int(time.time()) + 40
        until_ = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ends))
        gateway.jitctl("carol", "user", "add", "zoe", "--until", until_, "--email", "zoe@example.org")

        # Bob's laptop is where the shared account's key is used from; the user there does not matter.
        host = f"ssh://{SHARED}@{network.OUTER}:{sshd.PORT}"
        key = tunnel.key_pair(world, SHARED, "bob")
        env = {"JITCTL_HOST": host}
        gateway.jitctl(
            SHARED, "device", "add", "laptop", "--public-key", "-", given=f"{key}\n", where="bob", env=env
        )
        config = gateway.jitctl(SHARED, "device", "config", where="bob", env=env)
        tunnel.up(world, "bob", "zoe0", tunnel.put_key(world, SHARED, config))
        gateway.jitctl(SHARED, "request", "office", "--reason", "the audit", where="bob", env=env)
        ssh = ["ssh", "-o", "BatchMode=yes", "-p", str(sshd.PORT), f"{SHARED}@{network.OUTER}"]
        listed = world.run([*ssh, "jitctl list"], user=SHARED, where="bob").stdout
        assert "zoe" in listed
        assert "pending" in listed
        for words in (
            "id",
            "",
            "jitctl gate --user carol",
            "jitctl grant 1",
            "jitctl --socket /tmp/x status",
        ):
            done = world.run([*ssh, words], user=SHARED, where="bob", check=False)
            assert (done.returncode, "cannot give you" in done.stderr) == (7, True), words

        assert not running.connects("bob")
        gateway.jitctl("carol", "grant", "1")
        until(lambda: running.connects("bob"), "zoe's packets pass", seconds=20)
        asked = gateway.get("/v1/show?id=1")["events"][0]["actor"]
        assert (asked["user"], asked["uid"]) == ("zoe", -1)
        assert asked["origin"].startswith(f"gate of {SHARED}, ssh from")

        running.ended(1, 90)
        assert time.time() >= ends
        assert not running.connects("bob")
        done = world.run([*ssh, "jitctl request office --reason more"], user=SHARED, where="bob", check=False)
        assert (done.returncode, "the end date of zoe has passed" in done.stderr) == (3, True)
