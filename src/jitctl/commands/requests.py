"""The verbs of users: request, cancel, release, pause, resume, status."""

from typing import Annotated

import typer

from jitctl.cli import settings
from jitctl.commands.shared import User, ask, duration_ms, interactive, target, usage
from jitctl.output import answer, clean, next_step, say
from jitctl.render import times, words
from jitd import wire

Which = Annotated[str | None, typer.Argument(metavar="[ID|NETWORK]", help="Which one, if there are several.")]


def request(
    context: typer.Context,
    network: Annotated[
        str | None, typer.Argument(help="The network; the only one if there is just one.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", "-r", metavar="TEXT", help="Why you need it.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option("--duration", "-d", metavar="TIME", help="For how long, for example 90m or 8h."),
    ] = None,
    user: User = None,
) -> int:
    """Ask for access to a network.

    Example: jitctl request office --reason "ticket 42: read the logs" --duration 2h
    """
    wanted = duration_ms(duration)
    if reason is None:
        if not interactive():
            raise usage("cannot ask without a reason", 'Say why: jitctl request --reason "ticket 42"')
        reason = ask("Why do you need access? ")
    reply = settings(context).client().request(network=network, reason=reason, duration=wanted, user=user)

    def tell() -> None:
        made = reply["request"]
        if made is None:
            print(clean(reply["note"]))
            return
        print(words.outcome(made, reply["now"]))
        next_step(
            f"jitctl show {made['id']}    what became of it", f"jitctl cancel {made['id']}  take it back"
        )

    return answer(context, reply, tell)


def cancel(
    context: typer.Context,
    which: Annotated[
        str | None, typer.Argument(metavar="[ID|NETWORK]", help="Which one, if there are several.")
    ] = None,
) -> int:
    """Take a pending request back.

    Example: jitctl cancel 12
    """
    return _told(context, settings(context).client().cancel(**target(which)))


def release(context: typer.Context, which: Which = None) -> int:
    """Give the rest of a grant back: access ends now.

    Example: jitctl release office
    """
    return _told(context, settings(context).client().release(**target(which)))


def pause(context: typer.Context, which: Which = None) -> int:
    """Switch access off within the granted time. The clock runs on.

    Example: jitctl pause
    """
    reply = settings(context).client().pause(**target(which))
    return _told(context, reply, "jitctl resume    switch it on again")


def resume(context: typer.Context, which: Which = None) -> int:
    """Switch paused access on again, until the end that it had.

    Example: jitctl resume
    """
    return _told(context, settings(context).client().resume(**target(which)))


def _told(context: typer.Context, reply: wire.RequestReply, *following: str) -> int:
    def tell() -> None:
        assert reply["request"] is not None
        print(words.outcome(reply["request"], reply["now"]))
        next_step(*following)

    return answer(context, reply, tell)


def status(context: typer.Context) -> int:
    """Show each of your networks, and what to type next.

    Example: jitctl status
    """
    reply = settings(context).client().status()
    return answer(context, reply, lambda: _status(reply))


def _status(reply: wire.StatusReply) -> None:
    now = reply["now"]
    if reply["networks"]:
        from jitctl.render.tables import Cell, Column, draw

        rows = []
        steps: list[str] = []
        for network in reply["networks"]:
            text, style, step = _state(network, now)
            rows.append((network["network"], Cell(text, style), ", ".join(network["devices"])))
            if step not in steps and step:
                steps.append(step)
        draw([Column("NETWORK"), Column("ACCESS"), Column("DEVICES", squeezed=True, least=7)], rows)
        next_step(*steps)
    else:
        print("there is no network that you may ask for")
    for error in sorted({network["error"] for network in reply["networks"] if network["error"]}):
        say(f"warning: the gateway does not agree yet: {clean(error)}")
    if not reply["devices"] and not reply["admin"]:
        say("you have no device yet: jitctl device add laptop --public-key KEY")
    if "gateway" in reply:
        _gateway(reply["gateway"], now)


def _state(network: wire.NetworkStatus, now: int) -> tuple[str, str, str]:
    """(words, style, what to type next) of a network."""
    name = network["network"]
    match network["state"]:
        case "active":
            left = times.left((network["ends"] or now) - now)
            if network["paused"]:
                return f"= paused, {left} left", "yellow", f"jitctl resume {name}"
            return f"* active, {left} left", "green", f"jitctl pause {name} | jitctl release {name}"
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
        case other:
            return f"  {other}", "", ""


def _gateway(gateway: wire.GatewayStatus, now: int) -> None:
    print(
        f"gateway: jitd {clean(gateway['version'])}, {gateway['backend']} backend, firewall {gateway['firewall']},"
        f" running for {times.left(now - gateway['started'])}"
    )
    print(f"requests: {gateway['pending']} pending, {gateway['active']} granted and running")
    for waiting in gateway["waiting"]:
        say(f"BROKEN: {clean(waiting)}")
    for warning in gateway["warnings"]:
        say(f"warning: {clean(warning)}")
    if gateway["pending"]:
        next_step("jitctl list --status pending", "jitctl grant ID --duration 8h | jitctl deny ID --reason …")
