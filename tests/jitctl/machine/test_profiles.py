"""The gateways that a user's jitctl knows: a file of their own, and nobody else's."""

import stat
from pathlib import Path

import pytest

from jitctl.api import client, transport
from jitctl.cli.app import Settings
from jitctl.cli.everywhere import status_of_all
from jitctl.machine import profiles
from jitctl.machine.profiles import Profile, Profiles
from jitd.core.errors import JitError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration directory of the test's own, and no environment that names a jitd."""
    for name in ("JITCTL_HOST", "JITCTL_PROFILE", "JITCTL_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "jitctl"


def test_profiles_are_kept_for_their_user_alone(home: Path) -> None:
    """What was written is read again; the first profile is the default; nobody else may read the file."""
    assert profiles.read() == Profiles()
    office = Profile("office", "ssh://alice@gateway", "laptop")
    made = Profiles().with_(office).with_(Profile("lab", "ssh://lab"))
    profiles.write(made)
    assert profiles.read() == made
    assert made.default == "office"
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600
    assert [one.name for one in home.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "default = 'nobody'",
        "[profile.office]\ndevice = 'x'",
        "[profile.'no name!']\nhost = 'ssh://x'",
        "[profile]\noffice = 1",
        "= nonsense",
    ],
)
def test_a_file_that_cannot_be_used_is_named(home: Path, text: str) -> None:
    """The error names the file, and is no traceback."""
    home.mkdir()
    (home / "config.toml").write_text(text)
    with pytest.raises(JitError, match=r"cannot read .*config\.toml"):
        profiles.read()


def test_which_jitd_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options before the environment, before the default profile, before this machine's own jitd."""
    assert not Settings().client().is_far
    assert not transport.is_elsewhere()
    profiles.write(Profiles().with_(Profile("office", "ssh://office")).with_(Profile("lab", "ssh://lab")))
    assert transport.is_elsewhere()
    assert Settings().client()._host == "ssh://office"
    assert Settings(profile="lab").client()._host == "ssh://lab"
    assert Settings(socket="/x").client()._host == ""
    assert Settings(host="ssh://other").client()._host == "ssh://other"
    monkeypatch.setenv("JITCTL_PROFILE", "lab")
    assert Settings().client()._host == "ssh://lab"
    monkeypatch.setenv("JITCTL_HOST", "ssh://env")
    assert Settings().client()._host == "ssh://env"
    assert Settings(profile="office").client()._host == "ssh://office"
    monkeypatch.delenv("JITCTL_HOST")
    monkeypatch.delenv("JITCTL_PROFILE")
    monkeypatch.setenv("JITCTL_SOCKET", "/y")
    assert Settings().client()._host == ""
    assert not transport.is_elsewhere()
    with pytest.raises(JitError, match="cannot find the profile 'home'"):
        Settings(profile="home").client()
    with pytest.raises(JitError, match="cannot use --socket together with --profile"):
        Settings(socket="/x", profile="lab").client()


def test_nobody_leaves_through_a_gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks through a gate means the jitd of that machine, whatever the shared account was set up for."""
    profiles.write(Profiles("lab", {"lab": Profile("lab", "ssh://lab", "laptop")}))
    assert Settings().client()._host == "ssh://lab"
    monkeypatch.setattr(client, "speaking_for", "zoe")
    monkeypatch.setenv("JITCTL_HOST", "ssh://env")
    assert Settings().client()._host == ""
    assert Settings().profile_meant() is None
    with pytest.raises(JitError, match="cannot show other gateways in this session"):
        status_of_all(None, "")  # type: ignore[arg-type]  # refused before it is used
