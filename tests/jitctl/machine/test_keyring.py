"""Private keys in a real keyring: kept there and found again; locked, silent, useless ones and none at all."""

import sys
from pathlib import Path

import pytest

from support import secretservice
from support.command_result import CommandResult

pytestmark = pytest.mark.skipif(bool(secretservice.lacking()), reason=f"not run: {secretservice.lacking()}")

#: Does what setup and connect do with a key, and prints what they would say.
PROGRAM = """
import sys
from jitctl.machine import keyrings, keystore
from jitd.core.errors import JitError
for word in sys.argv[1:]:
    try:
        print(keystore.keep("office", "desk", word[5:]) if word.startswith("keep:") else keystore.find("office", "desk"))
    except JitError as error:
        print(f"{error.message} | {error.hint}")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which there is nothing yet."""
    made = tmp_path / "home"
    made.mkdir()
    return made


def use(home: Path, *words: str, unlocked: bool = True, **more: str) -> CommandResult:
    """What the program prints."""
    done = secretservice.run(home, [sys.executable, "-c", PROGRAM, *words], unlocked=unlocked, **more)
    return CommandResult(done.returncode, done.stdout, done.stderr)


def kept(home: Path) -> list[str]:
    """Every file below a home that has the key in it as it is, relative to it."""
    files = (file for file in home.rglob("*") if file.is_file())
    return [str(file.relative_to(home)) for file in files if b"KEY-OF-DESK" in file.read_bytes()]


def test_a_key_is_kept_and_found_again(home: Path) -> None:
    """It is in the keyring, for the next session too, and in no file as it is."""
    assert use(home, "keep:KEY-OF-DESK", "find").out == "in your keyring\nKEY-OF-DESK\n"
    assert kept(home) == []
    assert use(home, "find").out == "KEY-OF-DESK\n"


def test_a_locked_keyring(home: Path) -> None:
    """The key in it is not taken for one that is not there; a new key goes into a file, and that is said."""
    use(home, "keep:KEY-OF-DESK")
    said = use(home, "find", unlocked=False)
    assert said.out == (
        "cannot read the private key: your keyring is locked"
        " | Unlock it where you log in on this machine's desktop, and type the same again.\n"
    )
    file = home / ".config" / "jitctl" / "keys"
    said = use(home, "keep:KEY-OF-DESK", "find", unlocked=False)
    told, found = said.out.splitlines()
    assert told.startswith(f"in {file}/")
    assert told.endswith(", which only you can read: your keyring is locked")
    assert found == "KEY-OF-DESK"


@pytest.mark.slow
def test_a_keyring_whose_question_nobody_sees(home: Path) -> None:
    """It is waited for, and that is said, for a few seconds and once; then it counts as one that does not answer."""
    use(home, "keep:KEY-OF-DESK")
    secretservice.nobody_answers(home)
    said = use(home, "find", "keep:OTHER", unlocked=False)
    first, second = said.out.splitlines()
    assert first.startswith("cannot read the private key: your keyring did not answer within 5 s")
    assert second.endswith("which only you can read: your keyring did not answer within 5 s")
    assert said.err.count("waiting for your keyring, for 5 s at most") == 1


@pytest.mark.parametrize(
    "backend",
    ["keyrings.alt.file.PlaintextKeyring", "keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"],
)
def test_a_backend_that_keeps_nothing_safe(home: Path, backend: str) -> None:
    """One that writes plain text for whoever reads it, or keeps nothing, is none, whoever has named it."""
    said = use(home, "keep:KEY-OF-DESK", PYTHON_KEYRING_BACKEND=backend)
    assert said.out.endswith("which only you can read: there is no keyring here\n")
    assert [file.partition("/keys/")[0] for file in kept(home)] == [".config/jitctl"]


def test_a_chain_of_backends(home: Path) -> None:
    """Of several, the first that keeps anything safe is used: not the plain text that could be behind it."""
    chain = "keyring.backends.chainer.ChainerBackend"
    assert use(home, "keep:KEY-OF-DESK", PYTHON_KEYRING_BACKEND=chain).out == "in your keyring\n"
    assert use(home, "find").out == "KEY-OF-DESK\n"
    assert kept(home) == []
