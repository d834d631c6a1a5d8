"""Deciding quickly: jitctl review at a terminal, and several requests at once."""

import json
import time

import pytest

from jitctl.cli.keys import ALONE_SECONDS
from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.terminal import Terminal
from support.wait import until

KEYS = "[g]rant  [o]ther duration  [d]eny  [s]kip  [h]istory  [q]uit"
HOUR = 3_600_000


def ask(daemon: InProcessDaemon, user: str, reason: str = "ticket 42", **more: object) -> int:
    """A pending request; returns its number."""
    body = {"network": "office", "reason": reason, "user": user, "duration": HOUR, **more}
    status, reply = daemon.post("/v1/request", **body)
    assert status == 200, reply
    return int(reply["request"]["id"])


def statuses(daemon: InProcessDaemon) -> dict[int, str]:
    """The status of each request by its number."""
    return {one["id"]: one["status"] for one in daemon.get("/v1/list")[1]["requests"]}


def test_one_key_for_each(daemon: InProcessDaemon) -> None:
    """The urgent one comes first; it is granted as wished, the other for another time; what helps is shown before."""
    ask(daemon, "alice")
    ask(daemon, "bob", reason="the disk is full", urgent=True)
    terminal = Terminal(daemon, "review")
    terminal.until(KEYS)
    assert "request 2: bob asks for office, 1 more wait" in terminal.plain
    assert "reason     the disk is full" in terminal.plain
    assert "asked      for the first time in 30 days for office" in terminal.plain
    assert "rule       just-in-time access is on for office" in terminal.plain
    terminal.type("g")
    terminal.until(KEYS, after="request 1: alice")
    terminal.type("o")
    terminal.until("Duration")
    terminal.type("30m\r")
    assert terminal.end() == 0
    assert terminal.plain[-1] == "2 granted"
    assert "office is open for bob until 15:13:20 UTC (1h 00m), grant 2" in terminal.plain
    assert "office is open for alice until 14:43:20 UTC (30m 00s), grant 1" in terminal.plain
    assert statuses(daemon) == {1: "active", 2: "active"}


def test_deny_skip_history_and_quit(daemon: InProcessDaemon) -> None:
    """A denial wants a reason, and nothing is denied without; skipping and leaving change nothing."""
    ask(daemon, "alice")
    ask(daemon, "bob")
    terminal = Terminal(daemon, "review")
    terminal.until(KEYS)
    terminal.type("d")
    terminal.until("Reason for denying it")
    terminal.type("\r")
    terminal.until(KEYS, after="Reason for denying it")
    assert statuses(daemon)[2] == "pending"
    terminal.type("h")
    terminal.until("asked for office for 1h: ticket 42")
    terminal.until(KEYS, after="asked for office for 1h")
    terminal.type("d")
    terminal.until("Reason for denying it", after=KEYS)
    terminal.type("use the lab\r")
    terminal.until(KEYS, after="request 1: alice")
    terminal.type("q")
    assert terminal.end() == 0
    assert terminal.plain[-1] == "1 denied"
    assert statuses(daemon) == {1: "pending", 2: "denied"}
    assert daemon.get("/v1/show?id=2")[1]["request"]["comment"] == "use the lab"


def test_what_somebody_else_has_decided_is_told(daemon: InProcessDaemon) -> None:
    """The key comes too late: the error says who was first, and the next request is shown."""
    ask(daemon, "alice")
    ask(daemon, "bob")
    terminal = Terminal(daemon, "review")
    terminal.until(KEYS)
    assert daemon.post("/v1/deny", id=2, comment="no")[0] == 200
    terminal.type("g")
    terminal.until("cannot grant 2: admin denied it")
    terminal.until(KEYS, after="request 1: alice")
    terminal.type("s")
    assert terminal.end() == 0
    assert terminal.plain[-1] == "1 gone, 1 skipped"


def test_ctrl_c_leaves_and_changes_nothing(daemon: InProcessDaemon) -> None:
    """Exit 130, and the terminal is as it was."""
    ask(daemon, "alice")
    terminal = Terminal(daemon, "review")
    terminal.until(KEYS)
    terminal.type("\x03")
    assert terminal.end() == 130
    assert statuses(daemon) == {1: "pending"}


