"""The status of the caller's networks: once, or redrawn for as long as somebody looks; of one gateway or of all."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.cli.shared import answer, usage
from jitctl.render import bars, times
from jitctl.render import status as render
from jitctl.render.output import clean, next_step, out, out_json, say
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitctl.machine.laptop import Laptop
    from jitd import wire

if TYPE_CHECKING:
    # And rich with them, which --json does not need.
    from jitctl.render.frame import Frame
    from jitctl.render.tables import Cell, Column

#: Seconds between two drawings, and at least between two questions.
_SECOND: Final = 1.0
#: Seconds after which it is asked again although nothing that concerns the caller has happened.
_REFRESH: Final = 60.0
#: Seconds that a bar or a prompt waits for a gateway, which asks for no passphrase meanwhile.
_BRIEFLY: Final = 5.0
#: How long an answer is good enough for a prompt, seconds.
_LATELY: Final = 60.0


def status(
    context: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Redraw the status, with the time left, until Ctrl-C.")
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all", "-a", help="Show every gateway that this machine was set up for.")
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help="table or json; for a single line: i3bar, waybar or prompt.",
        ),
    ] = "table",
) -> int:
    """Show each of your networks, its status and the next command.

    On a machine that was set up with jitctl setup, it also shows whether its tunnels are up and when the
    gateway last received a handshake.

    Example: jitctl status

    In a status bar: jitctl status --watch -o waybar
    """
    if form not in ("table", "json", *bars.FORMATS):
        raise usage(
            f"cannot print as {clean(form)[:20]!r}", f"Use one of: table, json, {', '.join(bars.FORMATS)}."
        )
    settings(context).json |= form == "json"
    line = form if form in bars.FORMATS else ""
    if line and settings(context).json:
        raise usage(f"cannot print as JSON and for {line} at once", "Use only one of them.")
    if everywhere:
        if watch:
            raise usage(
                "cannot watch all gateways at once", "Choose one: jitctl status --watch --profile NAME"
            )
        from jitctl.cli.everywhere import status_of_all

        return status_of_all(context, line)
    laptop = None
    if profile := settings(context).profile_meant():
        from jitctl.machine.laptop import of as laptop_of

        laptop = laptop_of(profile)
    client = settings(context).client(_BRIEFLY if line and not watch else None)
    if watch:
        return _watch(context, client, laptop, line)
    if line:
        return _one_line(client, laptop, line)
    reply = client.status()
    _keep(laptop, reply)
    return answer(context, laptop.told(reply) if laptop else reply, lambda: _show(reply, laptop))


def _show(reply: wire.StatusReply, laptop: Laptop | None) -> None:
    now = reply["now"]
    rows, steps = render.rows(reply, now, laptop)
    if rows:
        from jitctl.render.tables import draw

        draw(columns(laptop), cells(rows, laptop))
        next_step(*steps)
    else:
        out(render.NOTHING)
    for warning in render.warnings(reply):
        say(warning)
    if "gateway" in reply:
        for line in render.gateway(reply["gateway"], now):
            out(line)
        for warning in render.gateway_warnings(reply["gateway"]):
            say(warning)
        if reply["gateway"]["pending"]:
            next_step(*render.DECIDE)


def columns(laptop: Laptop | None) -> list[Column]:
    """The columns of the table."""
    from jitctl.render.tables import Column

    if laptop is None:
        return [Column("NETWORK"), Column("ACCESS"), Column("DEVICES", squeezed=True, least=7)]
    return [
        Column("NETWORK"),
        Column("ACCESS"),
        Column("TUNNEL"),
        Column("DEVICES", squeezed=True, least=7, spare=1),
    ]


def cells(rows: list[render.Row], laptop: Laptop | None) -> list[list[str | Cell]]:
    """The table's cells."""
    from jitctl.render.tables import Cell

    tunnels = [[Cell(*row.tunnel)] if laptop else [] for row in rows]
    return [
        [row.network, Cell(*row.access), *tunnel, row.devices]
        for row, tunnel in zip(rows, tunnels, strict=True)
    ]


def _one_line(client: Client, laptop: Laptop | None, form: str) -> int:
    """One line for a bar or a prompt, also where the gateway does not answer. Raises JitError after it."""
    kept = None
    if laptop is not None and form == "prompt":
        from jitctl.machine import lately

        kept = lately.find(laptop.profile.name, _LATELY)
    try:
        reply, now = kept or ((fresh := client.status()), fresh["now"])
    except JitError:
        if form != "prompt":
            out(bars.line([bars.Gateway("", None, 0)], form))
        raise
    if kept is None:
        _keep(laptop, reply)
    line = bars.line([bars.Gateway("", reply, now)], form)
    if line or form != "prompt":
        out(line)
    return 0


