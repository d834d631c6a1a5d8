"""jitctl at a real terminal (a pseudo one): choices, questions, colours, widths."""

import unicodedata

from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.terminal import Terminal


def test_grant_offers_a_choice_and_shows_it_before_it_acts(daemon: InProcessDaemon) -> None:
    """Without an id: the pending ones, a question, user, network, reason and end, and nothing without a yes."""
    for user in ("alice", "bob"):
        daemon.post("/v1/request", network="office", reason=f"{user}'s reason", user=user, duration=3_600_000)
    terminal = Terminal(daemon, "grant")
    terminal.until("Which one (2)? ")
    assert "    2  bob wants office for 1h, just now: bob's reason" in terminal.plain
    terminal.type("1\n")
    terminal.until("Grant it? [y/N] ")
    assert "  user     alice" in terminal.plain
    assert "  network  office" in terminal.plain
    assert "  reason   alice's reason" in terminal.plain
    assert any(line.startswith("  until    15:13:20 UTC (1h 00m)") for line in terminal.plain)
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"
    terminal.type("no\n")
    assert terminal.end() == 1
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"

    terminal = Terminal(daemon, "grant", "--duration", "8h")
    terminal.until("Which one")
    terminal.type("1\n")
    terminal.until("(8h 00m)")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "active"


def test_a_missing_reason_is_asked_for(daemon: InProcessDaemon) -> None:
    """request without --reason asks at a terminal."""
    terminal = Terminal(daemon, "request", "office", "--user", "alice")
    terminal.until("Why do you need access? ")
    terminal.type("because\n")
    assert terminal.end() == 0
    assert daemon.get("/v1/show?id=1")[1]["request"]["reason"] == "because"


def test_an_interrupted_question_is_130(daemon: InProcessDaemon) -> None:
    """Ctrl-C and the end of the input at a question change nothing, and exit with 130."""
    for key in ("\x03", "\x04"):
        terminal = Terminal(daemon, "request", "office", "--user", "alice")
        terminal.until("Why do you need access? ")
        terminal.type(key)
        assert terminal.end() == 130
    assert daemon.get("/v1/list")[1]["requests"] == []


def test_a_question_goes_on_after_ctrl_z(daemon: InProcessDaemon) -> None:
    """Stopped at a question and brought back, it stands there again with what was typed, and is answered as before."""
    terminal = Terminal(daemon, "request", "office", "--user", "alice")
    terminal.until("Why do you need access? ")
    terminal.type("ticket")
    terminal.until("ticket")
    terminal.stop()
    terminal.until("Why do you need access? ticket")
    terminal.type(" 42\n")
    assert terminal.end() == 0
    assert daemon.get("/v1/list")[1]["requests"][0]["reason"] == "ticket 42"

    terminal = Terminal(daemon, "review")
    terminal.until("[q]uit")
    terminal.stop()
    terminal.until("[q]uit")
    terminal.type("q")
    assert terminal.end() == 0


def test_a_table_fits_the_terminal(daemon: InProcessDaemon) -> None:
    """At 80 and at 160 columns no line is wider; ID, status and time left are always whole; the reason gives way."""
    daemon.post("/v1/request", network="office", reason="x" * 300, user="alice", duration=3_600_000)
    daemon.post("/v1/grant", id=1)
    for columns in (60, 80, 160):
        terminal = Terminal(daemon, "list", columns=columns)
        assert terminal.end() == 0
        assert max(map(len, terminal.plain)) <= columns
        assert "* active" in terminal.plain[1]
        assert terminal.plain[1].endswith("1h 00m  ██████" if columns == 160 else "1h 00m")
        assert "…" in terminal.plain[1]
        assert terminal.plain[2:] == ["0 pending, 1 approved, 0 denied, 0 ended", "  jitctl show 1"]


def test_words_from_right_to_left_move_nothing_behind_them(
    daemon: InProcessDaemon, jitctl: RunCommand
) -> None:
    """Whole or cut, a reason in Arabic ends with a mark, so that the time left stays in its column; a file has no marks."""
    daemon.post("/v1/request", network="office", reason="صباح الخير " * 9, user="alice", duration=3_600_000)
    daemon.post("/v1/grant", id=1)
    for columns, end in ((80, "…\u200e"), (200, "الخير\u200e")):
        terminal = Terminal(daemon, "list", columns=columns)
        assert terminal.end() == 0
        row = terminal.plain[1]
        assert end in row
        assert row.rstrip(" █").endswith("  admin  1h 00m")
    assert "\u200e" not in jitctl("list").out


def test_colours_only_where_they_are_wanted(daemon: InProcessDaemon) -> None:
    """Status has a colour at a terminal, none with NO_COLOR, and the words are the same."""
    daemon.post("/v1/request", network="office", reason="x", user="alice")
    coloured, plain = Terminal(daemon, "list"), Terminal(daemon, "list", NO_COLOR="1")
    assert (coloured.end(), plain.end()) == (0, 0)
    assert "\x1b[33m" in coloured.seen
    assert "\x1b[33m" not in plain.seen
    assert coloured.plain == plain.plain


