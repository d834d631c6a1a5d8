"""A laptop is set up over a real sshd: a key that stays there, a device that is registered, a profile that is used."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support import network, secretservice, sshd, tunnel
from support.deployment import Deployment, deployment

pytestmark = pytest.mark.root

HOST = f"ssh://alice@{network.OUTER}:{sshd.PORT}"
KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
FIND = "from jitctl.machine import keystore; print(keystore.find('office', 'desk'))"


class Far(NamedTuple):
    """A deployment with an sshd, on which alice and bob may log in from their laptops."""

    deployment: Deployment
    logs: tuple[Path, ...]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """Made once: nothing here stands in the way of another."""
    place = tmp_path_factory.mktemp("setup")
    with deployment(place) as running:
        sshd.start(running.world, place / "sshd.log", snippet=False)
        for user in ("alice", "bob"):
            sshd.allow(running.world, user)
        yield Far(running, (place / "sshd.log", place / "jitd.log"))


def test_a_laptop_is_set_up(far: Far) -> None:
    """The private key is in a file that only alice reads, and its public half at the gateway; afterwards nobody types
    --host, and the same once more changes nothing.
    """
    world, gateway = far.deployment.world, far.deployment.gateway
    words = ("setup", HOST, "--name", "office", "--device", "desk")
    said = gateway.jitctl("alice", *words, where="alice")
    assert f"gateway   office: {HOST}, as alice" in said
    assert "there is no keyring here" in said
    (file,) = world.path("/home/alice/.config/jitctl/keys").glob("office.desk.*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    private = file.read_text()
    public = world.run(["wg", "pubkey"], given=private).stdout.strip()
    # By the profile: the laptop's own namespace has no jitd.
    mine = json.loads(gateway.jitctl("alice", "device", "list", "--json", where="alice"))["devices"]
    assert {one["name"]: one["public_key"] for one in mine}["desk"] == public
    assert all(private.strip() not in log.read_text() for log in far.logs)

    again = gateway.jitctl("alice", *words, where="alice")
    assert "key       as it was" in again
    assert file.read_text() == private
    assert len(
        json.loads(gateway.jitctl("alice", "device", "list", "--json", where="alice"))["devices"]
    ) == len(mine)

    # The same gateway by another address, which knows this machine.
    other = ("setup", f"ssh://alice@127.0.0.1:{sshd.PORT}", *words[2:])
    assert "key       as it was" in gateway.jitctl("alice", *other)
    gateway.jitctl("alice", *words, where="alice")

    file.unlink()
    done = world.run(["jitctl", *words], user="alice", where="alice", check=False)
    assert done.returncode == 8
    assert "a device with this name is registered, and its private key is" in done.stderr


def test_a_laptop_with_a_keyring_is_set_up(far: Far) -> None:
    """The private key is in the keyring and found there again; it is in no file, log or output, and never was an
    argument or in an environment.
    """
    world = far.deployment.world
    environment = {"XDG_RUNTIME_DIR": "/home/bob/run"}
    world.run(["mkdir", "-m", "700", "run"], user="bob")
    setup = ["jitctl", "setup", HOST.replace("alice", "bob"), "--name", "office", "--device", "desk"]
    traced = ["strace", "-f", "-e", "trace=execve", "-v", "-s", "4096", "-o", "trace", *setup]

    def session(words: list[str], *, unlocked: bool = True) -> tuple[int, str]:
        done = world.run(
            secretservice.command(words, unlocked=unlocked),
            user="bob",
            where="bob",
            env=environment,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    status, said = session(traced)
    assert (status, "key       in your keyring" in said) == (0, True), said
    python = world.path("/usr/local/bin/jitctl").read_text().partition("\n")[0].removeprefix("#!")
    start = "import sys; sys.path.insert(0, '/usr/local/lib/jitctl/src'); "
    (private,) = KEY.findall(session([python, "-c", start + FIND])[1])
    public = world.run(["wg", "pubkey"], given=private).stdout.strip()
    assert public in said
    home = world.path("/home/bob")
    written = [file for file in home.rglob("*") if file.is_file() and private.encode() in file.read_bytes()]
    assert written == []
    assert "wg" in (home / "trace").read_text()
    assert all(private not in text for text in (said, *(log.read_text() for log in far.logs)))

    assert "key       as it was" in session(setup)[1]
    # What is in a keyring that nobody has unlocked is not taken for a key that is not there.
    status, said = session(setup, unlocked=False)
    assert (status, "cannot read the private key: your keyring is locked" in said) == (1, True), said


def test_a_gateway_behind_its_own_tunnel(far: Far) -> None:
    """Asked by its address in the tunnel, a gateway that has granted nothing does not answer: it is said why that cannot
    work, and what does.
    """
    world, gateway = far.deployment.world, far.deployment.gateway
    key = tunnel.key_pair(world, "alice", "alice")
    gateway.jitctl("alice", "device", "add", "road", "--public-key", "-", given=f"{key}\n")
    config = gateway.jitctl("alice", "device", "config", "road")
    tunnel.up(world, "alice", "alice0", tunnel.put_key(world, "alice", config))
    # As jitctl connect leaves it there.
    line = "mkdir -p .config/jitctl/tunnels; cat >.config/jitctl/tunnels/alice0.conf"
    world.run(["sh", "-c", line], user="alice", given=config)
    world.path("/home/alice/.ssh/config").write_text("ConnectTimeout 2\n")
    there = {"JITCTL_HOST": f"ssh://alice@10.9.0.1:{sshd.PORT}"}
    done = world.run(["jitctl", "status"], user="alice", where="alice", env=there, check=False)
    assert done.returncode == 6
    assert (
        "timed out. 10.9.0.1 is an address behind the tunnel alice0, which is up, but passes no traffic: no "
        "grant is active now"
    ) in done.stderr
    assert "Use an address that is reachable without the tunnel" in done.stderr
