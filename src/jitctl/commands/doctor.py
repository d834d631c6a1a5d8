"""doctor: what keeps access from working, or lets somebody around it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import User, answer, usage
from jitctl.render.levels import LEVELS, WIDTH, total
from jitctl.render.output import BOLD, clean, columns, joined, next_step, out, out_flush, paint
from jitd.core.cells import wrap
from jitd.core.commandline import command
from jitd.core.errors import EXIT_FAILURE, JitError

if TYPE_CHECKING:
    from jitctl.api.client import Client
    from jitd import wire

_FORMATS: Final = ("table", "json", "nagios")
_WITHOUT: Final = "To examine the gateway without jitd, run on it: sudo jitd check"


def doctor(
    context: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="PART | NETWORK", help="A part of the gateway, or a network.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            "-n",
            metavar="NAME",
            help="The network, if it has the name of a part of the gateway.",
        ),
    ] = None,
    user: User = None,
    form: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FORMAT", help="table or json; for monitoring, one line: nagios."
        ),
    ] = "table",
) -> int:
    """Examine the gateway or a network now, and print each problem with the command that repairs it. Exits
    with 1 if there is a problem.

    Administrators examine the whole gateway, or a part of it: config, socket, store, clock, interfaces,
    firewall, sshd, mail, files. Users examine their networks: the grant, the device and its key, and the last
    handshake; on the machine with the tunnel, also its interface and the route to the gateway. Nothing is
    changed, and no mail is sent.

    With --output nagios it prints one line with performance data, and exits as a monitoring plugin: 0 for ok, 1
    for a warning, 2 for a problem or a gateway that does not answer, 3 if it cannot tell.

    Example: jitctl doctor office

    The whole gateway: sudo jitctl doctor
    """
    if form not in _FORMATS:
        raise usage(f"cannot print as {clean(form)[:20]!r}", f"Use one of: {', '.join(_FORMATS)}.")
    settings(context).json |= form == "json"
    if form == "nagios":
        return _monitor(context, what, network, user)
    client = settings(context).client()
    try:
        return _examine(context, client, what, network, user)
    except JitError as error:
        if error.code != "unreachable":
            raise
        raise error.adding(f"\n{_WITHOUT}") from error


def _monitor(context: typer.Context, what: str | None, network: str | None, user: str | None) -> int:
    """As a monitoring plugin. Whatever happens, it is one line, and one of four exit statuses."""
    from jitctl.render import nagios

    try:
        client = settings(context).client()
        replies = [_ask(client, query) for query in _wanted(client, what, network, user)]
        gateway = client.status().get("gateway") if replies else None
        status, shown = nagios.report([check for one in replies for check in one["checks"]], gateway)
    except JitError as error:
        status = nagios.CRITICAL if error.code == "unreachable" else nagios.UNKNOWN
        shown = nagios.line(status, error.message)
    out(shown)
    return status


def _wanted(client: Client, what: str | None, network: str | None, user: str | None) -> list[dict[str, str]]:
    """What to examine, one query for each part and network. Raises JitError for options that do not go together."""
    of = {"user": user} if user is not None else {}
    if what is not None and network is not None:
        raise usage(
            "cannot examine a part and a network together", f"Type {command('doctor', network=network)}"
        )
    if network is not None:
        return [{"network": network, **of}]
    if what is not None:
        return [{"part": what, **of}]
    if user is not None:
        raise usage(
            "cannot tell which network you mean", f"Name one: {command('doctor', 'NETWORK', user=user)}"
        )
    there = client.doctor()
    wanted = [{"part": one} for one in there.get("parts", [])]
    wanted += [{"network": one} for one in there.get("networks", [])]
    return wanted


def _examine(
    context: typer.Context, client: Client, what: str | None, network: str | None, user: str | None
) -> int:
    wanted = _wanted(client, what, network, user)
    if not wanted:
        out("there is no network that you may request")
        return 0
    sections = _Sections(context, titled=len(wanted) > 1, user=user, far=client.is_far)
    for query in wanted:
        sections.add(_ask(client, query))
    return sections.end()


def _ask(client: Client, query: dict[str, str]) -> wire.DoctorReply:
    """The daemon's answer, and what this machine adds. A part that cannot be examined does not hide the others."""
    try:
        reply = client.doctor(**query)
    except JitError as error:
        if error.code not in ("busy", "internal", "store"):
            raise
        line: wire.Check = {"level": "broken", "what": error.message, "fix": error.hint}
        return {"now": 0, "part": query.get("part", ""), "checks": [line]}
    tunnel = reply.get("tunnel")
    if tunnel is not None:
        from jitctl.machine import doctor  # sockets and programs that no part of the gateway needs

        reply["checks"] += doctor.examine(tunnel, far=client.is_far)
    return reply


class _Sections:
    """What was examined, shown part by part as the answers come; as JSON all at the end."""

    def __init__(self, context: typer.Context, *, titled: bool, user: str | None, far: bool) -> None:
        self._context = context
        self._far = far
        self._of = [user] if user is not None else []
        self._titled = titled
        self._all: list[wire.DoctorReply] = []

    def add(self, reply: wire.DoctorReply) -> None:
        """Show one."""
        self._all.append(reply)
        if settings(self._context).json:
            return
        if self._titled:
            out(reply["part"] or reply.get("network", ""), style=BOLD)
        for check in reply["checks"]:
            self._show(check)
        out_flush()

    def end(self) -> int:
        """Say how it came out. Returns the exit status."""
        checks = [check for reply in self._all for check in reply["checks"]]
        found = [one["level"] for one in checks]
        if settings(self._context).json:
            whole: Any = self._all[0] if len(self._all) == 1 else {"parts": self._all, "checks": checks}
            answer(self._context, whole, lambda: None)
        elif self._titled:
            out(total(found))
        network = self._all[0].get("network")
        if network and not self._titled and found.count("ok") < len(found):
            there = (
                []
                if self._far
                else [
                    f"{command('doctor', network, host='ssh://USER@GATEWAY')}   # on the machine with "
                    "the tunnel"
                ]
            )
            next_step(command("why", *self._of, network), *there)
        return EXIT_FAILURE if "broken" in found else 0

    def _show(self, check: wire.Check) -> None:
        word, *_, style = LEVELS.get(check["level"], (clean(check["level"]), ""))
        indent = "  " if self._titled else ""
        room = columns() if sys.stdout.isatty() else 10_000
        behind = " " * (len(indent) + WIDTH + 2)
        room = max(room - len(behind), 30)
        lines = list(wrap(check["what"], room))
        out(joined(indent, paint(f"{word:<{WIDTH}}", style), f"  {lines[0]}"))
        for line in lines[1:]:
            out(f"{behind}{line}")
        if check["fix"]:
            for line in _fix(clean(check["fix"]), room - 3):
                out(f"{behind}{line}")


def _fix(fix: str, room: int) -> list[str]:
    """What to type, on one line however long it is; advice, and the remark behind a command, broken to the width."""
    command, _, remark = fix.partition(" # ")
    lines = list(wrap(command, room, whole=True)) if ", " in command else [command]
    if remark and len(fix) <= room:
        lines = [fix]
    elif remark:
        lines += wrap(f"# {remark}", room, whole=True)
    return [f"{'   ' if number else '-> '}{line}" for number, line in enumerate(lines)]
