"""A report in words and as a page, from an answer that is written here."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from jitctl.render import charts, report, reporthtml
from jitd import wire

NOW = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC
HOUR = 3_600_000
DAY = 24 * HOUR
NOTHING: wire.ReportNumbers = {
    "asked": 0,
    "granted": 0,
    "denied": 0,
    "automatic": 0,
    "break_glass": 0,
    "direct": 0,
    "lapsed": 0,
    "cancelled": 0,
    "pending": 0,
    "approval_rate": None,
    "median": None,
    "p90": None,
    "grants": 0,
    "given": 0,
    "open": 0,
    "used": 0,
    "unused": 0,
}
HOSTILE = "<script>alert(1)</script>\x1b]0;pwned\x07\u202e[/bold]"


def reply(**more: object) -> wire.ReportReply:
    """Four days, ten requests, two users."""
    total = {
        **NOTHING,
        "asked": 10,
        "granted": 6,
        "denied": 2,
        "break_glass": 1,
        "lapsed": 1,
        "approval_rate": 0.75,
        "median": 5 * 60_000,
        "p90": HOUR,
        "grants": 7,
        "given": 14 * HOUR,
        "open": 9 * HOUR,
        "used": 3 * HOUR,
        "unused": 2,
    }
    alice = {**total, "name": "alice", "asked": 8, "break_glass": 0}
    bob = {**NOTHING, "name": "bob", "asked": 2, "break_glass": 1}
    usual = {
        "now": NOW,
        "scope": "gateway",
        "about": [],
        "since": NOW - 4 * DAY,
        "until": NOW,
        "total": total,
        "by": {"user": {"rows": [alice, bob], "of": 3}},
        "mark": DAY,
        "marks": [
            {
                "at": NOW - (4 - number) * DAY,
                "asked": asked,
                "granted": asked // 2,
                "denied": 0,
                "break_glass": 0,
            }
            for number, asked in enumerate((0, 1, 6, 3))
        ],
        "hours": [10 if hour == 9 else 0 for hour in range(168)],
        "emergencies": [
            {
                "id": 7,
                "user": "bob",
                "network": "vault",
                "reason": "it is on fire",
                "at": NOW - 2 * DAY,
                "reviewed_by": "",
            }
        ],
        "suggestions": [
            {
                "why": "alice asks often",
                "command": "jitctl network set office 'jit.auto_approve+=alice up to 1h, 3 a week'",
            }
        ],
    }
    return {**usual, **more}  # type: ignore[typeddict-item]  # usual values, some replaced


def test_a_report_in_words(zone: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    """Everything has a number; bars and colours say nothing alone."""
    zone("UTC")
    report.show(reply())
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "4 days until 2026-09-21 14:13:19 UTC, the whole gateway",
        "",
        "requests         10  ·▂█▄  each mark 1 day, at most 6",
        "                     0h ·········█·············· 24h  Mon █······ Sun",
        "  granted         6  ████████████████████████████████████ 60%",
        "  break-glass     1  ██████ 10%  opened by their users",
        "  denied          2  ████████████ 20%",
        "  lapsed          1  ██████ 10%  nobody decided in time",
        "decisions         8  75% granted; half within 5m 00s, 9 of 10 within 1h 00m",
        "access         9.0h  open, of 14h that were given",
        "               3.0h  used, 33% of what was open; 2 of 7 grants never",
        "",
        "USER   ASKED                    GRANTED  HALF IN  9 OF 10 IN  BREAK-GLASS  LAPSED  OPEN  USED",
        "alice      8  ████████████████      75%   5m 00s      1h 00m                    1  9.0h   33%",
        "bob        2  ████                                                      1",
        "and 1 more: jitctl report --by user --limit 3",
        "",
        "BREAK-GLASS  USER  NETWORK  WHEN        LOOKED AT BY  REASON",
        "          7  bob   vault    2 days ago  ! nobody yet  it is on fire",
        "",
        "rules that may fit better",
        "  alice asks often",
        "    > jitctl network set office 'jit.auto_approve+=alice up to 1h, 3 a week'",
    ]


def test_many_networks_are_no_long_line(
    zone: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What a report is about is folded to the width that there is."""
    zone("UTC")
    report.show(reply(scope="networks", about=[f"network{number}" for number in range(10)]))
    assert capsys.readouterr().out.splitlines()[:3] == [
        "4 days until 2026-09-21 14:13:19 UTC, the networks that you decide about: network0, network1,",
        "network2, network3, network4, network5, network6, network7, network8, network9",
        "",
    ]


def test_what_people_typed_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, bidi characters and markup in names and reasons are shown as words, or not at all."""
    one = {**reply()["emergencies"][0], "reason": HOSTILE, "user": HOSTILE}
    row = {**reply()["by"]["user"]["rows"][0], "name": HOSTILE}
    report.show(reply(emergencies=[one], by={"user": {"rows": [row], "of": 1}}, about=[HOSTILE]))
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert "[/bold]" in shown


class Page(HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It ends."""
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words."""
        self.text += data


def test_a_page_loads_and_runs_nothing() -> None:
    """No scripts, no links, no handlers, nothing from elsewhere; every element is closed."""
    text = reporthtml.page(reply())
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "a", "form", "base"}
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "style")
    ]
    assert "url(" not in text
    assert "http" not in re.sub("http-equiv", "", text)
    assert "default-src 'none'" in text


def test_a_page_shows_what_people_typed_as_text() -> None:
    """Whoever is called like an element, or gives one as a reason, is shown so."""
    one = {**reply()["emergencies"][0], "reason": HOSTILE, "user": HOSTILE, "network": HOSTILE}
    row = {**reply()["by"]["user"]["rows"][0], "name": HOSTILE}
    advice = {"why": HOSTILE, "command": f"x '{HOSTILE}'"}
    text = reporthtml.page(
        reply(
            emergencies=[{**one, "reviewed_by": HOSTILE}],
            suggestions=[advice],
            by={"user": {"rows": [row], "of": 1}},
            scope="networks",
            about=[HOSTILE],
        )
    )
    assert "script" not in Page(text).tags
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 9
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


def test_a_page_has_the_numbers_of_its_plots() -> None:
    """A plot is also told in words: each column has a title, each table its numbers."""
    page = Page(reporthtml.page(reply()))
    for words in (
        "6 requests, 3 granted, 3 undecided",
        "75%",
        "granted of 8 decided",
        "used of 9.0h",
        "alice",
        "Mon 09:00: 10",
    ):
        assert words in page.text


def test_an_empty_page_says_what_would_fill_it() -> None:
    """Nothing is divided by nothing."""
    page = Page(
        reporthtml.page(reply(total=NOTHING, by={}, marks=[], hours=[], emergencies=[], suggestions=[]))
    )
    assert "Nothing was asked for in this time" in page.text


@pytest.mark.parametrize(
    ("value", "most", "drawn"),
    [(0, 10, ""), (10, 10, "████"), (5, 10, "██"), (1, 1000, "▏"), (20, 10, "████"), (1, 0, "")],
)
def test_bars(value: int, most: int, drawn: str) -> None:
    """As long as the share; what is not nothing can be seen."""
    assert charts.bar(value, most, 4) == drawn


def test_sparklines() -> None:
    """The highest is full, nothing is a dot, and everything else between them."""
    assert charts.sparkline([0, 1, 4, 8]) == "·▁▄█"
    assert charts.sparkline([0, 1, 1000]) == "·▁█"
    assert charts.sparkline([0, 0]) == "··"
    assert charts.sparkline([]) == ""
