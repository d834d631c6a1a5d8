"""The dashboard: tabs of requests that count down, one key for each decision, peers, and events as they run by.

Everything that asks jitd runs in a thread; the screen only shows. One thread follows the events and, after each, has
everything read again; it goes on by itself when jitd was away.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from rich.cells import cell_len
from rich.text import Text
from textual import events as happened
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.coordinate import Coordinate
from textual.driver import Driver
from textual.widgets import DataTable, Footer, Input, Static, Tab, Tabs
from textual.worker import get_current_worker

from jitctl.api.client import Client
from jitctl.api.following import Lost, Moment, follow
from jitctl.dashboard.dialogs import Ask, Field, Show
from jitctl.dashboard.look import COLUMNS, LEFT, TABS, Look, look, network_line, peer_lines, row
from jitctl.render import history, sentences, times
from jitctl.render.events import entry
from jitctl.render.events import line as event_line
from jitctl.render.output import clean
from jitctl.render.tables import GAP, fit
from jitd.core import choices, durations
from jitd.core.errors import EXIT_INTERRUPTED, JitError

if TYPE_CHECKING:
    from jitd import wire

_Act: TypeAlias = "Callable[..., wire.RequestReply]"

#: How many events run by.
EVENTS: Final = 3
#: Seconds between two readings where nothing happens: handshakes and traffic are no events.
QUIET: Final = 5.0
#: The same over ssh, where each reading is a login.
QUIET_FAR: Final = 30.0
_NAMES: Final = tuple(column.title for column in COLUMNS)
_LEFT: Final = _NAMES.index(LEFT)
#: Cells of a scroll bar.
_BAR: Final = 2
_TITLES: Final = {
    "pending": "Pending",
    "approved": "Approved",
    "denied": "Denied",
    "ended": "Expired/Revoked",
}


class Dashboard(App[None]):
    """The whole screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #top { height: 1; background: $panel; }
    #search { height: 3; display: none; }
    #search.shown { display: block; }
    DataTable { height: 1fr; overflow-x: hidden; }
    #around { height: auto; max-height: 9; border-top: solid $panel; }
    #events { height: 4; border-top: solid $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    #networks.rows { text-wrap: nowrap; text-overflow: ellipsis; }
    #told { height: auto; color: $warning; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # First of all, so that what is typed right behind a key goes where that key leads; see check_action.
        *(
            Binding(str(place + 1), f"tab('{name}')", show=False, priority=True)
            for place, name in enumerate(TABS)
        ),
        Binding("slash", "search", "Search", key_display="/", priority=True),
        Binding("enter", "show", "Show"),
        Binding("g", "grant", "Grant", priority=True),
        Binding("d", "deny", "Deny", priority=True),
        Binding("v", "revoke", "Revoke", priority=True),
        Binding("e", "extend", "Extend", priority=True),
        Binding("a", "acknowledge", "Seen", priority=True),
        Binding("n", "request", "Ask", priority=True),
        Binding("p", "pause", "Pause/resume", priority=True),
        Binding("r", "release", "Release", priority=True),
        Binding("c", "cancel", "Cancel", priority=True),
        Binding("w", "peers", "Peers", priority=True),
        Binding("t", "theme", "Light/dark", show=False, priority=True),
        Binding("escape", "unsearch", show=False),
        Binding("q", "leave", "Quit", priority=True),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]
    #: What is done by a letter, a digit or Enter.
    _LETTERS: Final = frozenset(
        one.action.partition("(")[0]
        for one in BINDINGS
        if isinstance(one, Binding) and one.key not in ("escape", "ctrl+c")
    )
    _DECIDERS: Final = frozenset({"grant", "deny", "revoke", "acknowledge"})
    _USERS: Final = frozenset({"request", "pause", "release", "cancel"})

    def __init__(self, client: Client, *, light: bool = False, keyboard: type[Driver] | None = None) -> None:
        super().__init__(driver_class=keyboard)
        self._client = client
        self._tab: choices.TabName = TABS[0]
        self._search = ""
        self._peers = False
        self._seen: Look | None = None
        self._seen_at = 0.0  # time.monotonic() when it was read
        self._lost = ""
        self._light = light
        self._moved: list[str] = []
        self._reading = False
        self._again = False
        self._widths: list[int] = []

    def compose(self) -> ComposeResult:
        """Top line, tabs, search, table, what is around, events, keys."""
        yield Static("", id="top", markup=False)
        yield Tabs(*(Tab(_TITLES[name], id=name) for name in TABS))
        search = Input(placeholder="words, or their beginnings", id="search")
        yield search
        table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
        yield table
        yield Static("", id="told", markup=False)
        with Vertical(id="around"):
            yield Static("", id="networks", markup=False)
        yield Static("", id="events", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow and to count down."""
        self.theme = "textual-light" if self._light else "textual-dark"
        self.query_one(DataTable).focus()
        self.set_interval(1.0, self._count_down)
        self.set_interval(QUIET_FAR if self._client.is_far else QUIET, self.refresh_all)
        self._follow()
        self.refresh_all()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Keys are letters where something is typed; those that the caller has no right to are not offered."""
        # Textual's own ones (Tab, copying, leaving) are none of these, and work everywhere.
        if action in self._LETTERS and (len(self.screen_stack) > 1 or isinstance(self.focused, Input)):
            return False
        decides = self._seen is not None and self._seen.decides
        if action in self._DECIDERS:
            return decides
        if action in self._USERS:
            return not decides
        if action == "peers":
            return self._seen is not None and self._seen.status["admin"]
        return True

    # --- reading ---

    def refresh_all(self) -> None:
        """Read everything again: now, or after the reading that is going on, however often it is asked for meanwhile."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        self._look(*self._wanted())

    def _wanted(self) -> tuple[choices.TabName, str, bool]:
        return self._tab, self._search, self._peers

    @work(thread=True, group="look")
    def _look(self, tab: choices.TabName, search: str, peers: bool) -> None:
        found: Look | JitError
        try:
            found = look(self._client, tab, search, peers=peers)
        except JitError as error:
            found = error
        if not get_current_worker().is_cancelled:
            self.call_from_thread(self._looked, (tab, search, peers), found)

    def _looked(self, wanted: tuple[str, str, bool], found: Look | JitError) -> None:
        self._reading = False
        if isinstance(found, JitError):
            self._failed(found)
        elif wanted == self._wanted():
            self._take(found)
        if self._again:
            self._again = False
            self.refresh_all()

    @work(thread=True, exclusive=True, group="follow")
    def _follow(self) -> None:
        worker = get_current_worker()
        after = -1
        while not worker.is_cancelled:
            try:
                # What happened just before is there from the beginning.
                after = max(self._client.health()["seq"] - EVENTS, 0) if after < 0 else after
                for what in follow(self._client, lambda: 0.5, after=after, patient=True):
                    if get_current_worker().is_cancelled:
                        return
                    if isinstance(what, Lost):
                        self.call_from_thread(self._failed, what.error)
                    elif what is Moment.LISTENING:
                        self.call_from_thread(self.refresh_all)
                    elif not isinstance(what, Moment):
                        after = what["seq"]
                        self.call_from_thread(self._happened, entry(what))
            except JitError as error:
                self.call_from_thread(self._failed, error)
                time.sleep(1)

    def _failed(self, error: JitError) -> None:
        self._lost = f"not connected, trying again: {error.message}"
        self._show_top()

    def _happened(self, line: str) -> None:
        self._moved = [*self._moved, line][-EVENTS:]
        shown = Text("\n".join(self._moved), no_wrap=True, overflow="ellipsis")
        self.query_one("#events", Static).update(shown)
        self.refresh_all()

    def _take(self, seen: Look) -> None:
        self._seen, self._seen_at, self._lost = seen, time.monotonic(), ""
        for name in TABS:
            self.query_one(f"#{name}", Tab).label = Text(f"{_TITLES[name]} {seen.counts.get(name, 0):,}")
        self._fill(seen)
        self._show_around(seen)
        self._show_top()
        self.refresh_bindings()

    # --- showing ---

    def _fill(self, seen: Look) -> None:
        """The rows; whoever was under the cursor stays there."""
        table = self.query_one(DataTable)
        chosen = self._chosen_key()
        place = table.cursor_row
        rows = [
            [clean(cell) if at != _LEFT else cell for at, cell in enumerate(row(one, seen.now))]
            for one in seen.requests
        ]
        self._columns(table, rows)
        for one, cells in zip(seen.requests, rows, strict=True):
            shown = [Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells]
            shown[_NAMES.index("STATUS")].stylize(sentences.style(one))
            table.add_row(
                *(cell for cell, width in zip(shown, self._widths, strict=True) if width), key=str(one["id"])
            )
        keys = [str(one["id"]) for one in seen.requests]
        if keys:
            table.move_cursor(row=keys.index(chosen) if chosen in keys else min(place, len(keys) - 1))
        empty = (
            "" if keys else f"nothing matches {self._search!r}" if self._search else f"nothing is {self._tab}"
        )
        told = [empty, "(the first 200)" if seen.more else ""]
        # A search that cannot find them must not look as if there were none.
        told += [sentences.not_searched(seen.not_searched)] if seen.not_searched else []
        self.query_one("#told", Static).update(Text(clean("; ".join(one for one in told if one))))

    def _columns(self, table: DataTable[Text], rows: list[list[str]]) -> None:
        """Empty the table; its columns are as wide as the screen lets them be."""
        # At each side of a cell there is a blank.
        room = self.size.width - GAP - (_BAR if len(rows) >= table.size.height > 0 else 0)
        natural = [
            max([cell_len(name), *(cell_len(cells[at]) for cells in rows)]) for at, name in enumerate(_NAMES)
        ]
        empty = [at for at in range(len(COLUMNS)) if rows and not any(cells[at] for cells in rows)]
        widths = fit(COLUMNS, natural, room, empty)
        table.clear(columns=widths != self._widths)
        if widths != self._widths:
            for name, width in zip(_NAMES, widths, strict=True):
                if width:
                    table.add_column(name, key=name, width=width)
        self._widths = widths

    def on_resize(self, _: happened.Resize) -> None:
        """The terminal has another size."""
        if self._seen is not None:
            self._fill(self._seen)

    def _show_around(self, seen: Look) -> None:
        now = self._now()
        if self._peers:
            lines = peer_lines(seen.peers, now)
        elif seen.decides:
            gateway = seen.status.get("gateway")
            lines = [clean(one) for one in gateway["warnings"] + gateway["waiting"]] if gateway else []
        else:
            lines = [network_line(one, now) for one in seen.status["networks"]] or ["you may use no network"]
        shown = Text("\n".join(lines[:8]), no_wrap=True, overflow="ellipsis")
        around = self.query_one("#networks", Static)
        around.set_class(self._peers or not seen.decides, "rows")
        around.update(shown)

    def _show_top(self) -> None:
        told = self._lost
        if not told and self._seen is not None:
            status = self._seen.status
            role = "administrator" if status["admin"] else "approver" if self._seen.decides else "user"
            told = f"jitctl  {status['user']} ({role})  {times.local(self._now())}"
        self.query_one("#top", Static).update(Text(clean(told), style="bold red" if self._lost else "bold"))

    def _now(self) -> int:
        """The daemon's clock, going on since it was read; milliseconds UTC."""
        assert self._seen is not None
        return self._seen.now + int((time.monotonic() - self._seen_at) * 1000)

    def _count_down(self) -> None:
        if not self.is_headless and not sys.stdin.isatty():
            # The terminal is gone, and nobody said so (su and runuser keep the signal to themselves).
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGHUP)
        if self._seen is None:
            return
        now, table = self._now(), self.query_one(DataTable)
        for one in self._seen.requests if self._widths and self._widths[_LEFT] else []:
            if one["ends"] is not None and one["status"] in ("active", "scheduled"):
                table.update_cell(str(one["id"]), LEFT, Text(row(one, now)[_LEFT]))
        self._show_around(self._seen)
        self._show_top()

    def _chosen_key(self) -> str:
        table = self.query_one(DataTable)
        if self._seen is None or not 0 <= table.cursor_row < table.row_count:
            return ""
        return str(table.coordinate_to_cell_key(Coordinate(table.cursor_row, 0)).row_key.value)

    def _chosen(self, *statuses: str) -> wire.RequestView | None:
        """The request under the cursor, if it has one of these statuses."""
        key = self._chosen_key()
        found = (
            next((one for one in self._seen.requests if str(one["id"]) == key), None) if self._seen else None
        )
        if found is None or (statuses and found["status"] not in statuses):
            wanted = " or ".join(statuses) or "there"
            self.notify(clean(f"no request that is {wanted} is selected"), severity="warning", markup=False)
            return None
        return found

    # --- keys ---

    def action_leave(self) -> None:
        """q: back to the shell."""
        self.exit()

    def action_interrupt(self) -> None:
        """Ctrl-C, wherever: back to the shell, and nothing more is done."""
        self.exit(return_code=EXIT_INTERRUPTED)

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """Another tab."""
        self._tab = choices.Tab(str(event.tab.id)).value
        self.refresh_all()

    def action_tab(self, name: str) -> None:
        """By its number."""
        self.query_one(Tabs).active = name

    def action_search(self) -> None:
        """Type to narrow the list."""
        search = self.query_one("#search", Input)
        search.add_class("shown")
        # At once: what is typed meanwhile must not be taken for keys.
        self.set_focus(search)

    def action_unsearch(self) -> None:
        """All of it again."""
        search = self.query_one("#search", Input)
        search.value = ""
        search.remove_class("shown")
        self.query_one(DataTable).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search as it is typed."""
        if event.input.id == "search":
            self._search = event.value.strip()
            self.refresh_all()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the list, which stays narrowed."""
        if event.input.id == "search":
            self.query_one(DataTable).focus()

    def on_data_table_row_selected(self, _: DataTable.RowSelected) -> None:
        """Enter, or a click on what was chosen."""
        self.action_show()

    def action_peers(self) -> None:
        """The peers of the interfaces, and back."""
        self._peers = not self._peers
        self.refresh_all()

    def action_theme(self) -> None:
        """Light or dark."""
        self.theme = "textual-dark" if self.theme == "textual-light" else "textual-light"

    def action_show(self) -> None:
        """All of a request."""
        one = self._chosen()
        if one is not None:
            self._read(one["id"])

    @work(thread=True)
    def _read(self, number: int) -> None:
        try:
            reply = self._client.show(number)
            lines = [
                f"{name:<11}{clean(value)}" for name, value in sentences.facts(reply["request"], reply["now"])
            ]
            lines += ["", *(event_line(event) for event in reply["events"])]
            if reply["request"]["status"] == "pending" and self._seen is not None and self._seen.decides:
                lines += ["", "before a decision:", *history.lines(self._client.history(number))]
        except JitError as error:
            lines = [clean(error.message), clean(error.hint)]
        self.call_from_thread(self.push_screen, Show(f"request {number}", lines))

    def action_grant(self) -> None:
        """Grant, for a duration, with what helps to decide."""
        one = self._chosen("pending")
        if one is None:
            return
        number, wished = one["id"], sentences.wants(one)

        def helps() -> list[str]:
            try:
                return history.lines(self._client.history(number), short=True)
            except JitError as error:
                return [clean(error.message)]

        def do(typed: Mapping[str, str]) -> wire.RequestReply:
            return self._client.grant(id=number, duration=_duration(typed), comment=typed["comment"] or None)

        self._ask(
            f"Grant {number}: {one['user']} on {one['network']}",
            [f"{'wants':<11}{clean(wished)}", f"{'reason':<11}{clean(one['reason'])}"],
            [
                Field("duration", "Duration", hint=f"as requested ({wished}); or 8h, 30m"),
                Field("comment", "Comment (the user reads it)"),
            ],
            do,
            helps,
        )

    def action_deny(self) -> None:
        """Deny, with a reason."""
        one = self._chosen("pending")
        if one is not None:
            self._decide(self._client.deny, "Deny", one, "Reason (the user reads it)")

    def action_revoke(self) -> None:
        """Revoke, with a reason."""
        one = self._chosen("active", "scheduled")
        if one is not None:
            self._decide(self._client.revoke, "Revoke", one, "Reason (the user reads it)")

    def _decide(self, act: _Act, verb: str, one: wire.RequestView, title: str) -> None:
        number = one["id"]
        self._ask(
            f"{verb} {number}: {one['user']} on {one['network']}",
            [clean(f"{one['status']}: {one['reason']}")],
            [Field("comment", title)],
            lambda typed: act(id=number, comment=typed["comment"] or None),
        )

    def action_acknowledge(self) -> None:
        """Say that a use of break-glass was looked at."""
        one = self._chosen()
        if one is not None and "unreviewed" in one["marks"]:
            self._decide(self._client.acknowledge, "Acknowledge", one, "Result of your review")
        elif one is not None:
            self.notify("no break-glass grant that needs a review is selected", severity="warning")

    def action_extend(self) -> None:
        """More time; one's own is asked for."""
        one = self._chosen("active")
        if one is None:
            return
        number = one["id"]

        def do(typed: Mapping[str, str]) -> wire.RequestReply:
            duration = durations.parse(typed["duration"])
            return self._client.extend(id=number, duration=duration, comment=typed["comment"] or None)

        fields = [Field("duration", "Time to add", hint="2h"), Field("comment", "Why")]
        self._ask(f"More time on {one['network']} for {one['user']}", [clean(one["reason"])], fields, do)

    def action_request(self) -> None:
        """Ask for access."""

        def do(typed: Mapping[str, str]) -> wire.RequestReply:
            network = typed["network"] or None
            return self._client.request(network=network, reason=typed["reason"], duration=_duration(typed))

        names = [one["network"] for one in self._seen.status["networks"]] if self._seen else []
        fields = [
            Field("network", "Network", hint=", ".join(names)),
            Field("reason", "Reason"),
            Field("duration", "Duration", hint="default of the network; or 2h"),
        ]
        self._ask("Request access", [], fields, do)

    def action_pause(self) -> None:
        """Switch off for now, or on again."""
        one = self._chosen("active")
        if one is not None:
            self._do(self._client.resume if "paused" in one["marks"] else self._client.pause, one["id"])

    def action_release(self) -> None:
        """Give the rest back: there is no way back from that."""
        one = self._chosen("active", "scheduled")
        if one is not None:
            self._sure(self._client.release, one, f"Release {one['network']} for good")

    def action_cancel(self) -> None:
        """Take it back: there is no way back from that either."""
        one = self._chosen("pending")
        if one is not None:
            self._sure(self._client.cancel, one, f"Withdraw request {one['id']} for {one['network']}")

    def _sure(self, act: _Act, one: wire.RequestView, title: str) -> None:
        number = one["id"]
        self._ask(title, [clean(f"{one['status']}: {one['reason']}")], [], lambda _: act(id=number))

    @work(thread=True)
    def _do(self, act: _Act, number: int) -> None:
        try:
            self.call_from_thread(self._told, sentences.done(act(id=number)))
        except JitError as error:
            told = f"{error.message}. {error.hint}"
            self.call_from_thread(lambda: self.notify(clean(told), severity="error", markup=False))

    def _ask(
        self,
        title: str,
        facts: list[str],
        fields: list[Field],
        do: Callable[[Mapping[str, str]], wire.RequestReply],
        more: Callable[[], list[str]] | None = None,
    ) -> None:
        self.push_screen(Ask(title, facts, fields, lambda typed: sentences.done(do(typed)), more), self._told)

    def _told(self, done: str | None) -> None:
        if done:
            self.notify(clean(done), markup=False)
            self.refresh_all()


def _duration(typed: Mapping[str, str]) -> int | None:
    return durations.parse(typed["duration"]) if typed["duration"] else None
