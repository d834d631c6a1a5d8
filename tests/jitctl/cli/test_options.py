"""The options that every verb has, and errors of usage. Nothing here reaches a daemon."""

import json
import re
from pathlib import Path

import pytest

from jitctl.cli.app import Settings
from jitctl.cli.run import main
from jitctl.cli.verbs import MEANT, VERBS
from jitd.core.errors import JitError

NOWHERE = "/nonexistent/jitd.sock"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon is named, and false stands for ssh."""
    monkeypatch.delenv("JITCTL_HOST", raising=False)
    monkeypatch.setenv("JITCTL_SOCKET", NOWHERE)
    monkeypatch.setenv("JITCTL_SSH", "false")


def test_what_is_typed_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JITCTL_HOST counts unless --socket is typed, and --host before it."""
    monkeypatch.setenv("JITCTL_HOST", "ssh://elsewhere")
    assert main(["list"]) == 6
    assert "ssh://elsewhere" in capsys.readouterr().err
    assert main(["list", "--socket", NOWHERE]) == 6
    assert NOWHERE in capsys.readouterr().err
    assert main(["--host", "ssh://gateway", "list"]) == 6
    assert "ssh://gateway" in capsys.readouterr().err


def test_two_daemons_cannot_be_meant() -> None:
    """--socket together with --host is a usage error."""
    with pytest.raises(JitError, match="cannot use --socket together with --host") as caught:
        Settings(socket=NOWHERE, host="ssh://gateway").client()
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("words", [["--version"], ["--json", "--version"], ["--version", "list"]])
def test_version_is_printed_wherever_it_stands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Alone, without Typer, and behind other options."""
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("jitctl ")


@pytest.mark.parametrize(
    "words", [["gramt"], ["grant", "--foo"], ["show"], ["show", "x"], ["network", "jit", "office", "maybe"]]
)
def test_usage_errors_are_2_and_json_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """In words on standard error always; with --json as an object on standard output, which is empty otherwise."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert (said.out, "Error: " in said.err) == ("", True)
    assert main([*words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "bad_request"


def test_a_word_that_is_not_utf8_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that no text has are named, escaped, and nothing is sent."""
    assert main(["list", "--user", "a\udcffb"]) == 2
    assert capsys.readouterr().err.startswith("jitctl: cannot read 'a\\udcffb': it is not UTF-8\n")


def test_a_socket_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file, nothing, and a path that is too long for a socket: each exit 6 with its reason."""
    file = tmp_path / "file"
    file.touch()
    for path, told in (
        (str(file), f"cannot reach jitd: no process answers on {file}"),
        (NOWHERE, f"cannot reach jitd: the socket {NOWHERE} does not exist"),
        ("/x" * 200, "cannot reach jitd on /x/x"),
    ):
        assert main(["status", "--socket", path]) == 6
        assert told in capsys.readouterr().err


def test_help_of_a_group_has_one_section(capsys: pytest.CaptureFixture[str]) -> None:
    """All verbs of a group stand together, whoever uses them."""
    assert main(["device", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("Verbs:") == 1
    assert "import" in shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["lst"], "Did you mean list?"),
        (["approve", "1"], "Did you mean grant?"),
        (["network", "rm", "lab"], "Did you mean remove?"),
        (["list", "--statsu", "active"], "--status"),
        (["--jsn", "list"], "--json"),
    ],
)
def test_what_was_meant_is_suggested(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in a verb or an option, and what other programs call it."""
    assert main(words) == 2
    assert meant in capsys.readouterr().err


def test_what_is_meant_exists() -> None:
    """Each word that is suggested for another one is a verb, and no verb that is typed first is shadowed by one."""
    assert set(MEANT.values()) <= {part for verb in VERBS for part in verb.name.split()}
    assert not set(MEANT) & {verb.name.partition(" ")[0] for verb in VERBS}


def test_the_help_groups_the_verbs_by_who_uses_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Users, everybody, approvers, administrators; each verb stands once."""
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    titles = re.findall(r"^(For .*):$", said, re.MULTILINE)
    assert titles == ["For users", "For everybody", "For approvers", "For administrators"]
    assert said.index("For approvers") < said.index("  review ") < said.index("For administrators")