def test_a_hostile_reason_does_nothing(daemon: InProcessDaemon) -> None:
    """Escape sequences in a reason do not reach the terminal."""
    ask(daemon, "alice", reason="\x1b]0;owned\x07\x1b[2J[bold]x")
    terminal = Terminal(daemon, "review", NO_COLOR="1")
    terminal.until(KEYS)
    assert "\x1b]" not in terminal.seen
    assert "\x1b[2J" not in terminal.seen
    terminal.type("q")
    assert terminal.end() == 0


def test_a_long_past_pushes_nothing_off_the_screen(daemon: InProcessDaemon) -> None:
    """Attack: ask with reasons as long as they may be, so that the next request scrolls away before whoever decides."""
    for number in range(1, 4):
        assert ask(daemon, "alice", reason=f"{number} " + "long " * 197) == number
        assert daemon.post("/v1/deny", id=number, comment="no")[0] == 200
    ask(daemon, "alice", reason="read the logs")
    terminal = Terminal(daemon, "review", columns=80)
    terminal.until(KEYS)
    shown = terminal.plain
    before = next(place for place, line in enumerate(shown) if line.startswith("before "))
    past = shown[before : before + 3]
    assert [line[11:].split()[0] for line in past] == ["3", "2", "1"]
    assert all(len(line) <= 80 and line.endswith("…") for line in past)
    title = shown.index("request 4: alice asks for office")
    assert len(shown) - title < 24
    assert "reason     read the logs" in shown[title:]
    terminal.type("q")
    assert terminal.end() == 0


