"""The dashboard through Textual's pilot, in front of a real daemon: what it shows, and what its keys do."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static, Tab

from jitctl.api.client import Client
from jitctl.cli.keys import ALONE_SECONDS
from jitctl.dashboard.app import Dashboard
from jitctl.dashboard.dialogs import Ask, Show
from jitctl.dashboard.look import network_line
from support.in_process_daemon import InProcessDaemon
from support.terminal import Terminal

HOUR = 3_600_000
NOTHING = {"paused": False, "asked": None, "frozen": False, "error": "", "starts": None}


def ask(daemon: InProcessDaemon, user: str, reason: str = "ticket 42", **more: object) -> int:
    """A pending request; returns its number."""
    body = {"network": "office", "reason": reason, "user": user, "duration": HOUR, **more}
    status, reply = daemon.post("/v1/request", **body)
    assert status == 200, reply
    return int(reply["request"]["id"])


@asynccontextmanager
async def shown(daemon: InProcessDaemon, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
    """The dashboard on a screen of this size, with what there is."""
    app = Dashboard(Client(socket=os.fspath(daemon.socket), host=""))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app._seen is not None, "it has read everything")
        yield pilot
        app.workers.cancel_all()


async def until(pilot: Pilot[None], fact: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Let the screen go on until the fact is true. Raises AssertionError after `seconds`, naming `what`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not fact():
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain: {what}\n{rows(pilot)}"
        await pilot.pause(0.02)


def rows(pilot: Pilot[None]) -> list[list[str]]:
    """The cells of the table, as text."""
    table = pilot.app.screen_stack[0].query_one(DataTable)
    return [[str(cell) for cell in table.get_row_at(place)] for place in range(table.row_count)]


def users(pilot: Pilot[None]) -> list[str]:
    """Whose requests are listed."""
    return [cells[1] for cells in rows(pilot)]


def text(pilot: Pilot[None], name: str) -> str:
    """What a line of the screen says."""
    return str(pilot.app.screen_stack[0].query_one(f"#{name}", Static).render())


def tab(pilot: Pilot[None], name: str) -> str:
    """The title of a tab."""
    return str(pilot.app.screen_stack[0].query_one(f"#{name}", Tab).label)


async def test_tabs_with_counts(daemon: InProcessDaemon) -> None:
    """What is pending comes first, the urgent on top; each number key is a tab, with how many are on it."""
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    ask(daemon, "bob", urgent=True)
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["bob"], "bob waits")
        assert rows(pilot)[0][3] == "? pending (urgent)"
        assert (tab(pilot, "pending"), tab(pilot, "approved")) == ("Pending 1", "Approved 1")
        await pilot.press("2")
        await until(pilot, lambda: users(pilot) == ["alice"], "alice is in")
        assert rows(pilot)[0][3] == "* active"
        await pilot.press("4")
        await until(pilot, lambda: "nothing is ended" in text(pilot, "told"), "nothing has ended")


async def test_time_left_counts_down_and_ends(daemon: InProcessDaemon) -> None:
    """The end comes by itself, and is on the other tab then."""
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    async with shown(daemon) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: rows(pilot) and rows(pilot)[0][6].startswith(" 1h 00m"), "an hour is left")
        await until(pilot, lambda: rows(pilot)[0][6].startswith("59m 5"), "it counts down")
        daemon.advance(HOUR)
        await until(pilot, lambda: tab(pilot, "ended") == "Expired/Revoked 1", "it has ended")
        assert "ended" in text(pilot, "events") or "expired" in text(pilot, "events")


async def test_grant_with_a_duration(daemon: InProcessDaemon) -> None:
    """g asks for how long; what cannot be used is told in the dialog, and nothing that was typed is lost."""
    ask(daemon, "alice")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        await pilot.press(*"lunch", "enter")
        await until(
            pilot,
            lambda: "cannot read the duration" in str(pilot.app.screen.query_one("#error", Static).render()),
            "the error is told",
        )
        field = pilot.app.screen.query_one("#duration", Input)
        assert field.value == "lunch"
        field.value = "30m"
        await pilot.press("enter")
        await until(pilot, lambda: tab(pilot, "approved") == "Approved 1", "it is granted")
        view = daemon.get("/v1/show?id=1")[1]["request"]
        assert (view["status"], view["ends"] - view["starts"]) == ("active", HOUR // 2)


async def test_deny_and_revoke_with_reasons(daemon: InProcessDaemon) -> None:
    """d and v ask why; escape leaves everything as it is."""
    ask(daemon, "alice")
    daemon.post("/v1/grant", user="bob", network="office", duration=HOUR)
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        await pilot.press("d", "escape")
        assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        await pilot.press(*"no", "enter")
        await until(pilot, lambda: tab(pilot, "denied") == "Denied 1", "it is denied")
        await pilot.press("2")
        await until(pilot, lambda: users(pilot) == ["bob"], "bob is in")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        await pilot.press(*"stolen", "enter")
        await until(pilot, lambda: tab(pilot, "ended") == "Expired/Revoked 1", "it is revoked")
    assert daemon.get("/v1/show?id=1")[1]["request"]["comment"] == "no"
    assert daemon.get("/v1/show?id=2")[1]["request"]["ended_comment"] == "stolen"


async def test_what_is_stale_is_told(daemon: InProcessDaemon) -> None:
    """Somebody else was first: the dialog says who, and stays."""
    ask(daemon, "alice")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        assert daemon.post("/v1/deny", id=1, comment="no")[0] == 200
        await pilot.press("enter")
        await until(
            pilot,
            lambda: "admin denied it" in str(pilot.app.screen.query_one("#error", Static).render()),
            "the error is told",
        )


async def test_search_as_it_is_typed(daemon: InProcessDaemon) -> None:
    """The list narrows with every letter; Enter keeps it so, Escape gives all of it back."""
    ask(daemon, "alice", reason="zebra")
    ask(daemon, "bob", reason="lion")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["bob", "alice"], "both wait")
        await pilot.press("slash", "z", "e")
        await until(pilot, lambda: users(pilot) == ["alice"], "only alice matches")
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, DataTable)
        await pilot.press("escape")
        await until(pilot, lambda: users(pilot) == ["bob", "alice"], "both are back")


async def test_what_cannot_be_searched_is_told(daemon: InProcessDaemon) -> None:
    """Emoji and signs are not in the index: the search says so, and does not look as if there were none."""
    ask(daemon, "alice", reason="🔥 disk is full")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        await pilot.press("slash", "🔥")
        await until(pilot, lambda: "cannot search for 🔥 as it is typed" in text(pilot, "told"), "it is told")
        await pilot.press("backspace", *"disk")
        await until(pilot, lambda: not text(pilot, "told"), "what can be searched needs no word")
        assert users(pilot) == ["alice"]


async def test_what_is_typed_at_once_goes_where_its_key_leads(daemon: InProcessDaemon) -> None:
    """Keys that come together, as over a slow line: words of a search and of a dialog are never taken for keys."""
    ask(daemon, "alice", reason="zebra")
    ask(daemon, "bob", reason="lion")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["bob", "alice"], "both wait")
        for key in ("slash", *"zebra", "enter"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: users(pilot) == ["alice"], "only alice matches")
        for key in ("d", *"never", "enter"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: tab(pilot, "denied") == "Denied 1", "it is denied")
    assert daemon.get("/v1/show?id=1")[1]["request"]["comment"] == "never"


async def test_enter_shows_all_of_a_request(daemon: InProcessDaemon) -> None:
    """Its facts, its history, and what helps before a decision."""
    ask(daemon, "alice")
    async with shown(daemon, (120, 40)) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Show), "it is shown")
        told = "\n".join(str(one.render()) for one in pilot.app.screen.query(Static))
        for words in ("reason     ticket 42", "asked for office for 1h: ticket 42", "a yes      gives 1h"):
            assert words in told
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, Show)


async def test_peers_with_their_traffic(daemon: InProcessDaemon) -> None:
    """w shows the peers of the interfaces."""
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    async with shown(daemon) as pilot:
        await pilot.press("w")
        await until(pilot, lambda: "alice/laptop" in text(pilot, "networks"), "the peer is shown")
        assert "never" in text(pilot, "networks")


async def test_it_comes_back_by_itself(daemon: InProcessDaemon) -> None:
    """While jitd is away that is said, and what was read stays; afterwards it goes on, with what happened."""
    ask(daemon, "alice")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        daemon.stop()
        await until(pilot, lambda: "not connected" in text(pilot, "top"), "that is told")
        assert users(pilot) == ["alice"]
        daemon.start_again()
        ask(daemon, "bob")
        await until(pilot, lambda: users(pilot) == ["bob", "alice"], "it goes on")
        assert "not connected" not in text(pilot, "top")


async def test_hostile_words_do_nothing(daemon: InProcessDaemon) -> None:
    """What users typed is text: no markup, no escape sequences."""
    ask(daemon, "alice", reason="[bold red]x[/] [@click=app.quit]y[/] \x1b[2J")
    async with shown(daemon, (160, 40)) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        assert rows(pilot)[0][7] == "[bold red]x[/] [@click=app.quit]y[/] [2J"
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        assert any("[bold red]x[/]" in str(one.render()) for one in pilot.app.screen.query(Static))


async def test_a_user_sees_their_own(daemon: InProcessDaemon) -> None:
    """Who decides nothing has no keys to decide, and sees their networks with the time left."""
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    async with shown(daemon) as pilot:
        app = pilot.app
        assert isinstance(app, Dashboard)
        assert app._seen is not None
        now = app._seen.now
        mine = {**NOTHING, "network": "office", "state": "active", "id": 1, "ends": now + HOUR}
        status = {**app._seen.status, "admin": False, "user": "alice", "networks": [mine]}
        app._take(replace(app._seen, decides=False, status=status))  # type: ignore[arg-type]  # a status of a few keys
        keys = {key.binding.action for key in app.active_bindings.values() if key.enabled}
        assert {"request", "pause", "release", "cancel"} <= keys
        assert not keys & {"grant", "deny", "revoke", "peers"}
        assert text(pilot, "networks").startswith("office          active  ")
        assert "left (until " in text(pilot, "networks")
        assert "alice (user)" in text(pilot, "top")
        # What cannot be taken back is asked for once more.
        await pilot.press("2")
        await until(pilot, lambda: users(pilot) == ["alice"], "the grant is listed")
        app._take(replace(app._seen, decides=False, status=status))  # type: ignore[arg-type]  # a status of a few keys
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "it is asked")
        await pilot.press("enter")
        await until(
            pilot,
            lambda: str(pilot.app.screen.query_one("#error", Static).render()).startswith("cannot "),
            "jitd has answered",
        )


def test_a_long_name_runs_into_no_sentence() -> None:
    """A name that fills its column is a word of its own all the same."""
    for more, told in (
        ({"state": "request"}, "closed (n: request access)"),
        ({"state": "request", "asked": 7}, "closed (n: request access), request 7 asks for more time"),
        ({"state": "pending", "id": 7}, "access request 7 pending"),
    ):
        one: Any = {**NOTHING, "network": "scada-plant-hamburg", "ends": None, **more}
        assert network_line(one, 0) == f"scada-plant-hamburg {told}"


async def test_names_that_are_long_push_nothing_away(daemon: InProcessDaemon) -> None:
    """At 80 columns the time left and a part of the reason stay on the screen; a wider terminal shows all, at once."""
    name = "maximiliane-von-hohenzollern"
    daemon.people.people[name] = replace(daemon.people.people["alice"], name=name, uid=os.getuid() + 30_099)
    daemon.post("/v1/device/add", name="laptop", public_key=f"{'x' * 42}A=", user=name)
    number = ask(daemon, name, reason="words " * 20)
    daemon.post("/v1/grant", id=number)
    async with shown(daemon) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: users(pilot) == [name], "it is granted")
        table = pilot.app.query_one(DataTable)
        titles = [str(column.label) for column in table.ordered_columns]
        assert {"ID", "USER", "STATUS", "LEFT", "REASON"} <= set(titles)
        assert table.virtual_size.width <= 80
        await pilot.resize_terminal(200, 40)
        await until(pilot, lambda: len(table.ordered_columns) == 8, "all columns are there")
        assert table.virtual_size.width <= 200


async def test_break_glass_is_acknowledged(daemon: InProcessDaemon) -> None:
    """a asks what came of looking at it, where somebody has to, and jitd is asked to keep that."""
    ask(daemon, "bob")
    async with shown(daemon) as pilot:
        await until(pilot, lambda: users(pilot) == ["bob"], "bob waits")
        await pilot.press("a")
        assert not isinstance(pilot.app.screen, Ask)
        app = pilot.app
        assert isinstance(app, Dashboard)
        assert app._seen is not None
        app._seen.requests[0]["marks"].append("unreviewed")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        await pilot.press(*"needed", "enter")
        await until(
            pilot,
            lambda: (
                "it is not a break-glass grant" in str(pilot.app.screen.query_one("#error", Static).render())
            ),
            "jitd has answered",
        )


async def test_a_burst_is_read_once(daemon: InProcessDaemon) -> None:
    """However often it is asked for while one reading goes on, one more follows it."""
    async with shown(daemon) as pilot:
        app = pilot.app
        assert isinstance(app, Dashboard)
        await until(pilot, lambda: not app._reading, "nothing is being read")
        begun = 0
        look = app._look

        def counted(*wanted: object) -> object:
            nonlocal begun
            begun += 1
            return look(*wanted)

        app._look = counted  # type: ignore[method-assign, assignment]  # counted, and then done
        for _ in range(50):
            app.refresh_all()
        await until(pilot, lambda: not app._reading and not app._again, "it has been read")
        assert begun == 2


def test_it_ends_with_its_terminal(daemon: InProcessDaemon) -> None:
    """Also where no signal says that the terminal is gone: su and runuser keep that to themselves."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jitctl", "dashboard"],
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # noqa: PLW1509 - no threads run yet
        env={**os.environ, "JITCTL_SOCKET": os.fspath(daemon.socket), "TERM": "xterm-256color"},
    )
    os.close(side)
    seen = b""
    while b"Pending" not in seen:
        seen += os.read(main, 65536)
    os.close(main)
    assert process.wait(20) == -signal.SIGHUP


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (200, 60)])
async def test_it_fits_every_terminal(daemon: InProcessDaemon, size: tuple[int, int]) -> None:
    """Nothing is wider than the terminal, and the table has room at 80x24 and below."""
    ask(daemon, "alice", reason="x" * 500)
    async with shown(daemon, size) as pilot:
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        table = pilot.app.query_one(DataTable)
        assert table.size.height >= 4
        assert table.size.width <= size[0]
        assert "<svg" in pilot.app.export_screenshot()


