r"""Somebody whom a directory calls `DOM\anna lee`: every verb takes the name, and every command that is printed works."""

import base64
import re
import shlex
from pathlib import Path

import pytest

from jitctl.commands.devices import owners
from jitd.core.errors import JitError
from jitd.core.people import Answer, Person
from support.command_result import RunCommand
from support.hints import commands
from support.in_process_daemon import InProcessDaemon

ANNA = "DOM\\anna lee"
KEY = base64.b64encode(bytes([77]) * 32).decode()


@pytest.fixture
def anna(daemon: InProcessDaemon) -> str:
    """A user of the system, and a group of the same kind."""
    daemon.people.people[ANNA] = Person(
        name=ANNA, exists=Answer.YES, uid=71_000, groups=frozenset({"domain users@corp.example"})
    )
    daemon.people.groups.add("domain users@corp.example")
    return ANNA


def test_every_verb_takes_the_name(anna: str, jitctl: RunCommand) -> None:
    """From a device to the end of a grant, in rules, filters and explanations; and what is printed can be pasted."""
    printed = ""
    for words in (
        ("device", "add", "laptop", "--user", anna, "--public-key", KEY),
        ("network", "set", "office", f"members={anna},@domain users@corp.example", f"approvers={anna}", "-y"),
        ("network", "set", "office", f"jit.auto_approve={anna} up to 1h, 5 a week", "-y"),
        ("network", "show", "office"),
        ("why", anna, "office"),
        ("grant", "--user", anna, "--network", "office", "-d", "1h", "-y"),
        ("list", "--user", anna),
        ("show", "1"),
        ("events", "--user", anna),
        ("device", "list", "--user", anna),
        ("doctor", "office", "--user", anna),
        ("report", "--user", anna),
        ("policy", "export"),
        ("user", "disable", anna, "--reason", "left"),
        ("user", "enable", anna),
        ("user", "list"),
        ("network", "set", "office", f"approvers-={anna}", "-y"),
        ("device", "remove", "laptop", "--user", anna, "-y"),
    ):
        said = jitctl(*words)
        assert said.status in (0, 1 if words[0] == "doctor" else 0), (words, said)
        printed += said.out + said.err
    assert anna in jitctl("user", "list").out
    for words in (
        ("why", anna, "office"),
        ("doctor", "--user", anna),
        ("user", "disable", anna),
        ("grant", "--user", anna, "--network", "office"),
        ("device", "rotate", "laptop", "--user", anna),
    ):
        said = jitctl(*words)
        printed += said.out + said.err
    assert len({tuple(words[:2]) for words in commands(printed, anna)}) >= 4
    for line in set(re.findall(r"> (jitctl network set .*anna lee.*)", printed)):
        done = jitctl(*shlex.split(line)[1:], "-y")
        assert "cannot use" not in done.err
        assert "cannot find" not in done.err


def test_a_policy_file_goes_round(anna: str, jitctl: RunCommand, tmp_path: Path) -> None:
    """What is exported with such names is applied without a change."""
    jitctl("network", "set", "office", f"members={anna},@domain users@corp.example", "-y")
    file = tmp_path / "policy.toml"
    assert jitctl("policy", "export", "--output", str(file)).status == 0
    assert jitctl("policy", "apply", str(file)).out == "nothing to change\n"


def test_a_map_of_owners_may_have_blanks_in_names() -> None:
    """Between a key and the name of a device, neither of which has blanks, stands the user."""
    text = f"{KEY} {ANNA} laptop   # hers\n# nobody\n{KEY} host#1 phone\n"
    assert [(one["user"], one["name"]) for one in owners(text, "map")] == [
        (ANNA, "laptop"),
        ("host#1", "phone"),
    ]
    with pytest.raises(JitError, match="line 1 of map: it has 2 words"):
        owners(f"{KEY} alice\n", "map")
