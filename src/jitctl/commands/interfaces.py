"""Interfaces: add, adopt, list, show, set, enforce, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.api.client import given
from jitctl.cli.app import settings
from jitctl.cli.shared import Switch, Why, Yes, answer, planned, warn
from jitctl.render import sentences, times
from jitctl.render.output import clean, next_step, out, say
from jitd.core.commandline import command

if TYPE_CHECKING:
    from jitd import wire

Name = Annotated[str, typer.Argument(metavar="NAME", help="The interface, for example wg0.")]
Pools = Annotated[
    list[str] | None,
    typer.Option(
        "--pool",
        metavar="CIDR",
        help="The address range of the tunnel, for example 10.9.0.0/24; at most one IPv4 and one IPv6 range.",
    ),
]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="HOST:PORT", help="The address that clients connect to.")
]
Dns = Annotated[
    list[str] | None,
    typer.Option(
        "--dns",
        metavar="ADDRESS",
        help='DNS servers and search domains for clients. May be repeated; "" for none.',
    ),
]
Port = Annotated[
    int | None,
    typer.Option("--port", metavar="PORT", help="The UDP port to listen on (51820 for a new one)."),
]
Mtu = Annotated[
    int | None,
    typer.Option("--mtu", metavar="BYTES", help="The MTU of the interface, in bytes; 0 for the default."),
]


def add(
    context: typer.Context,
    name: Name,
    pool: Pools = None,
    endpoint: Endpoint = None,
    port: Port = None,
    dns: Dns = None,
    mtu: Mtu = None,
) -> int:
    """Create a WireGuard interface that jitd owns, with a new key.

    Example: jitctl interface add wg0 --pool 10.9.0.0/24 --endpoint vpn.example.org:51820
    """
    more = given(endpoint=endpoint, port=port, dns=dns, mtu=mtu)
    reply = settings(context).client().interface_add(name=name, pools=pool or [], **more)
    return _told(context, reply, command("network add", "office", interface=name, route="10.0.0.0/8"))


def adopt(
    context: typer.Context, name: Name, endpoint: Endpoint = None, pool: Pools = None, dns: Dns = None
) -> int:
    """Manage peers on an interface that wg-quick, networkd or another tool made. Existing peers keep their
    access.

    Example: jitctl interface adopt wg0 --endpoint vpn.example.org:51820
    """
    more = given(endpoint=endpoint, pools=pool, dns=dns)
    reply = settings(context).client().interface_adopt(name=name, **more)
    return _told(
        context,
        reply,
        f"{command('device import', name)} --map FILE   assign its peers to users",
        f"{command('interface enforce', name, 'on')}      let jitd control all of its peers",
    )


def set_(
    context: typer.Context,
    name: Name,
    pool: Pools = None,
    endpoint: Endpoint = None,
    port: Port = None,
    dns: Dns = None,
    mtu: Mtu = None,
) -> int:
    """Change an interface. Settings that are not named stay the same.

    Example: jitctl interface set wg0 --endpoint vpn.example.org:51820
    """
    changed = given(pools=pool or None, endpoint=endpoint, port=port, dns=dns or None, mtu=mtu)
    reply = settings(context).client().interface_set(name=name, **changed)
    return _told(context, reply)


def enforce(
    context: typer.Context,
    name: Name,
    switch: Annotated[
        Switch,
        typer.Argument(
            metavar="on|off", help="on: jitd controls all peers; off: only the peers of registered devices."
        ),
    ],
    reason: Why = None,
    yes: Yes = False,
) -> int:
    """Control all peers of an adopted interface, or leave its unmanaged peers alone. Shows which peers lose
    access, and asks for confirmation.

    Example: jitctl interface enforce wg0 on
    """
    client = settings(context).client()
    body = {"name": name, "on": switch is Switch.ON, "reason": reason}
    return _told(
        context, planned(client.interface_enforce, body, yes=yes, question=f"Enforce {name}: {switch}?")
    )


def remove(context: typer.Context, name: Name, yes: Yes = False) -> int:
    """Remove an interface that no network uses. An adopted interface stays on the machine, as its owner made
    it.

    Example: jitctl interface remove wg0
    """
    client = settings(context).client()
    reply = planned(client.interface_remove, {"name": name}, yes=yes, question=f"Remove {name}?")
    return answer(context, reply, lambda: out(f"interface {clean(name)} is removed"))


def list_(context: typer.Context) -> int:
    """List the interfaces of this gateway.

    Example: jitctl interface list
    """
    reply = settings(context).client().interface_list()

    def tell() -> None:
        if not reply["interfaces"]:
            out("no interfaces yet")
            next_step(
                "jitctl interface add wg0 --pool 10.9.0.0/24 --endpoint vpn.example.org:51820",
                "jitctl interface adopt wg0",
            )
            return
        from jitctl.render.tables import Cell, Column, draw_each

        draw_each(
            reply["interfaces"],
            (Column("NAME"), lambda one: one["name"]),
            (
                Column("STATE"),
                lambda one: (
                    Cell("* up", "green") if one["up"] and not one["error"] else Cell("x broken", "red")
                ),
            ),
            (Column("PORT", right=True), lambda one: str(one["port"])),
            (Column("POOLS", squeezed=True, least=10), lambda one: ", ".join(one["pools"])),
            (Column("ENDPOINT", least=10, spare=1), lambda one: one["endpoint"]),
            (Column("NETWORKS", least=8), lambda one: ", ".join(one["networks"])),
            (Column("PEERS", right=True), lambda one: str(one["peers"])),
            (
                Column("UNMANAGED", right=True),
                lambda one: str(one["unmanaged"]) if not one["enforced"] else "-",
            ),
        )
        for one in reply["interfaces"]:
            if one["error"]:
                say(f"BROKEN: {one['name']}: {clean(one['error'])}")
        next_step("jitctl interface show NAME")

    return answer(context, reply, tell)


def show(context: typer.Context, name: Name) -> int:
    """Show an interface with its peers, as the kernel reports them now.

    Example: jitctl interface show wg0
    """
    reply = settings(context).client().interface_show(name)
    nobodys = any(not peer["managed"] for peer in reply["peers"])

    def tell() -> None:
        _show(reply["interface"], reply["peers"], reply["now"])
        next_step(f"{command('device import', name)} --map FILE" if nobodys else "jitctl doctor interfaces")

    return answer(context, reply, tell)


def _told(context: typer.Context, reply: wire.InterfaceReply, *following: str) -> int:
    def tell() -> None:
        _show(reply["interface"], reply["peers"], reply["now"])
        warn(reply.get("warnings", ()))
        next_step(*following)

    return answer(context, reply, tell)


def _show(one: wire.InterfaceView, peers: list[wire.PeerView], now: int) -> None:
    kind = "adopted" if one["adopted"] else "jitd's own"
    decided = "jitd controls all peers" if one["enforced"] else "unmanaged peers pass (not enforced)"
    facts = [
        ("interface", f"{one['name']}, {kind}, {'up' if one['up'] else 'down'}; {decided}"),
        ("public key", one["public_key"]),
        ("listens on", f"udp/{one['port']}"),
        ("endpoint", one["endpoint"] or "none yet (jitctl interface set --endpoint)"),
        ("pools", ", ".join(one["pools"])),
        ("dns", ", ".join(one["dns"]) or "none"),
        ("mtu", str(one["mtu"] or "default")),
        ("networks", ", ".join(one["networks"]) or "none yet"),
    ]
    for name, value in facts:
        out(f"{name:<11}{clean(value)}")
    if one["error"]:
        say(f"BROKEN: {clean(one['error'])}")
    if not peers:
        out("no peers now")
        return
    from jitctl.render.tables import Cell, Column, draw_each

    out()
    draw_each(
        peers,
        (
            Column("PEER", least=12),
            lambda peer: (
                f"{peer['user']}/{peer['device']}" if peer["managed"] else Cell("unmanaged", "yellow")
            ),
        ),
        (Column("ALLOWED IPS", least=14), lambda peer: ", ".join(peer["allowed_ips"]) or "none (paused)"),
        (Column("ENDPOINT", least=12, spare=1), lambda peer: peer["endpoint"]),
        (
            Column("HANDSHAKE"),
            lambda peer: times.ago(peer["last_handshake"], now) if peer["last_handshake"] else "never",
        ),
        (Column("RECEIVED", right=True, spare=2), lambda peer: sentences.size(peer["rx_bytes"])),
        (Column("SENT", right=True, spare=2), lambda peer: sentences.size(peer["tx_bytes"])),
        (Column("PUBLIC KEY", squeezed=True, least=10), lambda peer: peer["public_key"]),
    )
