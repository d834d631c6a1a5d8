"""status --all: every gateway that this machine was set up for, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import typer

from jitctl.api import client
from jitctl.api.client import Client
from jitctl.cli.app import settings
from jitctl.machine import profiles
from jitctl.machine.laptop import Laptop
from jitctl.machine.laptop import of as laptop_of
from jitctl.machine.tunnel.names import name_of
from jitctl.render import bars
from jitctl.render import status as render
from jitctl.render.output import clean, next_step, out, out_json, say
from jitd.core.errors import JitError, exit_status

if TYPE_CHECKING:
    from jitctl.machine.profiles import Profile
    from jitd import wire

#: Gateways that are asked at the same time: each is an ssh of its own.
_AT_ONCE: Final = 8
#: Seconds that one may take. Nobody is asked for a passphrase meanwhile: several would ask at once.
_PATIENCE: Final = 10.0


def status_of_all(context: typer.Context, line: str) -> int:
    """Show the status of every gateway; `line` is a format of bars, or "". One that does not answer hides no other.

    Returns the exit status: that of unreachable where one of them did not answer.
    """
    if client.speaking_for:
        raise JitError(
            "not_permitted", "cannot show other gateways in this session", "Run it on your own machine."
        )
    known = sorted(profiles.read().known.values(), key=lambda one: one.name)
    if not known:
        raise JitError(
            "bad_request",
            "cannot show all gateways: no gateway was set up on this machine",
            "Run: jitctl setup ssh://you@gateway",
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(zip(known, pool.map(_ask, known), strict=True))
    if line:
        out(bars.line([_for_bar(profile, reply) for profile, reply in found], line))
    elif settings(context).json:
        out_json({"gateways": [_told(profile, reply) for profile, reply in found]})
    else:
        _show(found)
    lost = [error for _, error in found if isinstance(error, JitError)]
    return exit_status(lost[0].code) if lost else 0


def _ask(profile: Profile) -> wire.StatusReply | JitError:
    try:
        reply = Client(socket="", host=profile.host, patience=_PATIENCE).status()
        for one in reply["networks"]:
            # One gateway that names its interfaces as nobody may keeps no other from being shown.
            name_of(profile.name, one["interface"])
    except JitError as error:
        return error
    return reply


def _for_bar(profile: Profile, reply: wire.StatusReply | JitError) -> bars.Gateway:
    prefix = f"{profile.name}/"
    return (
        bars.Gateway(prefix, None, 0)
        if isinstance(reply, JitError)
        else bars.Gateway(prefix, reply, reply["now"])
    )


def _told(profile: Profile, reply: wire.StatusReply | JitError) -> dict[str, Any]:
    about = {"profile": profile.name, "host": profile.host}
    if isinstance(reply, JitError):
        return {**about, "error": reply.body()}
    laptop = laptop_of(profile)
    return {**about, **(laptop.told(reply) if laptop else reply)}


def _show(found: list[tuple[Profile, wire.StatusReply | JitError]]) -> None:
    from jitctl.render.tables import Cell, Column, draw

    rows: list[list[str | Cell]] = []
    for profile, reply in found:
        if isinstance(reply, JitError):
            rows.append([profile.name, "", Cell("x does not answer", "red"), ""])
            continue
        laptop = laptop_of(profile) or Laptop(profile)
        shown, _ = render.rows(reply, reply["now"], laptop)
        rows += [[profile.name, row.network, Cell(*row.access), Cell(*row.tunnel)] for row in shown]
        if not shown:
            rows.append([profile.name, "", render.NOTHING, ""])
    draw(
        [Column("GATEWAY"), Column("NETWORK"), Column("ACCESS"), Column("TUNNEL", spare=1)],
        rows,
    )
    for profile, reply in found:
        if isinstance(reply, JitError):
            say(clean(f"{profile.name}: {reply.message}"))
    next_step("jitctl status --profile GATEWAY", "jitctl connect NETWORK --profile GATEWAY")