def _keep(laptop: Laptop | None, reply: wire.StatusReply) -> None:
    if laptop is not None:
        from jitctl.machine import lately

        lately.keep(laptop.profile.name, reply)


def _watch(context: typer.Context, client: Client, laptop: Laptop | None, line: str) -> int:
    """Draw it every second from one answer; ask again when something has happened that the caller may know of."""
    from jitctl.api import following
    from jitctl.api.following import Lost, Moment

    as_json = settings(context).json
    if not as_json and not line and (not sys.stdout.isatty() or os.environ.get("TERM") == "dumb"):
        raise usage(
            "cannot redraw the status: standard output is not a terminal",
            "Omit --watch, or print each change as a line of JSON: jitctl status --watch --json",
        )
    picture = _Picture(client, laptop, as_json=as_json, line=line)
    after = client.health()["seq"]
    picture.ask()
    for happened in following.follow(client, picture.wake, after=after):
        match happened:
            case Lost():
                picture.lost = True
            case Moment.AWAKE:
                pass
            case Moment.LISTENING if not picture.lost:
                pass
            case _:
                picture.want()
        picture.go_on()
    raise AssertionError("it runs until it is interrupted")


class _Picture:
    """The last answer, drawn again and again."""

    def __init__(self, client: Client, laptop: Laptop | None, *, as_json: bool, line: str) -> None:
        self.lost = False  # nobody listens for the moment
        self._client = client
        self._laptop = laptop
        self._line = line
        self._printed = ""
        self._frame: Frame | None = None
        if line == "i3bar":
            out(*bars.I3BAR_BEGINS, flush=True)
        if not as_json and not line:
            # Loaded before the first answer comes: what is shown of it is to be the second of that moment.
            from jitctl.render import tables  # noqa: F401
            from jitctl.render.frame import Frame as New

            self._frame = New()
        self._draws = not as_json
        self._reply: wire.StatusReply
        self._asked = 0.0  # when, by a clock that goes on in a suspended machine, as are the others
        self._ask_at = 0.0
        self._draw_at = 0.0

    def wake(self) -> float:
        """Seconds until there is something to do."""
        moments = [self._ask_at, self._draw_at] if self._draws else [self._ask_at]
        return max(0.01, min(moments) - times.elapsed())

    def want(self) -> None:
        """Ask again, but not more than once in a second."""
        self._ask_at = min(self._ask_at, self._asked + _SECOND)

    def go_on(self) -> None:
        """Do what is due."""
        now = times.elapsed()
        if now >= self._ask_at:
            self.ask()
        elif self._draws and now >= self._draw_at:
            self._draw()

    def ask(self) -> None:
        """Ask, and show what has changed. Raises JitError, but for what passes, once there was an answer."""
        from jitctl.api.following import PASSING

        before = self._asked and {**self._reply, "now": 0}
        try:
            self._reply = self._client.status()
        except JitError as error:
            if not before or error.code not in PASSING:
                raise
            self.lost = True
            self._ask_at = times.elapsed() + _SECOND
        else:
            self.lost = False
            self._asked = times.elapsed()
            self._ask_at = self._asked + _REFRESH
            _keep(self._laptop, self._reply)
        if self._draws:
            self._draw()
        elif {**self._reply, "now": 0} != before:
            out_json(self._laptop.told(self._reply) if self._laptop else self._reply, flush=True)

    def _draw(self) -> None:
        passed = times.elapsed() - self._asked
        now = self._reply["now"] + int(passed * 1000)
        if self._frame is None:
            self._print_line(now)
        else:
            self._redraw(self._frame, now)
        # With the seconds of what is left, so that none is jumped over.
        self._draw_at = times.elapsed() + _SECOND - (now % 1000) / 1000

    def _redraw(self, frame: Frame, now: int) -> None:
        from jitctl.render.tables import lines

        reply = self._reply
        rows, steps = render.rows(reply, now, self._laptop)
        shown: list[str] = (
            [*lines(columns(self._laptop), cells(rows, self._laptop))] if rows else [render.NOTHING]
        )
        if "gateway" in reply:
            shown += render.gateway(reply["gateway"], now)
            steps += render.DECIDE if reply["gateway"]["pending"] else ()
            shown += render.gateway_warnings(reply["gateway"])
        shown += render.warnings(reply)
        shown += [frame.dim(f"  {step}") for step in steps]
        if self.lost:
            shown.append(f"jitd does not answer; last update {times.ago(reply['now'], now)}; trying again")
        else:
            shown.append(frame.dim("  Ctrl-C ends this"))
        frame.draw(shown)

    def _print_line(self, now: int) -> None:
        """The line, where it has changed. A time that is left goes on also where nobody answers: it is right all the same."""
        line = bars.line([bars.Gateway("", self._reply, now)], self._line)
        if line != self._printed:
            self._printed = line
            out(f"[{line}]," if self._line == "i3bar" else line, flush=True)
