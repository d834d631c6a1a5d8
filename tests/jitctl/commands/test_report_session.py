"""jitctl report against a daemon."""

import csv
import json

import pytest

from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.terminal import Terminal

HOUR = 3_600_000


@pytest.fixture
def busy(daemon: InProcessDaemon) -> InProcessDaemon:
    """Alice was given an hour without asking and asked twice, of which one was denied."""
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    daemon.advance(2 * HOUR)
    for _ in range(2):
        _, reply = daemon.post("/v1/request", user="alice", network="office", reason="=cmd|' /C calc'!A0")
        status, _ = daemon.post("/v1/deny", id=reply["request"]["id"])
        assert status == 200
    return daemon


def test_report_of_an_empty_gateway(jitctl: RunCommand) -> None:
    """It says that there is nothing, and of which time."""
    said = jitctl("report", "--since", "7d")
    assert (said.status, said.err) == (0, "")
    assert said.out == "no requests: 7 days until 2026-09-21 14:13:20 UTC, the whole gateway\n"


def test_report_in_words(busy: InProcessDaemon, jitctl: RunCommand) -> None:
    """Sums, and a table for each of users, networks and approvers."""
    said = jitctl("report", "--by", "network")
    assert said.status == 0
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "30 days until 2026-09-21 16:13:20 UTC, the whole gateway",
        "",
        "requests          3  ·····························█  each mark 1 day, at most 3",
        "                     0h ··············▄·█······· 24h  Mon █······ Sun",
        "  unasked         1  ████████████████████ 33%  given by an administrator without a request",
        "  denied          2  ████████████████████████████████████████ 67%",
        "decisions         2  0% granted",
        "access         1.0h  open, of 1.0h that were given",
        "                  0  used, 0% of what was open; 1 of 1 grants never",
        "",
        "NETWORK  ASKED                    GRANTED  HALF IN  9 OF 10 IN  BREAK-GLASS  LAPSED  OPEN  USED",
        "office       3  ████████████████       0%                                            1.0h    0%",
    ]


def test_report_for_programs(busy: InProcessDaemon, jitctl: RunCommand) -> None:
    """JSON is the answer as it is, CSV a line for everything and one for each; both have the same numbers."""
    reply = json.loads(jitctl("report", "-o", "json").out)
    assert (reply["total"]["asked"], reply["total"]["denied"]) == (3, 2)
    assert json.loads(jitctl("report", "--json").out)["total"] == reply["total"]
    lines = list(csv.DictReader(jitctl("report", "-o", "csv").out.splitlines()))
    assert [(line["by"], line["name"], line["asked"], line["denied"]) for line in lines] == [
        ("total", "", "3", "2"),
        ("user", "alice", "3", "2"),
        ("network", "office", "3", "2"),
        ("approver", "admin", "3", "2"),
    ]


def test_report_as_a_page(busy: InProcessDaemon, jitctl: RunCommand) -> None:
    """One page on standard output, and nothing else."""
    said = jitctl("report", "-o", "html")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("<!doctype html>")
    assert said.out.endswith("</html>\n")


def test_report_of_a_time(busy: InProcessDaemon, jitctl: RunCommand) -> None:
    """So long before jitd's now, or dates; a last day belongs to it whole."""
    for words, asked in (
        (("--since", "1h"), 2),
        (("--since", "5h", "--until", "1h"), 1),
        (("--since", "2026-09-21", "--until", "2026-09-21"), 3),
        (("--since", "2026-09-21 15:00"), 2),
        (("--since", "2026-09-20", "--until", "2026-09-20"), 0),
    ):
        assert json.loads(jitctl("report", *words, "--json").out)["total"]["asked"] == asked, words
    said = jitctl("report", "--since", "last week")
    assert (said.status, said.err.splitlines()[0]) == (2, "jitctl: cannot read the time 'last week'")


@pytest.mark.parametrize("columns", [80, 160])
def test_report_fits_the_terminal(busy: InProcessDaemon, columns: int) -> None:
    """No line is wider, and there is what to type next; NO_COLOR is kept to."""
    terminal = Terminal(busy, "report", columns=columns, NO_COLOR="1", COLUMNS=str(columns))
    assert terminal.end() == 0
    lines = [
        line for line in terminal.seen.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() if line
    ]
    assert max(map(len, lines)) <= columns
    assert "jitctl report -o html > report.html" in terminal.seen
    assert "\x1b[3" not in terminal.seen
