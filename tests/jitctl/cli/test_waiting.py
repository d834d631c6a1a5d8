"""Waiting for a decision: what it ends with, whatever happens meanwhile. No daemon of these tests has a second chance
to tell: each decision is made once.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jitd.core.people import Answer, Person
from support.background_command import BackgroundCommand
from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.proxy import proxy
from support.wait import until

Begin = Callable[..., BackgroundCommand]
HOUR = 3_600_000
DAY = 24 * HOUR
ASK = ("request", "office", "-r", "ticket 42", "-u", "alice", "-d", "1h")


def asked(daemon: InProcessDaemon, user: str = "alice", **more: object) -> int:
    """A pending request; returns its number."""
    status, reply = daemon.post(
        "/v1/request", network="office", reason="ticket 42", user=user, duration=HOUR, **more
    )
    assert status == 200, reply
    return int(reply["request"]["id"])


def post(daemon: InProcessDaemon, path: str, **body: object) -> None:
    """A change that must be done."""
    status, reply = daemon.post(path, **body)
    assert status == 200, reply


def test_request_waits_for_its_grant(daemon: InProcessDaemon, begin: Begin) -> None:
    """What was asked is told at once on standard error; the result is one line of standard output, and exit 0."""
    waiting = begin(*ASK, "--wait")
    waiting.until("request 1: alice asks for office, pending\n")
    post(daemon, "/v1/grant", id=1, comment="until tonight")
    said = waiting.end()
    assert said.status == 0
    assert said.out == "office is open for alice until 15:13:20 UTC (1h 00m), grant 1: until tonight\n"
    assert said.err == "request 1: alice asks for office, pending\n"


@pytest.mark.parametrize(
    ("path", "body", "status", "out"),
    [
        (
            "/v1/deny",
            {"comment": "use the lab"},
            3,
            "request 1 of alice for office is denied by admin: use the lab\n",
        ),
        (
            "/v1/user/disable",
            {"user": "alice", "reason": "on leave"},
            4,
            "request 1 of alice for office is cancelled by admin: alice was disabled: on leave\n",
        ),
        (None, {}, 4, "request 1 of alice for office is lapsed: nobody decided in time\n"),
    ],
    ids=["denied", "cancelled by somebody", "lapsed"],
)
def test_what_a_wait_ends_with(
    daemon: InProcessDaemon, begin: Begin, path: str | None, body: dict[str, object], status: int, out: str
) -> None:
    """Each end of a request has its exit status, and says by whom and why."""
    waiting = begin(*ASK, "--wait")
    waiting.until("pending")
    if path is None:
        daemon.advance(2 * DAY)
    else:
        post(daemon, path, **({"id": 1} if path == "/v1/deny" else {}), **body)
    said = waiting.end()
    assert (said.status, said.out) == (status, out)


def test_what_was_decided_before(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """wait returns at once with what has become of it: granted, denied, ended, not there at all."""
    post(daemon, "/v1/grant", id=asked(daemon))
    post(daemon, "/v1/deny", id=asked(daemon, "bob"))
    assert jitctl("wait", "1").status == 0
    assert jitctl("wait", "2").status == 3
    post(daemon, "/v1/revoke", id=1, comment="laptop stolen")
    said = jitctl("wait", "1")
    assert (said.status, said.out) == (4, "grant 1 of alice for office is revoked by admin: laptop stolen\n")
    assert jitctl("wait", "3").status == 10


@pytest.mark.parametrize("last", ["GET /v1/show", "GET /v1/events"])
def test_a_decision_just_before_it_listened_is_not_missed(
    daemon: InProcessDaemon, begin: Begin, tmp_path: Path, last: str
) -> None:
    """Made before the wait's question for the state arrives, or between that and its listening: both are seen."""
    number = asked(daemon)
    left = [number]

    def decide(line: str) -> None:
        if line.startswith(last) and left:
            post(daemon, "/v1/deny", id=left.pop())

    with proxy(daemon.directory / "between.sock", daemon.socket, decide) as socket:
        waiting = begin("wait", str(number), socket=socket)
        said = waiting.end()
    assert (said.status, left) == (3, [])


def test_a_restart_in_the_middle(daemon: InProcessDaemon, begin: Begin) -> None:
    """The daemon stops and comes back while somebody waits; what is decided then still reaches him."""
    waiting = begin(*ASK, "--wait")
    waiting.until("pending")
    daemon.stop()
    waiting.until("jitd does not answer; the request stands; waiting for jitd\n")
    daemon.start_again()
    waiting.until("jitd is back\n")
    post(daemon, "/v1/grant", id=1)
    assert waiting.end().status == 0


def test_what_happens_while_it_is_down_is_seen(daemon: InProcessDaemon, begin: Begin) -> None:
    """A request whose time is over while the daemon is stopped has lapsed for the one who waits."""
    waiting = begin(*ASK, "--wait")
    waiting.until("pending")
    daemon.stop()
    waiting.until("jitd does not answer")
    daemon.clock.advance(2 * DAY)
    daemon.start_again()
    assert waiting.end().status == 4