def test_a_lost_device_stands_out_among_events(daemon: InProcessDaemon) -> None:
    """Its line is bold red at a terminal, and that of a device that was added is not."""
    daemon.post("/v1/device/remove", name="laptop", user="alice", lost=True)
    terminal = Terminal(daemon, "events", columns=200)
    assert terminal.end() == 0
    assert [line for line in terminal.seen.splitlines() if "\x1b[1;31m" in line] == [
        line for line in terminal.seen.splitlines() if "reported alice's device laptop lost" in line
    ]
    assert terminal.seen.count("\x1b[1;31m") == 1


def cells(line: str) -> int:
    """Columns that a line takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def test_wide_characters_are_wrapped_by_their_width(daemon: InProcessDaemon) -> None:
    """Chinese, Japanese and emoji take two columns each: no line of show, why or events is wider than the terminal."""
    for reason in ("日本語 " * 60, "漢" * 200, "🚀 launch " * 30):
        daemon.post("/v1/request", network="office", reason=reason, user="alice")
        daemon.post("/v1/deny", id=1, comment=reason)
    for words in (("show", "1"), ("events",), ("why", "1")):
        terminal = Terminal(daemon, *words)
        assert terminal.end() == 0
        assert max(map(cells, terminal.plain)) <= 80
    assert any("日本語" in line for line in terminal.plain)


def test_events_do_not_break_inside_words(daemon: InProcessDaemon) -> None:
    """A name with dashes stays whole on one line, below what it belongs to."""
    daemon.post("/v1/network/add", name="scada-plant-hamburg-north", routes=["10.2.0.0/16"], interface="wg0")
    terminal = Terminal(daemon, "events", columns=72)
    assert terminal.end() == 0
    assert "scada-plant-hamburg-north" in "\n".join(terminal.plain)


def test_narrow_and_dumb_terminals(daemon: InProcessDaemon) -> None:
    """At 40 columns a list still says whose a request is; a terminal without any abilities has its width all the same."""
    daemon.post(
        "/v1/request",
        network="office",
        reason="the printer on floor 3 is on fire, and so is the cat",
        user="alice",
    )
    terminal = Terminal(daemon, "list", columns=40)
    assert terminal.end() == 0
    assert terminal.plain[0].split()[:4] == ["ID", "USER", "NETWORK", "STATUS"]
    assert "alice" in terminal.plain[1]
    terminal = Terminal(daemon, "list", columns=150, TERM="dumb")
    assert terminal.end() == 0
    assert "and so is the cat" in terminal.plain[1]


def test_the_network_is_asked_for_first(daemon: InProcessDaemon) -> None:
    """Then the reason; a slip is asked again, and what was typed is not lost when it is refused."""
    daemon.post("/v1/network/add", name="lab", routes=["10.2.0.0/16"], interface="wg0")
    terminal = Terminal(daemon, "request", "--user", "alice", "--duration", "900h")
    terminal.until("Which network (lab, office)? ")
    terminal.type("labor\n")
    terminal.until("Which network", after="there is no network labor")
    terminal.type("lab\n")
    terminal.until("Why do you need access? ")
    terminal.type("it's on fire\n")
    assert terminal.end() == 3
    typed = "jitctl request lab --reason 'it'\"'\"'s on fire' --duration 900h"
    assert typed in "".join(terminal.plain)


def test_denying_and_revoking_ask_why(daemon: InProcessDaemon) -> None:
    """At a terminal; the user reads it. Nothing typed is no reason, as without a terminal."""
    for number, verb in ((1, "deny"), (2, "revoke")):
        daemon.post("/v1/request", network="office", reason="x", user="alice", duration=3_600_000)
        if verb == "revoke":
            daemon.post("/v1/grant", id=number)
        terminal = Terminal(daemon, verb, str(number))
        terminal.until("(the user reads it")
        terminal.type("use the lab\n")
        assert terminal.end() == 0
        request = daemon.get(f"/v1/show?id={number}")[1]["request"]
        assert "use the lab" in (request["comment"], request["ended_comment"])


def test_a_value_that_would_be_lost_is_refused(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """An option with one value that is given two: a usage error, and nothing is done for either."""
    for words in (
        ("grant", "--user", "alice", "--user", "bob", "--network", "office"),
        ("request", "office", "-r", "one", "-r", "two", "--user", "alice"),
        ("--socket", "/nowhere", "list", "--socket", str(daemon.socket)),
    ):
        said = jitctl(*words)
        assert said.status == 2
        assert "twice" in said.err
    assert daemon.get("/v1/list")[1]["requests"] == []
    assert jitctl("list", "--status", "pending", "--status", "active").status == 0