async def test_the_mouse_chooses(daemon: InProcessDaemon) -> None:
    """A click chooses a tab."""
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    async with shown(daemon) as pilot:
        await until(pilot, lambda: tab(pilot, "approved") == "Approved 1", "the tabs have their counts")
        await pilot.pause()
        await pilot.click("#approved")
        await until(pilot, lambda: users(pilot) == ["alice"], "alice is in")


def field(pilot: Pilot[None], name: str) -> str:
    """What was typed into a line of a dialog."""
    return pilot.app.screen.query_one(f"#{name}", Input).value


async def test_every_dialog_by_keyboard_alone(daemon: InProcessDaemon) -> None:
    """Tab and Shift-Tab go from line to line, and Ctrl-Q leaves from everywhere: no mouse is needed for anything."""
    ask(daemon, "alice")
    daemon.post("/v1/grant", user="bob", network="office", duration=HOUR)
    async with shown(daemon) as pilot:
        app = pilot.app
        assert isinstance(app, Dashboard)
        await until(pilot, lambda: users(pilot) == ["alice"], "alice waits")
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        # Going back to a line chooses what stands there, so that typing replaces it.
        await pilot.press(*"2h", "tab", *"go on", "shift+tab", *"30m", "tab", "enter")
        await until(pilot, lambda: tab(pilot, "approved") == "Approved 2", "it is granted")
        assert daemon.get("/v1/show?id=1")[1]["request"]["comment"] == "go on"
        await pilot.press("2")
        await until(pilot, lambda: len(users(pilot)) == 2, "both are in")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        await pilot.press(*"1h", "tab", *"more", "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Ask), "it is lengthened")
        # Asking is for those who decide nothing.
        assert app._seen is not None
        status = {**app._seen.status, "admin": False, "user": "alice"}
        app._take(replace(app._seen, decides=False, status=status))  # type: ignore[arg-type]  # a status of a few keys
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask), "the dialog is there")
        await pilot.press(*"office", "tab", *"ticket 7", "tab", *"3h")
        assert [field(pilot, name) for name in ("network", "reason", "duration")] == [
            "office",
            "ticket 7",
            "3h",
        ]
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running, "it has ended")


def test_what_is_no_key_decides_nothing(daemon: InProcessDaemon) -> None:
    """Attack: a terminal's late answer, an Alt-key or a paste, at a real terminal. A key alone opens its dialog, and Enter
    alone does it.
    """
    ask(daemon, "alice")
    terminal = Terminal(daemon, "dashboard")
    terminal.until("alice")
    for sent in (
        "\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
        "\x1bg",
        "g\r\r",
        "\x1b[200~g\r\x1b[201~",
        "\x1b[24;80R",
        "\x1bP>|gg\r\x1b\\",
    ):
        terminal.send(sent)
        time.sleep(ALONE_SECONDS * 8)
        terminal.more()
        assert "Grant 1" not in terminal.seen, repr(sent)
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "pending"
    terminal.type("g")
    terminal.until("Grant 1")
    terminal.type("\r")
    terminal.until("is open for")
    assert daemon.get("/v1/show?id=1")[1]["request"]["status"] == "active"
    terminal.type("\x03")
    assert terminal.end() == 130
