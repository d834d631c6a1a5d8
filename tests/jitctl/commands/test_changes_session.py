"""Changes of rules that several have to agree to, as people type them."""

import os

import pytest

from jitd.core.people import Answer, Person
from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon


@pytest.mark.skipif(os.geteuid() != 0, reason="a second person needs a uid of their own")
def test_a_change_that_waits(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Proposed with exit 5 and the number, listed, pointed to by `list`, agreed to by two others, and made."""
    for number, name in enumerate(("carol", "dave"), start=3):
        groups = frozenset({"admins"})
        uid = os.getuid() + 30000 + number
        daemon.people.people[name] = Person(name=name, exists=Answer.YES, uid=uid, groups=groups)
    assert jitctl("network", "set", "office", "approvals=2", "-r", "audit", "-y").status == 0
    said = jitctl("network", "set", "office", "members=alice", "approvals=1", "-r", "holidays", "-y")
    assert (said.status, said.err.splitlines()[1:]) == (
        5,
        [
            "jitctl: cannot do this alone: office: approvals: 2 -> 1; it waits as change 1, with 0 of 2 approvals",
            "Another approver can run: jitctl change approve 1",
        ],
    )
    assert said.err.startswith("warning: 2 approvals are needed for this: office: approvals: 2 -> 1\n")
    assert "jitctl change list" in jitctl("list").err
    listed = jitctl("change").out.splitlines()
    assert listed[0] == "1  network set, proposed by admin: office: approvals: 2 -> 1"
    assert listed[1].startswith("    holidays; 0 of 2 approvals (nobody); lapses at ")
    said = jitctl("change", "approve", "1", "-y")
    assert (said.status, "no login identifies this person" in said.err) == (7, True)
    daemon.post_as("carol", "/v1/change/approve", id=1)
    assert "1 of 2 approvals (carol)" in jitctl("change", "list").out
    daemon.post_as("dave", "/v1/change/approve", id=1)
    assert jitctl("change", "list").out == "no rule change waits for approvals\n"
    assert "approvals" not in jitctl("network", "show", "office").out
    assert "approved change 1 (2 of 2): office: approvals: 2 -> 1" in jitctl("events").out


def test_a_change_that_is_rejected(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """One no ends it; a number that is not there is told so."""
    daemon.people.people["carol"] = Person(
        name="carol", exists=Answer.YES, uid=os.getuid() + 30003, groups=frozenset({"admins"})
    )
    jitctl("network", "set", "office", "approvals=2", "-y")
    assert jitctl("network", "set", "office", "jit.exempt=alice", "-y").status == 5
    assert jitctl("change", "reject", "1", "-m", "not before the audit").out == "change 1 is rejected\n"
    assert jitctl("change", "reject", "1").status == 8
    assert jitctl("change", "approve", "7").status == 10
