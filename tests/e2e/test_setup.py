"""A laptop is set up over a real sshd: a key that stays there, a device that is registered, a profile that is used."""

import json
import stat
from pathlib import Path

import pytest

from support import network, sshd
from support.site import site

pytestmark = pytest.mark.root

HOST = f"ssh://alice@{network.OUTER}:{sshd.PORT}"


def test_a_laptop_is_set_up(tmp_path: Path) -> None:
    """The private key is in a file that only alice reads, and its public half at the gateway; afterwards nobody types
    --host, and the same once more changes nothing.
    """
    with site(tmp_path) as running:
        world, gateway = running.world, running.gateway
        sshd.start(world, tmp_path / "sshd.log", snippet=False)
        sshd.allow(world, "alice")
        words = ("setup", HOST, "--name", "office", "--device", "desk")
        said = gateway.jitctl("alice", *words, where="alice")
        assert f"gateway   office: {HOST}, as alice" in said
        assert "there is no keyring here" in said
        file = world.path("/home/alice/.config/jitctl/keys/office.desk.key")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        private = file.read_text()
        public = world.run(["wg", "pubkey"], given=private).stdout.strip()
        # By the profile: the laptop's own namespace has no jitd.
        mine = json.loads(gateway.jitctl("alice", "device", "list", "--json", where="alice"))["devices"]
        assert {one["name"]: one["public_key"] for one in mine}["desk"] == public
        assert private.strip() not in (tmp_path / "sshd.log").read_text()

        again = gateway.jitctl("alice", *words, where="alice")
        assert "key       as it was" in again
        assert file.read_text() == private
        assert len(
            json.loads(gateway.jitctl("alice", "device", "list", "--json", where="alice"))["devices"]
        ) == len(mine)

        file.unlink()
        done = world.run(["jitctl", *words], user="alice", where="alice", check=False)
        assert done.returncode == 8
        assert "a device of that name is registered, whose key is not on this machine" in done.stderr
