"""The wheel in a bare virtual environment, as on a laptop: the base dependencies, and nothing of the daemon's."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support import local_sshd
from support.in_process_daemon import in_process_daemon
from support.local_sshd import LocalSshd
from support.pip import pip_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
#: What the wheel is built of.
PARTS = ("pyproject.toml", "README.md", "LICENSE", "src", "man", "completions", "packaging")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
#: Libraries of the daemon and of the dashboard.
OTHERS = (
    "aiohttp",
    "aiosmtplib",
    "apprise",
    "daemon",
    "jinja2",
    "msgspec",
    "pyroute2",
    "sqlite_utils",
    "textual",
)
#: Every module is imported, and the help of every verb printed.
EVERYTHING = """
import importlib, importlib.util, pkgutil, sys
import jitctl
from jitctl.__main__ import main
from jitctl.cli.verbs import VERBS
assert "site-packages" in jitctl.__file__, jitctl.__file__
found = [name for name in sys.argv[1].split() if importlib.util.find_spec(name)]
assert not found, found
for one in pkgutil.walk_packages(jitctl.__path__, "jitctl."):
    if not one.name.startswith("jitctl.dashboard."):
        importlib.import_module(one.name)
for verb in VERBS:
    assert main([*verb.name.split(), "--help"]) == 0, verb.name
"""
#: Somebody who is no system account: what ssh runs for him, where the tests run as root. Its libraries are loaded before.
SOMEBODY = (
    "import os, sys; from jitctl.api.pump import pump; os.setgid({0}); os.setuid({0}); sys.exit(pump({1!r}))"
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of the bare environment. Its dependencies are those that the wheel names, from this one's."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(ROOT / part, source / part)
    run([sys.executable, "-c", BUILD, str(place)], cwd=source)
    (wheel,) = place.glob("*.whl")
    environment = place / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    (packages,) = environment.glob("lib/python*/site-packages")
    pip = [*pip_of(), "--python", str(environment / "bin" / "python"), "--disable-pip-version-check"]
    run([*pip, "install", "-q", "--no-deps", "--no-index", "--no-compile", str(wheel)])
    (metadata,) = packages.glob("jitctl-*.dist-info")
    for needed in closure(Distribution.at(metadata)):
        put(needed, packages)
    run([*pip, "check"])
    return environment / "bin"


def run(words: list[str], cwd: Path | None = None, more: Mapping[str, str] | None = None) -> str:
    """What a program prints. Raises AssertionError with what it said where it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        words, cwd=cwd, env={**kept, **(more or {})}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def closure(of: Distribution) -> list[Distribution]:
    """Everything that a distribution needs without its extras, and they in turn."""
    found: dict[str, Distribution] = {}
    open_ = list(of.requires or [])
    while open_:
        needed = Requirement(open_.pop())
        name = needed.name.lower().replace("_", "-")
        if name in found or (needed.marker and not needed.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(needed.name)
        open_ += found[name].requires or []
    return list(found.values())


def put(needed: Distribution, packages: Path) -> None:
    """Put the files of a distribution there, and nothing that lies beside them."""
    for file in needed.files or []:
        if ".." not in file.parts and (here := Path(str(file.locate()))).exists():
            there = packages / file
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(here.resolve())


def test_everything_of_a_laptop_is_there(bare: Path) -> None:
    """Each module of jitctl can be imported and each verb's help printed, and there is no library of the daemon."""
    run([str(bare / "python"), "-c", EVERYTHING, " ".join(OTHERS)])
    assert run([str(bare / "jitctl"), "--version"]).startswith("jitctl ")
    # The table of completions is a file of the package.
    assert run([str(bare / "jitctl"), "__complete", "req"]).startswith("setup\t")


def test_manuals_and_completions_come_along(bare: Path) -> None:
    """They are where man and the shells look beside the bin directory."""
    share = bare.parent / "share"
    for name, origin in {
        "man/man1/jitctl.1": "man/jitctl.1",
        "man/man1/jitctl-network.1": "man/jitctl-network.1",
        "jitd/jitd.service": "packaging/jitd.service",
        "bash-completion/completions/jitctl.bash": "completions/jitctl.bash",
        "fish/vendor_completions.d/jitctl.fish": "completions/jitctl.fish",
        "zsh/site-functions/_jitctl": "completions/_jitctl",
    }.items():
        assert (share / name).read_text() == (ROOT / origin).read_text()


def test_what_is_not_there_is_named(bare: Path) -> None:
    """The daemon's command says what to install, in place of a traceback."""
    done = subprocess.run([bare / "jitd", "run"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("jitd: cannot run: the daemon's library ")
    assert "pip install 'jitctl[daemon]'" in done.stderr


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[LocalSshd]:
    """An sshd in front of a running daemon; who logs in may own devices."""
    with in_process_daemon() as daemon:
        daemon.furnish()
        daemon.directory.chmod(0o755)
        environment = {"JITCTL_SOCKET": os.fspath(daemon.socket)}
        forced: tuple[str, ...] = ()
        if os.geteuid() == 0:
            script = tmp_path / "somebody.py"
            script.write_text(SOMEBODY.format(daemon.people.people["alice"].uid, os.fspath(daemon.socket)))
            forced = (f"ForceCommand {sys.executable} {script}",)
        made = LocalSshd(tmp_path, environment, *forced)
        yield made
        made.stop()


@pytest.mark.skipif(bool(local_sshd.lacking()), reason=f"not run: {local_sshd.lacking()}")
def test_a_laptop_is_set_up(bare: Path, gateway: LocalSshd, tmp_path: Path) -> None:
    """setup, and what follows it without --host: over a real ssh to a real daemon."""
    home = tmp_path / "home"
    home.mkdir()
    gone = {
        "XDG_CONFIG_HOME": "",
        "DBUS_SESSION_BUS_ADDRESS": "",
        "XDG_RUNTIME_DIR": str(home),
        "JITCTL_SOCKET": "",
    }
    given = {"HOME": str(home), "JITCTL_SSH": gateway.ssh(), **gone}

    def jitctl(*words: str) -> str:
        return run([str(bare / "jitctl"), *words], more=given)

    said = jitctl("setup", gateway.host, "--name", "office", "--device", "desk")
    assert "which only you can read: there is no keyring here" in said
    (file,) = (home / ".config" / "jitctl" / "keys").glob("office.desk.*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    public = subprocess.run(
        ["wg", "pubkey"], input=file.read_text(), capture_output=True, text=True, check=True
    ).stdout.strip()
    devices = json.loads(jitctl("device", "list", "--json"))["devices"]
    assert {one["name"]: one["public_key"] for one in devices}["desk"] == public
    assert "office" in jitctl("status")
    assert "key       as it was" in jitctl("setup", gateway.host, "--name", "office", "--device", "desk")
    assert "[Interface]" in jitctl("device", "config", "desk")
    assert "pending" in jitctl("request", "office", "--reason", "the printer")
