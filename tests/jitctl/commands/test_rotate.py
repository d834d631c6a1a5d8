"""A laptop that was set up rotates its key and is lost: whatever is interrupted, the registered key is there."""

import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import support.fake_ssh
from support.command_result import CommandResult
from support.in_process_daemon import KEY_OF, InProcessDaemon

ROTATE = "/v1/device/rotate"


class Laptop:
    """A machine with a home of its own. As root its user is alice; else who runs the tests, as whom jitd knows him."""

    def __init__(self, daemon: InProcessDaemon, home: Path) -> None:
        self.daemon = daemon
        me = os.getuid()
        self.user, uid = ("alice", me + 30001) if me == 0 else ("admin", me)
        for directory in (daemon.directory, daemon.socket.parent):
            directory.chmod(0o711)
        self.keys = home / "jitctl" / "keys"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("JITCTL_")},
            "XDG_CONFIG_HOME": str(home),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "JITCTL_SSH": shlex.join(
                [sys.executable, support.fake_ssh.__file__, str(daemon.socket), str(uid)]
            ),
            "TZ": "UTC",
            "COLUMNS": "100",
        }

    def jitctl(self, *words: str, **environment: str) -> CommandResult:
        """What is typed on it."""
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            env=self._environment | environment,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def registered(self, device: str = "desk") -> str | None:
        """The public key that the gateway knows."""
        found = self.daemon.get(f"/v1/device/list?user={self.user}")[1]["devices"]
        return next((one["public_key"] for one in found if one["name"] == device), None)

    def kept(self) -> dict[str, str]:
        """The public halves of the keys that are here, by the name of the file."""
        return {one.name: _public(one.read_text()) for one in self.keys.glob("office.*")}


def _public(private: str) -> str:
    done = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def laptop(daemon: InProcessDaemon, tmp_path: Path) -> Iterator[Laptop]:
    """A laptop that is set up as desk."""
    made = Laptop(daemon, tmp_path)
    said = made.jitctl("setup", "ssh://gateway", "--name", "office", "--device", "desk")
    assert said.status == 0, said
    yield made


def test_a_laptop_rotates_its_key(laptop: Laptop) -> None:
    """The new key is registered and kept for its user alone, nothing of the old one stays, and no key is printed."""
    before = laptop.registered()
    old = (laptop.keys / "office.desk.key").read_text().strip()
    said = laptop.jitctl("device", "rotate")
    assert said.status == 0, said
    after = laptop.registered()
    assert after != before
    assert laptop.kept() == {"office.desk.key": after}
    file = laptop.keys / "office.desk.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    new = file.read_text().strip()
    for private in (old, new):
        assert private not in said.out + said.err
    assert said.out.splitlines() == [
        f"{laptop.user}'s device desk has a new key: {after}",
        f"key       in {file}, which only you can read: there is no keyring here",
    ]
    told = json.loads(laptop.jitctl("device", "rotate", "desk", "--json").out)
    assert (told["replaced"], told["device"]["public_key"]) == (after, laptop.registered())
    assert (told["profile"], told["tunnels"], told["already"]) == ("office", [], False)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("finish", ["device rotate", "setup ssh://gateway --name office --device desk"])
