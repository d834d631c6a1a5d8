"""Networks: add, list, show, set, jit, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Switch, Why, Yes, answer, duration_ms, planned, warn
from jitctl.render.output import clean, next_step, out
from jitd.core import durations
from jitd.core.commandline import command

if TYPE_CHECKING:
    from jitd import wire

Name = Annotated[str, typer.Argument(metavar="NAME", help="The network.")]
Routes = Annotated[
    list[str] | None,
    typer.Option(
        "--route",
        metavar="CIDR",
        help="A route that the network opens, for example 10.0.0.0/8; may be repeated.",
    ),
]
Ports = Annotated[
    list[str] | None,
    typer.Option("--port", metavar="PORT", help="Only these ports, for example tcp/5432; may be repeated."),
]
Members = Annotated[
    list[str] | None,
    typer.Option(
        "--member",
        metavar="WHO",
        help="A user or group that may use the network: alice, or @staff for a group; may be repeated.",
    ),
]
Default = Annotated[
    str | None,
    typer.Option(
        "--default-duration", metavar="TIME", help="The duration of a grant whose request names none (2h)."
    ),
]
Most = Annotated[str | None, typer.Option("--max-duration", metavar="TIME", help="The longest grant (8h).")]
Pending = Annotated[
    str | None,
    typer.Option(
        "--pending-ttl", metavar="TIME", help="The time after which an undecided request lapses (1d)."
    ),
]


Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]…", help="Any setting, as in a policy file: KEY=VALUE, KEY+=VALUE, KEY-=VALUE."
    ),
]


def add(
    context: typer.Context,
    name: Name,
    changes: Changes = None,
    route: Routes = None,
    interface: Annotated[
        str | None,
        typer.Option(
            "--interface", "-i", metavar="NAME", help="The interface of the network, if there are several."
        ),
    ] = None,
    port: Ports = None,
    member: Members = None,
    default_duration: Default = None,
    max_duration: Most = None,
    pending_ttl: Pending = None,
    reason: Why = None,
    yes: Yes = False,
) -> int:
    """Add a network. Just-in-time access is on: everybody except administrators has to request access.

    Shows whose access changes, and asks for confirmation. Administrators get access at once. Destinations
    inside an existing network now belong to the new one.

    Example: jitctl network add office --route 10.0.0.0/8 --max-duration 8h
    """
    client = settings(context).client()
    body = {
        "name": name,
        "interface": interface,
        "routes": route or [],
        "ports": port,
        "members": member,
        "default_duration": duration_ms(default_duration),
        "max_duration": duration_ms(max_duration),
        "pending_ttl": duration_ms(pending_ttl),
        "changes": changes or None,
        "reason": reason,
    }
    reply = planned(client.network_add, body, yes=yes, question=f"Add {name}?")
    return _told(
        context, reply, f'{command("request", name)} --reason "…"', command("network jit", name, "off")
    )


def set_(
    context: typer.Context,
    name: Name,
    changes: Changes = None,
    route: Routes = None,
    port: Ports = None,
    no_ports: Annotated[bool, typer.Option("--no-ports", help="Remove the limit to ports.")] = False,
    member: Members = None,
    no_members: Annotated[
        bool, typer.Option("--no-members", help="Remove the member list: every user may request access.")
    ] = False,
    default_duration: Default = None,
    max_duration: Most = None,
    pending_ttl: Pending = None,
    reason: Why = None,
    yes: Yes = False,
) -> int:
    """Change a network. Settings that are not named stay the same. Shows who gains and loses access, and asks
    for confirmation.

    Example: jitctl network set office --member @staff --member alice

    Example: jitctl network set office jit.exempt+=@oncall approvals=2 "jit.hours=Mon-Fri 08:00-18:00 Europe/Berlin"
    """
    client = settings(context).client()
    body = {
        "name": name,
        "routes": route or None,
        "ports": [] if no_ports else port or None,
        "members": [] if no_members else member or None,
        "default_duration": duration_ms(default_duration),
        "max_duration": duration_ms(max_duration),
        "pending_ttl": duration_ms(pending_ttl),
        "changes": changes or None,
        "reason": reason,
    }
    return _told(context, planned(client.network_set, body, yes=yes, question=f"Change {name}?"))


def jit(
    context: typer.Context,
    name: Name,
    switch: Annotated[
        Switch,
        typer.Argument(
            metavar="on|off", help="on: everybody has to request access; off: members have standing access."
        ),
    ],
    reason: Why = None,
    yes: Yes = False,
) -> int:
    """Switch just-in-time access on or off. Shows who gains and loses access now, and asks for confirmation.

    Example: jitctl network jit office off
    """
    client = settings(context).client()
    body = {"name": name, "on": switch is Switch.ON, "reason": reason}
    question = f"Switch just-in-time access {switch} for {name}?"
    return _told(context, planned(client.network_jit, body, yes=yes, question=question))


def remove(context: typer.Context, name: Name, reason: Why = None, yes: Yes = False) -> int:
    """Remove a network. Its grants are revoked and its pending requests lapse; they are shown first, and
    confirmation is asked for.

    Example: jitctl network remove lab
    """
    client = settings(context).client()
    reply = planned(
        client.network_remove, {"name": name, "reason": reason}, yes=yes, question=f"Remove {name}?"
    )
    return answer(context, reply, lambda: out(f"network {clean(name)} is removed"))


def list_(context: typer.Context) -> int:
    """List the networks that you may request; administrators see all networks.

    Example: jitctl network list
    """
    reply = settings(context).client().network_list()

    def tell() -> None:
        if not reply["networks"]:
            out("there is no network yet that you may request")
            next_step("an administrator can add one: jitctl network add office --route 10.0.0.0/8")
            return
        from jitctl.render.tables import Column, draw_each

        draw_each(
            reply["networks"],
            (Column("NAME"), lambda one: one["name"]),
            (Column("INTERFACE"), lambda one: one["interface"]),
            (Column("JIT"), lambda one: "on" if one["jit"] else "off"),
            (Column("ROUTES", squeezed=True, least=10), lambda one: ", ".join(one["routes"] + one["ports"])),
            (Column("MEMBERS", least=8), lambda one: ", ".join(one["members"]) or "everyone"),
            (Column("DEFAULT", spare=2), lambda one: durations.show(one["default_duration"])),
            (Column("MAX", spare=1), lambda one: durations.show(one["max_duration"])),
            (Column("ACTIVE", right=True), lambda one: str(one["active"])),
            (Column("PENDING", right=True), lambda one: str(one["pending"])),
        )
        next_step("jitctl network show NAME")

    return answer(context, reply, tell)


def show(context: typer.Context, name: Name) -> int:
    """Show one network.

    Example: jitctl network show office
    """
    reply = settings(context).client().network_show(name)
    return answer(context, reply, lambda: _show(reply["network"]))


def _told(context: typer.Context, reply: wire.NetworkReply, *following: str) -> int:
    def tell() -> None:
        _show(reply["network"])
        warn(reply.get("plan", {}).get("warnings", ()))
        next_step(*following)

    return answer(context, reply, tell)


#: Settings that `show` tells in words, and what the others usually are.
_TOLD: Final = {
    "routes",
    "ports",
    "members",
    "jit.enabled",
    "default_duration",
    "max_duration",
    "pending_ttl",
}
_SENTENCES: Final = {"jit.hours", "jit.auto_approve"}
_USUAL: Final = {
    "approvals": 1,
    "min_duration": "1s",
    "reason": "required",
    "reason_min_length": 1,
    "jit.break_glass_max": "1h",
    "jit.break_glass_reason_min_length": 10,
    "jit.break_glass_quota": 3,
}


def _show(one: wire.NetworkView) -> None:
    facts = [
        ("network", one["name"]),
        ("interface", one["interface"]),
        ("opens", ", ".join(one["routes"] + one["ports"])),
        (
            "jit",
            f"on: {_who_asks(one.get('settings', {}))} to request access"
            if one["jit"]
            else "off: members have standing access",
        ),
        ("members", ", ".join(one["members"]) or "everyone"),
        (
            "durations",
            f"{durations.show(one['default_duration'])}, at most {durations.show(one['max_duration'])}",
        ),
        ("pending", f"a request lapses after {durations.show(one['pending_ttl'])}"),
        ("requests", f"{one['pending']} pending, {one['active']} granted and running"),
    ]
    facts += [
        # Windows and rules have commas of their own.
        (key, ("; " if key in _SENTENCES else ", ").join(value) if isinstance(value, list) else _plain(value))
        for key, value in one.get("settings", {}).items()
        if key not in _TOLD and value not in ([], "", False, _USUAL.get(key))
    ]
    width = max(len(name) for name, _ in facts) + 2
    for name, value in facts:
        out(f"{name:<{width}}{clean(value)}")
    if one.get("shortage"):
        warn([one["shortage"]])


def _plain(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _who_asks(rules: Mapping[str, object]) -> str:
    """`everyone but administrators has`, `only @dev have`."""
    groups = rules.get("jit.groups")
    if isinstance(groups, list) and groups:
        return f"only {', '.join(groups)} have"
    return "everyone has" if rules.get("jit.admins_too") else "everyone but administrators has"
