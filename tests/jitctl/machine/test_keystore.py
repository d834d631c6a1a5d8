"""Where a machine keeps the private keys of its devices, and that the one that counts is always among them."""

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.null import Keyring as NoKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError

from jitctl.machine import keyrings, keystore
from jitd.core.errors import JitError

OFFICE = ("office", "laptop")


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of the test's own, and no keyring: that of the machine is nothing for a test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]  # keyring types no constructor
    yield tmp_path / "jitctl" / "keys"
    keyring.set_keyring(before)


class Ring(KeyringBackend):
    """A keyring that can be locked, as a desktop's is."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring types no constructor
        self.kept: dict[str, str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """Raises KeyringLocked."""
        if self.is_locked:
            raise KeyringLocked
        return self.kept.get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raises KeyringLocked."""
        if self.is_locked:
            raise KeyringLocked
        self.kept[f"{service} {username}"] = password

    def delete_password(self, service: str, username: str) -> None:
        """Raises PasswordDeleteError."""
        if self.is_locked or f"{service} {username}" not in self.kept:
            raise PasswordDeleteError
        del self.kept[f"{service} {username}"]


@pytest.fixture
def ring() -> Ring:
    """A keyring that is unlocked."""
    made = Ring()
    keyring.set_keyring(made)
    return made


def names(keys: Path) -> set[str]:
    """The files that are there."""
    return {one.name for one in keys.iterdir()}


def all_of() -> list[str]:
    """Every key of the laptop that is here."""
    found: list[str] = []

    def look(one: str) -> bool:
        found.append(one)
        return False

    assert keystore.matching(*OFFICE, look) is None
    return found


def test_a_key_in_a_file_is_its_users_alone(keys: Path) -> None:
    """Without a keyring: mode 0600 in a directory of 0700, and never one that others can read."""
    assert keystore.find(*OFFICE) is None
    where = keystore.keep(*OFFICE, "secret")
    file = keys / "office.laptop.key"
    assert str(file) in where
    assert "no keyring" in where
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert keystore.find(*OFFICE) == "secret"
    file.chmod(0o644)
    for look in (lambda: keystore.find(*OFFICE), all_of):
        with pytest.raises(JitError, match="other users may read or change it"):
            look()
    file.unlink()
    file.symlink_to("/etc/hostname")
    with pytest.raises(JitError, match="cannot read"):
        keystore.find(*OFFICE)


def test_keeping_replaces_and_follows_no_link(keys: Path, tmp_path: Path) -> None:
    """Another key takes the place of the first in one step, whatever a run that was killed has left there."""
    keystore.keep(*OFFICE, "first")
    (keys / "office.laptop.key.new").write_text("half a k")
    (keys / "office.laptop.key").unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (keys / "office.laptop.key").symlink_to(elsewhere)
    keystore.keep(*OFFICE, "second")
    assert keystore.find(*OFFICE) == "second"
    assert elsewhere.read_text() == "precious"
    assert names(keys) == {"office.laptop.key"}


def test_the_next_key_stands_beside_the_first(keys: Path) -> None:
    """Both are there until the next one is kept as the key; then there is that one alone."""
    keystore.keep(*OFFICE, "first")
    keystore.keep_next(*OFFICE, "second")
    assert (keystore.find(*OFFICE), keystore.find_next(*OFFICE)) == ("first", "second")
    assert all_of() == ["first", "second"]
    assert keystore.matching(*OFFICE, "second".__eq__) == "second"
    assert stat.S_IMODE((keys / "office.laptop.next").stat().st_mode) == 0o600
    keystore.keep(*OFFICE, "second")
    assert all_of() == ["second"]
    assert names(keys) == {"office.laptop.key"}


def test_a_key_is_dropped_with_all_that_is_of_it(keys: Path, ring: Ring) -> None:
    """In the keyring and in files, the next one too, and what a run that was killed has left."""
    assert not keystore.drop(*OFFICE)
    ring.is_locked = True
    keystore.keep(*OFFICE, "file")
    (keys / "office.laptop.next.new").write_text("half a k")
    ring.is_locked = False
    ring.set_password(keyrings.SERVICE, "office/laptop", "ring")
    keystore.keep_next(*OFFICE, "next")
    keystore.keep("office", "laptop2", "another")
    assert keystore.drop(*OFFICE)
    assert (all_of(), names(keys)) == ([], set())
    assert keystore.find("office", "laptop2") == "another"


def test_the_newest_key_is_found_whether_or_not_the_keyring_was_locked(keys: Path, ring: Ring) -> None:
    """What is kept in a file while the keyring is locked comes before what is in it; kept there again, no file stays."""
    assert keystore.keep(*OFFICE, "first") == "in your keyring"
    ring.is_locked = True
    keystore.keep(*OFFICE, "second")
    assert (keystore.find(*OFFICE), keystore.find_next(*OFFICE)) == ("second", None)
    # What a locked keyring has may be the one that counts.
    with pytest.raises(keyrings.KeyringError, match="locked"):
        keystore.matching(*OFFICE, "first".__eq__)
    ring.is_locked = False
    assert keystore.find(*OFFICE) == "second"
    assert all_of() == ["second", "first"]
    keystore.keep(*OFFICE, "third")
    assert all_of() == ["third"]
    assert names(keys) == set()


def test_a_keyring_that_keeps_nothing_is_none(
    keys: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not come back from it is kept in a file."""
    monkeypatch.setattr(ring, "set_password", lambda *_: None)
    keystore.keep(*OFFICE, "secret")
    assert names(keys) == {"office.laptop.key"}


def test_settling_leaves_one_key(keys: Path) -> None:
    """What is right is left as it was; where there are two, the one that counts stays."""
    keystore.keep(*OFFICE, "first")
    assert keystore.settle(*OFFICE, "first") == "as it was"
    keystore.keep_next(*OFFICE, "second")
    assert "which only you can read" in keystore.settle(*OFFICE, "first")
    assert all_of() == ["first"]
    keystore.keep_next(*OFFICE, "second")
    keystore.settle(*OFFICE, "second")
    assert all_of() == ["second"]
    assert names(keys) == {"office.laptop.key"}


def test_only_one_changes_keys(keys: Path) -> None:
    """Meanwhile another one is told so."""
    with keystore.locked(), pytest.raises(JitError, match="another jitctl"), keystore.locked():
        raise AssertionError("two at once")
    with keystore.locked():
        pass


@pytest.mark.parametrize("device", ["../laptop", "a/b", ""])
def test_a_name_is_no_path(device: str) -> None:
    """Nothing is written anywhere else."""
    with pytest.raises(JitError, match="as the name of a device"):
        keystore.keep("office", device, "secret")
