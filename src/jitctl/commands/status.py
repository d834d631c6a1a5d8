"""The status of the caller's networks: once, or redrawn for as long as somebody looks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from jitctl.cli import settings
from jitctl.client import Client
from jitctl.commands.shared import usage
from jitctl.output import answer, clean, dumps, next_step, say
from jitctl.render import times
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

if TYPE_CHECKING:
    # And rich with them, which --json does not need.
    from jitctl.render.frame import Frame
    from jitctl.render.tables import Column

#: Seconds between two drawings, and at least between two questions.
_SECOND: Final = 1.0
#: Seconds after which it is asked again although nothing that concerns the caller has happened.
_REFRESH: Final = 60.0


class _Row(NamedTuple):
    """A network: what it is called, (words, style) of its access, for which devices."""

    network: str
    access: tuple[str, str]
    devices: str


def status(
    context: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Redraw it, with the time that is left, until Ctrl-C.")
    ] = False,
) -> int:
    """Show each of your networks, and what to type next.

    Example: jitctl status
    """
    if watch:
        return _watch(context)
    reply = settings(context).client().status()
    return answer(context, reply, lambda: _show(reply))


def _show(reply: wire.StatusReply) -> None:
    now = reply["now"]
    rows, steps = _rows(reply, now)
    if rows:
        from jitctl.render.tables import Cell, draw

        draw(_columns(), [(row.network, Cell(*row.access), row.devices) for row in rows])
        next_step(*steps)
    else:
        print(_NOTHING)
    for warning in _warnings(reply):
        say(warning)
    if "gateway" in reply:
        for line in _gateway(reply["gateway"], now):
            print(line)
        for warning in _gateway_warnings(reply["gateway"]):
            say(warning)
        if reply["gateway"]["pending"]:
            next_step(*_DECIDE)


_NOTHING: Final = "there is no network that you may ask for"
_DECIDE: Final = (
    "jitctl list --status pending",
    "jitctl grant ID --duration 8h | jitctl deny ID --reason …",
)


def _rows(reply: wire.StatusReply, now: int) -> tuple[list[_Row], list[str]]:
    """(the networks, what to type next)."""
    rows: list[_Row] = []
    steps: list[str] = []
    for network in reply["networks"]:
        text, style, step = _state(network, now)
        rows.append(_Row(network["network"], (text, style), ", ".join(network["devices"])))
        if step not in steps and step:
            steps.append(step)
    return rows, steps


def _columns() -> list[Column]:
    from jitctl.render.tables import Column

    return [Column("NETWORK"), Column("ACCESS"), Column("DEVICES", squeezed=True, least=7)]


def _warnings(reply: wire.StatusReply) -> Iterator[str]:
    for error in sorted({network["error"] for network in reply["networks"] if network["error"]}):
        closed = all(one["state"] == "closed" for one in reply["networks"] if one["error"] == error)
        yield f"warning: {'' if closed else 'the gateway does not agree yet: '}{clean(error)}"
    if not reply["devices"] and not reply["admin"]:
        yield "you have no device yet: jitctl device add laptop --public-key KEY"


def _state(network: wire.NetworkStatus, now: int) -> tuple[str, str, str]:
    """(words, style, what to type next) of a network."""
    name = network["network"]
    more = f", {network['asked']} asks for more" if network.get("asked") else ""
    if network.get("frozen") and network["state"] in ("active", "standing"):
        return "x frozen by an administrator", "red", ""
    match network["state"]:
        case "active":
            left = times.left((network["ends"] or now) - now)
            if network["paused"]:
                return f"= paused, {left} left{more}", "yellow", f"jitctl resume {name}"
            return f"* active, {left} left{more}", "green", f"jitctl pause {name} | jitctl release {name}"
        case "pending":
            since = times.local(network["since"] or now, now)
            steps = f"jitctl show {network['id']} | jitctl cancel {network['id']}"
            return f"? pending since {since}", "yellow", steps
        case "scheduled":
            return (
                f"> opens at {times.local(network['starts'] or now, now)}",
                "cyan",
                f"jitctl show {network['id']}",
            )
        case "standing":
            return "* always open", "green", ""
        case "request":
            return "  request", "", f'jitctl request {name} --reason "…" --duration 2h'
        case "closed":
            return "x closed", "red", ""
        case other:
            return f"  {other}", "", ""


def _gateway(gateway: wire.GatewayStatus, now: int) -> Iterator[str]:
    yield (
        f"gateway: jitd {clean(gateway['version'])}, {gateway['backend']} backend, firewall {gateway['firewall']},"
        f" running for {times.left(now - gateway['started'])}"
    )
    yield f"requests: {gateway['pending']} pending, {gateway['active']} granted and running"


def _gateway_warnings(gateway: wire.GatewayStatus) -> Iterator[str]:
    for waiting in gateway["waiting"]:
        yield f"BROKEN: {clean(waiting)}"
    for warning in gateway["warnings"]:
        yield f"warning: {clean(warning)}"


def _watch(context: typer.Context) -> int:
    """Draw it every second from one answer; ask again when something has happened that the caller may know of."""
    from jitctl import following
    from jitctl.following import Lost, Moment

    as_json = settings(context).json
    if not as_json and (not sys.stdout.isatty() or os.environ.get("TERM") == "dumb"):
        raise usage(
            "cannot redraw the status: this is no terminal",
            "Leave --watch away, or take each change as a line of JSON: jitctl status --watch --json",
        )
    client = settings(context).client()
    after = client.health()["seq"]
    picture = _Picture(client, as_json=as_json)
    picture.ask()
    begun = False
    for happened in following.follow(client, picture.wake, after=after):
        match happened:
            case Lost(error):
                if not begun:
                    raise error
                picture.lost = True
            case Moment.LISTENING:
                begun = True
                if picture.lost:
                    picture.want()
            case Moment.AWAKE:
                pass
            case _:
                picture.want()
        picture.go_on()
    raise AssertionError("it never ends by itself")


class _Picture:
    """The last answer, drawn again and again."""

    def __init__(self, client: Client, *, as_json: bool) -> None:
        self.lost = False  # nobody listens for the moment
        self._client = client
        self._frame: Frame | None = None
        if not as_json:
            from jitctl.render.frame import Frame as New

            self._frame = New()
        self._reply: wire.StatusReply
        self._asked = 0.0  # when, by the monotonic clock, as are the others
        self._ask_at = 0.0
        self._draw_at = 0.0

    def wake(self) -> float:
        """Seconds until there is something to do."""
        moments = [self._ask_at] if self._frame is None else [self._ask_at, self._draw_at]
        return max(0.01, min(moments) - time.monotonic())

    def want(self) -> None:
        """Ask again, but not more than once in a second."""
        self._ask_at = min(self._ask_at, self._asked + _SECOND)

    def go_on(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now >= self._ask_at:
            self.ask()
        elif self._frame is not None and now >= self._draw_at:
            self._draw()

    def ask(self) -> None:
        """Ask, and show what has changed. Raises JitError, but for what passes, once there was an answer."""
        from jitctl.following import PASSING

        before = self._asked and {**self._reply, "now": 0}
        try:
            self._reply = self._client.status()
        except JitError as error:
            if not before or error.code not in PASSING:
                raise
            self.lost = True
            self._ask_at = time.monotonic() + _SECOND
        else:
            self.lost = False
            self._asked = time.monotonic()
            self._ask_at = self._asked + _REFRESH
        if self._frame is not None:
            self._draw()
        elif {**self._reply, "now": 0} != before:
            print(dumps(self._reply), flush=True)

    def _draw(self) -> None:
        from jitctl.render.tables import Cell, lines

        assert self._frame is not None
        passed = time.monotonic() - self._asked
        reply, now = self._reply, self._reply["now"] + int(passed * 1000)
        rows, steps = _rows(reply, now)
        cells = [(row.network, Cell(*row.access), row.devices) for row in rows]
        shown = lines(_columns(), cells) if rows else [_NOTHING]
        if "gateway" in reply:
            shown += _gateway(reply["gateway"], now)
            steps += _DECIDE if reply["gateway"]["pending"] else ()
            shown += _gateway_warnings(reply["gateway"])
        shown += _warnings(reply)
        shown += [self._frame.dim(f"  {step}") for step in steps]
        if self.lost:
            shown.append(f"jitd does not answer: this was so {times.ago(reply['now'], now)}; trying again")
        else:
            shown.append(self._frame.dim("  Ctrl-C ends this"))
        self._frame.draw(shown)
        # With the seconds of what is left, so that none is jumped over.
        self._draw_at = time.monotonic() + _SECOND - (now % 1000) / 1000
