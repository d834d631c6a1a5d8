"""The command line with the oldest and the newest Typer that pyproject.toml allows, each in an environment of its own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from support.pip import pip_of

ROOT = Path(__file__).resolve().parent.parent
NOWHERE = "/nonexistent/jitd.sock"


class Ended(NamedTuple):
    """How a program ended."""

    status: int
    out: str
    err: str


def allowed() -> str:
    """The versions of Typer that jitctl takes: `>=OLDEST,<LIMIT`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (found,) = [one for one in project["dependencies"] if one.startswith("typer")]
    return str(found).removeprefix("typer")


def wanted(end: str) -> str:
    """What pip is asked for."""
    return (
        f"typer=={allowed().partition(',')[0].removeprefix('>=')}.*"
        if end == "oldest"
        else f"typer{allowed()}"
    )


class Installed(NamedTuple):
    """An environment with Typer, what Typer needs, and nothing else; jitctl is run from src."""

    python: Path

    def run(self, *words: str) -> Ended:
        """Run jitctl there."""
        return ended([str(self.python), "-m", "jitctl", *words])


def ended(words: list[str]) -> Ended:
    """Run a program with jitctl's source within reach, and without the settings of whoever runs the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JITCTL_", "TYPER_"))}
    environment = {**kept, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "JITCTL_SOCKET": NOWHERE}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module", params=["oldest", "newest"])
def jitctl(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """jitctl with one end of the range."""
    place = tmp_path_factory.mktemp(request.param)
    python = place / "bin" / "python"
    assert ended([sys.executable, "-m", "venv", "--without-pip", str(place)]).status == 0
    pip = [
        *pip_of(),
        "--python",
        str(python),
        "--disable-pip-version-check",
        "install",
        "-q",
        "--retries",
        "1",
    ]
    done = ended([*pip, wanted(request.param)])
    if "NewConnectionError" in done.err or "NameResolutionError" in done.err:
        pytest.skip("the package index cannot be reached")
    assert done.status == 0, done.err
    return Installed(python)


def test_help(jitctl: Installed) -> None:
    """Of the whole, of a group and of a verb: options that every verb has, and verbs by whom they are for."""
    whole = jitctl.run("--help")
    assert (whole.status, whole.err) == (0, "")
    assert "Usage: jitctl [OPTIONS] COMMAND [ARGS]..." in whole.out
    assert "For users:\n" in whole.out
    for part in ("--json", "--socket PATH", "--profile NAME", "--version", "  request  "):
        assert part in whole.out
    assert "--socket PATH" in jitctl.run("network", "--help").out
    assert "--socket PATH" in jitctl.run("network", "set", "--help").out


def test_usage_errors_suggest_what_was_meant(jitctl: Installed) -> None:
    """A verb and an option that do not exist: exit status 2, and one suggestion each, ours and not Typer's."""
    verb = jitctl.run("reqest")
    assert (verb.status, verb.out) == (2, "")
    assert verb.err.endswith("Error: No such command 'reqest'. Did you mean request?\n")
    option = jitctl.run("list", "--jsn")
    assert option.status == 2
    assert "No such option: --jsn (Possible options: --json, --since)" in option.err
    assert "Try 'jitctl list -h' for help." in option.err
    number = jitctl.run("show", "x")
    assert number.status == 2
    assert "Error: Invalid value for 'ID': " in number.err


def test_a_group_alone(jitctl: Installed) -> None:
    """One that stands for a verb does it, here without a daemon; another shows its help."""
    alone = jitctl.run("outbox")
    assert (alone.status, alone.out) == (6, "")
    assert NOWHERE in alone.err
    shown = jitctl.run("network")
    assert shown.status == 2
    assert "Usage: jitctl network [OPTIONS] COMMAND [ARGS]..." in shown.err


@pytest.mark.parametrize("words", [["--json", "list"], ["list", "--json"], ["network", "--json", "list"]])
def test_json_before_and_behind_the_verb(jitctl: Installed, words: list[str]) -> None:
    """It counts in front of a verb, behind it, and behind a group's name."""
    said = jitctl.run(*words)
    assert said.status == 6
    assert json.loads(said.out)["error"]["code"]


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--user", "a", "--user", "b"],
        ["list", "--socket", "/a", "--socket", "/b"],
        ["--socket", "/a", "list", "--socket", "/b"],
    ],
)
def test_an_option_given_twice_is_refused(jitctl: Installed, words: list[str]) -> None:
    """Typer would take the last one and drop the other."""
    said = jitctl.run(*words)
    assert said.status == 2
    assert "twice: it takes only one value" in said.err


def test_versions_are_the_ends_of_the_range(jitctl: Installed, request: pytest.FixtureRequest) -> None:
    """The tests above ran with what they say."""
    version = ended([str(jitctl.python), "-c", "import typer; print(typer.__version__)"]).out.strip()
    oldest = allowed().partition(",")[0].removeprefix(">=")
    assert version.startswith(f"{oldest}.") == ("oldest" in request.node.name), version
    without_click = ended([str(jitctl.python), "-c", "import click"])
    assert without_click.status == 1, "jitctl must not need click beside Typer's own"
