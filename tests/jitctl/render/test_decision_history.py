"""What helps before a decision, in words."""

from collections.abc import Callable

import pytest

from jitctl.api.client import Client
from jitctl.render import history
from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon

HOUR = 3_600_000
HOSTILE = "\x1b]0;pwned\x07\u202e[bold]"


@pytest.fixture
def utc(zone: Callable[[str], None]) -> None:
    """Times on the clocks of UTC."""
    zone("UTC")


def asked(daemon: InProcessDaemon, **more: object) -> int:
    """A pending request of alice; returns its number."""
    body = {"network": "office", "reason": "ticket 42", "user": "alice", **more}
    status, reply = daemon.post("/v1/request", **body)
    assert status == 200, reply
    return int(reply["request"]["id"])


def said(daemon: InProcessDaemon, number: int) -> list[str]:
    """The lines about a request."""
    return history.lines(Client(socket=str(daemon.socket), host="").history(number))


def test_before_the_first_request(daemon: InProcessDaemon, utc: None) -> None:
    """Who never asked has no past, and what a yes gives is said."""
    number = asked(daemon)
    assert said(daemon, number) == [
        "asked      for the first time in 30 days for office",
        "rule       just-in-time access is on for office",
        "a yes      gives 2h, until 16:13:20 UTC; at most 8h",
    ]


def test_before_a_later_request(daemon: InProcessDaemon, utc: None) -> None:
    """What was asked for before, how that ended, what was used of it, what is open elsewhere, what caps a yes."""
    daemon.post("/v1/grant", id=asked(daemon), duration=HOUR)
    daemon.post("/v1/revoke", id=1, comment="enough")
    daemon.post("/v1/deny", id=asked(daemon, reason=HOSTILE), comment="no")
    daemon.post("/v1/network/add", name="vault", routes=["10.4.0.0/16"])
    daemon.post("/v1/grant", user="alice", network="vault", duration=HOUR)
    daemon.post("/v1/network/set", name="office", changes=["jit.hours=Mon-Fri 08:00-15:13 UTC"])
    assert said(daemon, asked(daemon)) == [
        "asked      twice for office in 30 days before this, 1 granted",
        "last grant 1, just now: open for 0s, never used",
        "before     3 vault * active, just now, 1h: granted by admin without a request",
        "           2 office x denied by admin, just now, default: ]0;pwned[bold]",
        "           1 office x revoked by admin, just now, 1h: ticket 42",
        "open now   vault for 1h 00m, grant 3",
        "rule       just-in-time access is on for office",
        "a yes      gives 59m40s, until 15:13:00 UTC (the shift ends at 2026-09-21 15:13:00 UTC); at most 8h",
    ]


def test_before_a_decision_that_cannot_be_a_yes(daemon: InProcessDaemon, utc: None) -> None:
    """Why nothing can be granted, and what to type against it."""
    number = asked(daemon)
    daemon.post("/v1/freeze", reason="intruder")
    assert said(daemon, number)[-1] == (
        "a yes      is not possible: cannot open office: admin has frozen all access: intruder. An "
        "administrator ends the freeze with jitctl thaw"
    )


def test_show_tells_it_to_who_decides(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """While it is pending, for an administrator; once it is decided there is nothing to decide."""
    number = str(asked(daemon))
    assert jitctl("show", number).out.splitlines()[-4:] == [
        "before a decision:",
        "asked      for the first time in 30 days for office",
        "rule       just-in-time access is on for office",
        "a yes      gives 2h, until 16:13:20 UTC; at most 8h",
    ]
    jitctl("deny", number, "--reason", "not now")
    assert "before a decision" not in jitctl("show", number).out