def test_the_time_is_over(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """With --timeout it ends with 5 and says that the request stands; as JSON it is there as it stands."""
    said = jitctl(*ASK, "--wait", "--timeout", "1s")
    assert said.status == 5
    assert said.out == "request 1: alice asks for office, pending\n"
    assert said.err.endswith("request 1 stands: jitctl wait 1 | jitctl cancel 1 (still pending after 1s)\n")
    said = jitctl("wait", "1", "--timeout", "1s", "--json")
    assert (said.status, json.loads(said.out)["request"]["status"]) == (5, "pending")
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"


def test_the_time_is_over_and_nobody_answers(daemon: InProcessDaemon, begin: Begin) -> None:
    """A daemon that does not come back in time is exit 6: nobody knows what became of the request."""
    waiting = begin(*ASK, "--wait", "--timeout", "5s")
    waiting.until("pending")
    daemon.stop()
    said = waiting.end()
    assert said.status == 6
    assert "cannot tell the outcome of request 1: jitd does not answer" in said.err
    assert "The request stands: jitctl wait 1" in said.err
    daemon.start_again()


def test_ctrl_c_says_that_it_stands(daemon: InProcessDaemon, begin: Begin) -> None:
    """Interrupted, it exits with 130, names what to type, and changes nothing."""
    waiting = begin(*ASK, "--wait")
    waiting.until("pending")
    waiting.interrupt()
    said = waiting.end()
    assert (said.status, said.out) == (130, "")
    assert said.err.endswith("request 1 stands: jitctl wait 1 | jitctl cancel 1\n")
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"


def test_a_grant_that_the_kernel_does_not_agree_with(
    daemon: InProcessDaemon, begin: Begin, jitctl: RunCommand
) -> None:
    """wait goes on until the kernel agrees; when the time is over before that, it ends with 9."""
    asked(daemon)
    # Somebody has put an interface of another kind in the place of wg0.
    daemon.wireguard.remove_link("wg0")
    daemon.wireguard.add_other_link("wg0")
    post(daemon, "/v1/grant", id=1)
    said = jitctl("wait", "1", "--timeout", "3s")
    assert said.status == 9
    assert said.out.startswith("office is open for alice until")
    assert "granted by admin; the kernel does not agree yet\n" in said.err
    waiting = begin("wait", "1")
    waiting.until("the kernel does not agree yet")
    daemon.wireguard.remove_other_link("wg0")
    daemon.advance(60_000)
    assert waiting.end().status == 0


def test_a_grant_for_later(daemon: InProcessDaemon, begin: Begin) -> None:
    """What opens later is decided: it returns at once, says when, and exits with 5, since there is no access yet."""
    start = daemon.clock.now_ms() + DAY
    asked(daemon, start=start)
    waiting = begin("wait", "1")
    post(daemon, "/v1/grant", id=1)
    said = waiting.end()
    assert (said.status, said.out) == (5, "office opens for alice at 2026-09-22 14:13:20 UTC, grant 1\n")


def test_a_grant_that_is_frozen(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Granted in a freeze, there is no access yet either: 5."""
    post(daemon, "/v1/grant", id=asked(daemon))
    post(daemon, "/v1/freeze", reason="intruder")
    said = jitctl("wait", "1")
    assert (said.status, said.out.partition(";")[0]) == (5, "office is frozen for alice")


def second_administrator(daemon: InProcessDaemon) -> str:
    """Carol administers, too. Returns who can say yes where several have to agree: root without a login counts for nobody."""
    uid = os.getuid() + 30003
    daemon.people.people["carol"] = Person(
        name="carol", exists=Answer.YES, uid=uid, groups=frozenset({"admins"})
    )
    return "admin" if os.getuid() else "carol"


def test_each_yes_is_told(daemon: InProcessDaemon, begin: Begin) -> None:
    """Where several have to agree, each yes is told as it comes, and those that were there already."""
    name = second_administrator(daemon)
    post(daemon, "/v1/network/set", name="office", changes=["approvals=2"])
    waiting = begin(*ASK, "--wait")
    waiting.until("pending (0 of 2 have approved)")
    daemon.post_as(name, "/v1/grant", id=1)
    # As it comes, or as it was there when the waiting began: both say who.
    waiting.until(name)
    second = begin("wait", "1")
    second.until(f"1 of 2 have approved: {name}\n")
    post(daemon, "/v1/deny", id=1)
    assert (waiting.end().status, second.end().status) == (3, 3)


def test_more_time_is_waited_for(daemon: InProcessDaemon, begin: Begin) -> None:
    """An extension is decided when the grant that it lengthens is: 0 when it is longer, 3 when it was denied."""
    post(daemon, "/v1/grant", id=asked(daemon))
    for number, path, status, out in (
        (2, "/v1/deny", 3, "request 2 of alice for office is denied by admin\n"),
        (3, "/v1/grant", 0, "grant 1 of alice for office goes on until 16:13:20 UTC\n"),
    ):
        daemon.post_as("alice", "/v1/extend", id=1, duration=HOUR, comment="not ready")
        waiting = begin("wait", str(number))
        post(daemon, path, id=number)
        said = waiting.end()
        assert (said.status, said.out) == (status, out)


def test_more_waiters_than_the_daemon_listens_to(daemon: InProcessDaemon, begin: Begin) -> None:
    """Those beyond the limit of streams ask now and then; nobody takes that limit for a decision."""
    number, limit = asked(daemon), daemon.settings.limits.watchers_per_user
    seen: list[str] = []
    with proxy(daemon.directory / "between.sock", daemon.socket, seen.append) as socket:
        many = [begin("wait", str(number), socket=socket) for _ in range(limit + 2)]
        # All of them, and one that came again because it was refused.
        until(
            lambda: sum(line.startswith("GET /v1/events") for line in seen) > limit + 2,
            "one is refused",
            seconds=60,
        )
        post(daemon, "/v1/deny", id=number)
        assert {one.end().status for one in many} == {3}


def test_what_cannot_be_combined(jitctl: RunCommand) -> None:
    """--timeout belongs to --wait, and a plan is not waited for."""
    assert jitctl(*ASK, "--timeout", "1m").err == "jitctl: cannot use --timeout without --wait\nAdd --wait.\n"
    assert jitctl(*ASK, "--dry-run", "--wait").status == 2
    assert jitctl("wait", "1", "--timeout", "soon").status == 2
    assert "no requests yet" in jitctl("list").out