def test_nothing_to_review(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """An empty list is said; without a terminal it is a usage error that names what to type instead."""
    terminal = Terminal(daemon, "review")
    assert terminal.end() == 0
    assert terminal.plain == ["no request waits for you"]
    said = jitctl("review")
    assert said.status == 2
    assert "jitctl list --decidable" in said.err


def test_several_are_granted_after_one_question(daemon: InProcessDaemon) -> None:
    """The plan of each is shown, and one yes does all of them, for the duration that was typed."""
    ask(daemon, "alice")
    ask(daemon, "bob")
    terminal = Terminal(daemon, "grant", "1", "2", "-d", "2h", columns=200)
    terminal.until("Grant these 2? [y/N] ")
    assert "grant 1: alice on office until 16:13:20 UTC (2h 00m): ticket 42" in terminal.plain
    assert statuses(daemon) == {1: "pending", 2: "pending"}
    terminal.type("y\r")
    assert terminal.end() == 0
    assert statuses(daemon) == {1: "active", 2: "active"}


def test_all_of_a_network_are_denied(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Only what waits there; without a terminal it wants --yes, and does nothing before."""
    daemon.post("/v1/network/add", name="lab", routes=["10.2.0.0/16"], interface="wg0")
    ask(daemon, "alice")
    ask(daemon, "bob", network="lab")
    words = ("deny", "--all", "--network", "lab", "-r", "closed this week")
    said = jitctl(*words)
    assert said.status == 2
    assert "Add --yes" in said.err
    assert "deny 2: bob on lab, who wants 1h: ticket 42" in said.err
    assert set(statuses(daemon).values()) == {"pending"}
    said = jitctl(*words, "--yes")
    assert (said.status, said.out) == (0, "request 2 of bob for lab is denied\n")
    assert statuses(daemon) == {1: "pending", 2: "denied"}
    said = jitctl(*words, "--yes")
    assert (said.status, said.out) == (0, "")
    assert said.err == "there is nothing to deny: no pending request that you may decide about\n"
    said = jitctl("deny", "--all", "--network", "nosuch", "-r", "x", "--yes")
    assert said.status == 10
    assert "nosuch" in said.err


@pytest.mark.parametrize("verb", ["grant", "deny"])
def test_what_cannot_be_decided_keeps_nobody_waiting(
    daemon: InProcessDaemon, jitctl: RunCommand, verb: str
) -> None:
    """The others are decided; the exit status is the gravest, and --json says of each what became of it or why not."""
    ask(daemon, "alice")
    ask(daemon, "bob")
    assert daemon.post("/v1/cancel", id=1)[0] in (200, 403)
    assert daemon.post("/v1/deny", id=1, comment="no")[0] in (200, 409)
    said = jitctl(verb, "1", "2", "99", "--yes", "--json")
    assert said.status == 10
    decisions = json.loads(said.out)["decisions"]
    assert [one["id"] for one in decisions] == [1, 2, 99]
    assert [one["error"]["code"] for one in decisions if "error" in one] == ["conflict", "not_found"]
    assert decisions[1]["request"]["status"] == ("active" if verb == "grant" else "denied")
    assert jitctl(verb, "1", "99", "--yes", "--json").status == 10
    assert jitctl(verb, "1", "2", "--yes", "--json").status == 8
    assert "! 1: " in said.err
    assert "! 99: cannot find a request 99" in said.err
    until(lambda: statuses(daemon)[2] != "pending", "the other one is decided")


def test_all_and_numbers_exclude_each_other(jitctl: RunCommand) -> None:
    """It is not guessed what was meant."""
    assert jitctl("grant", "1", "--all").status == 2
    assert jitctl("deny", "1", "--network", "lab").status == 2


#: What a terminal sends that nobody has typed as a key, or that is no key of review's. Each has a g or an Enter in it,
#: or is one to whoever takes it byte by byte.
NO_KEYS = {
    "its background colour": "\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    "its name": "\x1bP>|gnome(7600)\x1b\\",
    "where its cursor is": "\x1b[24;80R",
    "the focus came": "\x1b[I",
    "Alt-g": "\x1bg",
    "an arrow": "\x1b[D",
    "F1": "\x1bOP",
    "a paste": "gg\r",
    "a word": "grant",
    "a paste in brackets": "\x1b[200~g\x1b[201~",
    "a key that is held": "gggg",
}


def test_what_is_no_key_decides_nothing(daemon: InProcessDaemon) -> None:
    """Attack: make a terminal answer, late, or have somebody paste: what comes in one go is never taken for a key.

    A key that is typed alone decides, right behind all of it.
    """
    ask(daemon, "alice")
    terminal = Terminal(daemon, "review")
    terminal.until(KEYS)
    for what, sent in NO_KEYS.items():
        terminal.send(sent)
        # A key without a meaning shows the keys again, so whatever was sent before is over.
        time.sleep(ALONE_SECONDS * 3)
        seen = len(terminal.seen)
        terminal.type("z")
        until(lambda seen=seen: KEYS in terminal.more()[seen:], f"{what} is over")  # type: ignore[misc]  # a loop's value, which a default binds
        assert statuses(daemon) == {1: "pending"}, what
    assert "Duration" not in terminal.seen
    assert "Reason for denying it" not in terminal.seen
    terminal.type("g")
    assert terminal.end() == 0
    assert statuses(daemon) == {1: "active"}


def test_a_paste_does_not_press_enter(daemon: InProcessDaemon) -> None:
    """Attack: a line end within what is pasted says yes to nothing; Enter that is typed alone does."""
    ask(daemon, "alice")
    ask(daemon, "bob")
    terminal = Terminal(daemon, "grant", "1", "2", columns=200)
    terminal.until("[y/N] ")
    terminal.send("y\n")
    terminal.until("y", after="[y/N] ")
    time.sleep(ALONE_SECONDS * 3)
    assert statuses(daemon) == {1: "pending", 2: "pending"}
    terminal.type("\r")
    assert terminal.end() == 0
    assert statuses(daemon) == {1: "active", 2: "active"}


def test_what_was_typed_before_the_question_is_no_answer(daemon: InProcessDaemon) -> None:
    """Attack: what stands in the terminal's input when the question comes was meant for something else."""
    ask(daemon, "alice")
    terminal = Terminal(daemon, "grant", "1", "99", columns=200)
    terminal.send("y\n")
    terminal.until("[y/N] ")
    terminal.type("\r")
    assert terminal.end() == 1
    assert statuses(daemon) == {1: "pending"}
