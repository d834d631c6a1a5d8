"""jitctl policy: export, check, apply, as somebody types it and as automation does."""

import json
from pathlib import Path

import pytest

from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.terminal import Terminal


@pytest.fixture
def file(jitctl: RunCommand, tmp_path: Path) -> Path:
    """The policy of the daemon, exported."""
    found = tmp_path / "policy.toml"
    assert jitctl("policy", "export", "--output", str(found)).status == 0
    assert found.read_text() == jitctl("policy", "export").out
    return found


def test_an_export_is_no_difference(jitctl: RunCommand, file: Path) -> None:
    """--check exits with 0 after an export, from a file and from standard input."""
    for words, given in (([str(file)], ""), (["-"], file.read_text())):
        said = jitctl("policy", "apply", *words, "--check", given=given)
        assert (said.status, said.out) == (0, "nothing to change\n")


def test_check_tells_a_difference_and_changes_nothing(jitctl: RunCommand, file: Path) -> None:
    """1 for a difference, also with --yes and with --json; 2 for a wrong line; what is changed is named."""
    file.write_text(
        file.read_text().replace('"8h"', '"9h"') + '\n[network.lab]\nroutes = ["192.168.0.0/24"]\n'
    )
    said = jitctl("policy", "apply", str(file), "--check", "--yes")
    assert said.status == 1
    assert said.err.splitlines() == [
        "~ network office: max_duration 8h -> 9h",
        "+ network lab: interface wg0; routes 192.168.0.0/24",
    ]
    said = jitctl("policy", "apply", str(file), "--check", "--json")
    assert (said.status, [one["sign"] for one in json.loads(said.out)["changes"]]) == (1, ["~", "+"])
    assert jitctl("policy", "apply", str(file)).status == 2
    file.write_text(file.read_text() + "membres = []\n")
    said = jitctl("policy", "apply", str(file), "--check")
    assert said.status == 2
    assert "cannot use 'membres' in [network.lab]" in said.err
    assert "Did you mean members?" in said.err
    assert "lab" not in jitctl("policy", "export").out


def test_apply_yes(jitctl: RunCommand, file: Path) -> None:
    """Without a terminal only --yes applies it; the second time there is nothing to do."""
    text = file.read_text() + '\n[network.lab]\nroutes = ["192.168.0.0/24"]\n'
    said = jitctl("policy", "apply", "-", given=text)
    assert (said.status, "Add --yes to apply the plan." in said.err) == (2, True)
    said = jitctl("policy", "apply", "-", "--yes", given=text)
    assert (said.status, said.out) == (0, "the policy is applied: 1 added\n")
    said = jitctl("policy", "apply", "-", "--yes", given=text)
    assert (said.status, said.out) == (0, "nothing to change\n")


def test_apply_asks(daemon: InProcessDaemon, jitctl: RunCommand, file: Path) -> None:
    """At a terminal: a no changes nothing and exits with 1, a yes does it."""
    file.write_text("")
    for answer, status, said in (
        ("n", 1, "nothing was changed"),
        ("y", 0, "the policy is applied: 1 removed"),
    ):
        assert "[network.office]" in jitctl("policy", "export").out
        terminal = Terminal(daemon, "policy", "apply", str(file))
        terminal.until("Apply it? [y/N]")
        terminal.type(f"{answer}\n")
        assert terminal.end() == status
        assert "network office: removed" in terminal.seen
        assert said in terminal.seen
    assert "[network.office]" not in jitctl("policy", "export").out


def test_a_file_is_never_cut_short(jitctl: RunCommand, file: Path) -> None:
    """What a policy does not name is removed, so that a part of a file is not applied."""
    file.write_text(file.read_text() + "#" * 1_100_000)
    said = jitctl("policy", "apply", str(file), "--yes")
    assert said.status == 2
    assert "more than 1000000 bytes" in said.err
