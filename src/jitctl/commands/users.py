"""People: add, list, set, disable, enable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Why, Yes, answer, planned, required, usage
from jitctl.render.output import clean, next_step, out
from jitd.core.commandline import command

if TYPE_CHECKING:
    from jitd import wire

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user.")]
Email = Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="The person's mail address.")]


def add(
    context: typer.Context,
    name: Name,
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="The last day, or a date and time, in local time.")
    ],
    email: Email = None,
    reason: Why = None,
) -> int:
    """Register a person who has no account on this system, such as a contractor, until a date.

    An administrator manages their devices and requests with --user NAME, or they use jitctl themselves
    through `jitctl gate`.

    Example: jitctl user add zoe --until 2027-03-31 --email zoe@example.org
    """
    from jitctl.cli.moments import end_of

    reply = settings(context).client().user_add(user=name, until=end_of(until), email=email, reason=reason)
    return _told(
        context,
        reply,
        command("device add", "laptop", user=name, public_key="KEY"),
        command("request", "NETWORK", user=name, reason="…"),
    )


def set_(
    context: typer.Context,
    name: Name,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The last day, or a date and time.")
    ] = None,
    email: Email = None,
    reason: Why = None,
) -> int:
    """Change a person's end date or mail address. Running grants end no later than that date.

    Example: jitctl user set zoe --until 2027-06-30
    """
    from jitctl.cli.moments import end_of

    if until is None and email is None:
        raise usage(f"cannot change {name}: no setting is given", "Add --until DATE or --email ADDRESS.")
    ends = None if until is None else end_of(until)
    return _told(
        context, settings(context).client().user_set(user=name, until=ends, email=email, reason=reason)
    )


def disable(
    context: typer.Context,
    name: Name,
    reason: Annotated[
        str | None, typer.Option("--reason", "-r", metavar="TEXT", help="The reason; the user reads it.")
    ] = None,
) -> int:
    """Block all access of a user at once: grants are revoked, requests are cancelled, standing access ends.

    Example: jitctl user disable bob --reason "left the company"
    """
    reason = required(
        reason,
        "Why? ",
        "cannot disable without a reason",
        f"Add the reason: {command('user disable', name, reason='…')}",
    )
    reply = settings(context).client().user_disable(user=name, reason=reason)
    return _told(context, reply, command("user enable", name))


def enable(context: typer.Context, name: Name, reason: Why = None) -> int:
    """Undo jitctl user disable: the user can request access and has standing access again. Revoked grants
    stay revoked.

    Example: jitctl user enable bob
    """
    return _told(context, settings(context).client().user_enable(user=name, reason=reason))


def confirm(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="The users to confirm.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All users whose account is back.")] = False,
    reason: Why = None,
    yes: Yes = False,
) -> int:
    """Confirm that accounts that were missing for more than 24 h belong to the same people. They get their
    devices back.

    An account that is back within 24 h needs no confirmation. Shows who gains access, and asks for
    confirmation.

    Example: jitctl user confirm alice bob
    """
    client = settings(context).client()
    body = {"users": names or None, "all": everybody or None, "reason": reason}
    reply = planned(
        client.user_confirm, body, yes=yes, question="Do these accounts belong to the same people?"
    )
    who = ", ".join(reply["users"])
    return answer(
        context, reply, lambda: out(clean(f"confirmed: {who}" if who else "no account has to be confirmed"))
    )


def list_(context: typer.Context) -> int:
    """List all users who have requested access or own a device.

    Example: jitctl user list
    """
    reply = settings(context).client().user_list()

    def tell() -> None:
        if not reply["users"]:
            out("no user has requested access or registered a device yet")
            next_step("jitctl device add laptop --user NAME --public-key KEY")
            return
        from jitctl.cli.moments import shown
        from jitctl.render.tables import Column, draw_each

        draw_each(
            reply["users"],
            (Column("NAME"), lambda one: one["name"]),
            (Column("KIND"), lambda one: "registered" if one["registered"] else "system"),
            (Column("UNTIL", spare=1), lambda one: shown(one["ends"]) if one["ends"] is not None else ""),
            (Column("DEVICES", squeezed=True, least=7), lambda one: ", ".join(one["devices"])),
            (Column("GRANTS", right=True), lambda one: str(one["open"])),
            (Column("PENDING", right=True), lambda one: str(one["pending"])),
            (Column("CLOSED", least=8), lambda one: one["closed"]),
        )
        next_step("jitctl list --user NAME")

    return answer(context, reply, tell)


def _told(context: typer.Context, reply: wire.UserReply, *following: str) -> int:
    def tell() -> None:
        from jitctl.cli.moments import shown

        one = reply["user"]
        kind = "registered here" if one["registered"] else "a user of this system"
        until = f", until {shown(one['ends'])}" if one["ends"] is not None else ""
        email = f", {one['email']}" if one["email"] else ""
        out(clean(f"{one['name']} is {kind}{until}{email}"))
        if one["closed"]:
            out(clean(one["closed"]))
        next_step(*following)

    return answer(context, reply, tell)
