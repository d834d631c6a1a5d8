"""The policy from the command line: settings by key, files, explanations, people, the emergency stop."""

import json
from pathlib import Path

from support.command_result import RunCommand


def test_a_policy_goes_out_and_in_again(jitctl: RunCommand, tmp_path: Path) -> None:
    """export | apply --check is no difference; a changed file is a plan, exit 1, and applied with --yes alone."""
    file = tmp_path / "policy.toml"
    assert jitctl("policy", "export", "-o", str(file)).out == f"wrote {file}\n"
    assert jitctl("policy", "apply", str(file), "--check").status == 0
    file.write_text(file.read_text().replace("[network.office.jit]", "approvals = 1\n[network.office.jit]"))
    assert jitctl("policy", "apply", str(file), "--check").status == 0
    text = file.read_text().replace('max_duration = "8h"', 'max_duration = "4h"')
    checked = jitctl("policy", "apply", "-", "--check", given=text)
    assert (checked.status, checked.err) == (1, "~ network office: max_duration 8h -> 4h\n")
    refused = jitctl("policy", "apply", "-", given=text)
    assert (refused.status, "Add --yes to apply the plan." in refused.err) == (2, True)
    applied = jitctl("policy", "apply", "-", "--yes", given=text)
    assert (applied.status, applied.out) == (0, "the policy is applied: 1 changed\n")
    wrong = jitctl("policy", "apply", "-", "--yes", given=text.replace("max_duration", "max_duratoin"))
    assert wrong.status == 2
    assert "Did you mean max_duration?" in wrong.err
    assert (
        json.loads(jitctl("network", "show", "office", "--json").out)["network"]["settings"]["max_duration"]
        == "4h"
    )


def test_settings_by_key(jitctl: RunCommand) -> None:
    """KEY=VALUE, KEY+=VALUE and KEY-=VALUE; show names what is not as usual."""
    done = jitctl("network", "set", "office", "approvers+=alice", "jit.hours=daily 08:00-18:00 UTC", "--yes")
    assert done.status == 0
    shown = jitctl("network", "show", "office").out
    assert "approvers  alice\n" in shown
    assert "jit.hours  daily 08:00-18:00 UTC\n" in shown
    assert jitctl("network", "set", "office", "approvers-=alice", "--yes").status == 0
    assert "approvers" not in jitctl("network", "show", "office").out
    assert jitctl("network", "set", "office", "approvers").status == 2


def test_why_in_words(jitctl: RunCommand) -> None:
    """Each rule with its answer, and what would change it."""
    said = jitctl("why", "alice", "office")
    assert said.status == 0
    assert "  do they have to request access?  yes         just-in-time access is on for office\n" in said.out
    assert "> jitctl network set office jit.exempt+=alice\n" in said.out
    assert jitctl("why", "alice", "nowhere").status == 10


def test_ensure_exits_with_what_is_so(jitctl: RunCommand) -> None:
    """5 while it waits, 0 once there is enough; a dry run changes nothing."""
    assert jitctl("request", "office", "-u", "alice", "-r", "x", "--dry-run").err == "nothing was changed\n"
    assert "no requests yet" in jitctl("list").out
    number = json.loads(jitctl("request", "office", "-u", "alice", "-r", "x", "--json").out)["request"]["id"]
    assert jitctl("grant", str(number), "-d", "2h").status == 0
    assert jitctl("extend", str(number)).status == 2
    assert jitctl("extend", str(number), "-d", "1h", "--until", "18:00").status == 2


def test_the_emergency_stop(jitctl: RunCommand) -> None:
    """It wants a yes, says so everywhere, and ends."""
    assert jitctl("freeze", "-r", "intruder").status == 2
    assert jitctl("freeze", "-r", "intruder", "--yes").out.startswith("all access is frozen since")
    assert "has frozen all access: intruder" in jitctl("status").err
    assert jitctl("thaw").out == "nothing is frozen any more\n"
    assert jitctl("thaw").out == "nothing is frozen\n"


def test_people(jitctl: RunCommand) -> None:
    """A contractor comes and is shut out; the list says so."""
    assert (
        "registered here, until"
        in jitctl("user", "add", "zoe", "--until", "2199-01-01").err
        + jitctl("user", "add", "zoe", "--until", "tomorrow 09:00").out
    )
    assert jitctl("user", "disable", "zoe", "-r", "done").status == 0
    assert "an administrator has disabled zoe: done" in jitctl("user", "list", COLUMNS="200").out
    assert jitctl("user", "enable", "zoe").status == 0
    assert jitctl("user", "set", "zoe").status == 2