def test_a_rotation_that_is_killed_is_finished(laptop: Laptop, when: str, finish: str) -> None:
    """Killed before the gateway was told, or before its answer was read: the registered key is here, and the next run makes
    an end of it.
    """
    before = laptop.registered()
    said = laptop.jitctl("device", "rotate", FAKE_SSH_KILL=f"{when}:{ROTATE}")
    assert said.status == -signal.SIGKILL
    assert (laptop.registered() == before) == (when == "before")
    assert laptop.registered() in laptop.kept().values()
    assert set(laptop.kept()) == {"office.desk.key", "office.desk.next"}
    if when == "after":
        connect = laptop.jitctl("connect")
        assert (connect.status, "was interrupted" in connect.err) == (8, True)
    said = laptop.jitctl(*finish.split())
    assert said.status == 0, said
    assert laptop.kept() == {"office.desk.key": laptop.registered()}
    assert (laptop.registered() == before) == (when == "before" and finish.startswith("setup"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_line_that_breaks_leaves_both_keys(laptop: Laptop, when: str) -> None:
    """The error says that typing it again goes on, and that is so."""
    said = laptop.jitctl("device", "rotate", FAKE_SSH_CUT=f"{when}:{ROTATE}")
    assert said.status == 6
    assert "run the command again to continue" in said.err
    assert laptop.registered() in laptop.kept().values()
    number = len(laptop.kept())
    assert laptop.jitctl("device", "rotate").status == 0
    assert (number, laptop.kept()) == (2, {"office.desk.key": laptop.registered()})


def test_a_rotation_that_is_killed_between_its_two_last_steps(laptop: Laptop) -> None:
    """The new key was kept as the key, and the copy beside it not taken away; half a file is there, too."""
    laptop.jitctl("device", "rotate", FAKE_SSH_KILL=f"after:{ROTATE}")
    shutil.copy2(laptop.keys / "office.desk.next", laptop.keys / "office.desk.key")
    half = laptop.keys / "office.desk.key.new"
    half.touch(0o600)
    registered = laptop.registered()
    said = laptop.jitctl("device", "rotate")
    assert (said.status, "the key of the interrupted run before" in said.out) == (0, True)
    half.unlink(missing_ok=True)
    assert laptop.kept() == {"office.desk.key": registered}


def test_a_key_that_was_rotated_elsewhere(laptop: Laptop) -> None:
    """There is nothing to go on with: it is told, and the key that is here stays."""
    kept = laptop.kept()
    status, _ = laptop.daemon.post(ROTATE, name="desk", user=laptop.user, public_key=KEY_OF["third"])
    assert status == 200
    said = laptop.jitctl("device", "rotate")
    assert (said.status, said.out) == (8, "")
    assert "the registered one is in no file of this machine" in said.err
    assert laptop.kept() == kept
    assert laptop.registered() == KEY_OF["third"]


def test_keys_of_other_devices(laptop: Laptop, daemon: InProcessDaemon) -> None:
    """A key made elsewhere is given; what is not on this machine cannot be made here, nor somebody else's."""
    daemon.post("/v1/device/add", name="other", user=laptop.user, public_key=KEY_OF["third"])
    said = laptop.jitctl("device", "rotate", "other", "--public-key", _public(_private()))
    assert (said.status, "has a new key" in said.out) == (0, True)
    assert laptop.registered("other") != KEY_OF["third"]
    for words, told in (
        (("other",), "that of other is in no file of this machine"),
        (("laptop", "--user", "bob"), "another user's device"),
        (("other", "--qr"), "without a terminal"),
        (("other", "--interface", "wg0"), "--interface without --qr"),
        (("other", "--qr", "--public-key", KEY_OF["third"]), "--qr together with --public-key"),
        (("other", "--socket", str(daemon.socket)), "no gateway was set up on this machine"),
    ):
        said = laptop.jitctl("device", "rotate", *words)
        assert (said.status, told in said.err) == (2, True), said


def _private() -> str:
    return subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout


def test_a_laptop_that_was_lost_and_is_set_up_again(laptop: Laptop) -> None:
    """One command without a question cuts it and takes its key away here, too; set up again it has a new one."""
    lost = laptop.registered()
    said = laptop.jitctl("device", "remove", "desk", "--lost")
    assert (said.status, said.out) == (
        0,
        "device desk is reported lost: its access is cut, and its key can never be registered again\n",
    )
    assert "removed from this machine" in said.err
    assert (laptop.registered(), laptop.kept()) == (None, {})
    again = laptop.jitctl("device", "remove", "desk", "--lost", "--json")
    assert json.loads(again.out)["already"]
    assert laptop.jitctl("setup", "ssh://gateway", "--name", "office", "--device", "desk").status == 0
    assert laptop.registered() not in (None, lost)
    status, told = laptop.daemon.post("/v1/device/add", name="x", user="bob", public_key=lost)
    assert (status, "reported lost" in told["message"]) == (422, True)


def test_an_administrator_reports_a_device_lost(daemon: InProcessDaemon, laptop: Laptop) -> None:
    """From any machine, by whose it is; who loses what is shown, and it is told what is not cut by it."""
    socket = ("--socket", str(daemon.socket))
    daemon.post("/v1/request", network="office", reason="x", user="bob", duration=3_600_000)
    daemon.post("/v1/grant", id=1)
    said = laptop.jitctl("device", "remove", "laptop", "--lost", "--user", "bob", *socket)
    assert said.status == 0
    assert "- bob/laptop loses access now to office" in said.err
    assert "authorized_keys" in said.err
    events = laptop.jitctl("events", "--kind", "device_lost", *socket)
    assert "reported bob's device laptop lost: its access to office is cut" in events.out
