"""Networks: adding, changing, switching just-in-time access on and off."""

from collections.abc import Iterable
from dataclasses import replace

from jitd import wire
from jitd.core import addresses, durations, policy, text
from jitd.core.errors import JitError
from jitd.core.firewall import ambiguous
from jitd.core.model import Ending, Interface, Network, Status
from jitd.core.people import Answer
from jitd.core.ports import parse_ports
from jitd.service import plans, views
from jitd.service.call import Call, Render, Reply, View
from jitd.service.guard import network_rules
from jitd.service.requests import named_network
from jitd.store import interfaces
from jitd.store import networks as store
from jitd.store import requests as stored_requests


def add(call: Call, body: wire.NetworkAddBody) -> Render:
    """Add a network, just-in-time access on: nobody but administrators gains anything by it."""
    call.require_admin("add a network")
    name = text.name(body["name"], "network")
    if store.by_name(call.rows, name) is not None:
        raise JitError(
            "conflict",
            f"cannot add the network {name}: there is one of this name",
            f"Change it with jitctl network set {name}, or choose another name.",
        )
    interface = _chosen_interface(call, body.get("interface"))
    ports = tuple(parse_ports(one) for one in body.get("ports", []))
    most = body.get("max_duration") or policy.DEFAULT_MAX_MS
    network = Network(
        id=0,
        name=name,
        interface_id=interface.id,
        routes=addresses.routes(body["routes"]),
        ports=ports,
        jit=True,
        members=_members(call, body.get("members", [])),
        default_ms=body.get("default_duration") or min(policy.DEFAULT_DURATION_MS, most),
        max_ms=most,
        pending_ms=body.get("pending_ttl") or policy.DEFAULT_PENDING_MS,
        created_ms=call.now.wall_ms,
    )
    _check_durations(network)
    _check_pending(network)
    _refuse_beside(call, interface, network)
    before = plans.passing(call, [interface])
    added = store.add(call.rows, network)
    call.touched.interfaces.add(interface.id)
    call.event("network_added", network=name, interface=interface.name, after=_facts(added))
    plan = plans.make(before, plans.passing(call, [interface]), _warnings(call, added))
    return _shown(name, plan)


def set_(call: Call, body: wire.NetworkSetBody) -> Render:
    """Change a network. With `plan` only say who would gain and lose access."""
    call.require_admin("change a network")
    before = named_network(call, body["name"])
    interface = interfaces.by_id(call.rows, before.interface_id)
    after = replace(
        before,
        routes=addresses.routes(body["routes"]) if "routes" in body else before.routes,
        ports=tuple(parse_ports(one) for one in body["ports"]) if "ports" in body else before.ports,
        members=_members(call, body["members"]) if "members" in body else before.members,
        default_ms=body.get("default_duration", before.default_ms),
        max_ms=body.get("max_duration", before.max_ms),
        pending_ms=body.get("pending_ttl", before.pending_ms),
    )
    _refuse_beside(call, interface, after)
    _check_durations(after)
    _check_pending(after)
    _check_members(after)
    plan = _change(call, body, before, after, interface)
    if after != before:
        call.event(
            "network_changed",
            network=before.name,
            interface=interface.name,
            before=_facts(before),
            after=_facts(after),
        )
    return _shown(before.name, plan)


def jit(call: Call, body: wire.NetworkJitBody) -> Render:
    """Switch just-in-time access on (the others' peers go at once) or off (members' devices come at once)."""
    call.require_admin("switch just-in-time access")
    before = named_network(call, body["name"])
    after = replace(before, jit=body["on"])
    _check_members(after)
    interface = interfaces.by_id(call.rows, before.interface_id)
    plan = _change(call, body, before, after, interface)
    if after != before:
        call.event(
            "jit_on" if after.jit else "jit_off",
            network=before.name,
            interface=interface.name,
            gains=[f"{line['user']}/{line['device']}" for line in plan["gains"]],
            loses=[f"{line['user']}/{line['device']}" for line in plan["loses"]],
        )
    return _shown(before.name, plan)


def remove(call: Call, body: wire.NameBody) -> Render:
    """Remove a network: its grants are revoked, its pending requests lapse."""
    call.require_admin("remove a network")
    network = named_network(call, body["name"])
    interface = interfaces.by_id(call.rows, network.interface_id)
    passing = plans.passing(call, [interface])
    view = views.network_view(call, network, for_admin=True)
    for request in stored_requests.live(call.rows, network_ids=[network.id]):
        ending = Ending(
            how=Status.REVOKED, at_ms=call.now.wall_ms, by=call.actor.user, comment="the network was removed"
        )
        stored_requests.end(call.rows, request.id, ending)
        call.ended.append(request)
        call.event("revoked", request=request, comment=ending.comment)
    for request in stored_requests.pending_on(call.rows, network.id):
        ending = Ending(
            how=Status.LAPSED, at_ms=call.now.wall_ms, by=call.actor.user, comment="the network was removed"
        )
        stored_requests.end(call.rows, request.id, ending)
        call.event("lapsed", request=request, comment=ending.comment)
    store.remove(call.rows, network.id, call.now.wall_ms)
    call.touched.interfaces.add(interface.id)
    plan = plans.settle(body, passing, plans.passing(call, [interface]))
    call.event("network_removed", network=network.name, interface=interface.name, before=_facts(network))
    return lambda _: {"network": view, "plan": plan, "done": True}


def list_(view: View, _query: object) -> Reply:
    """The networks that the caller may ask for; administrators see all."""
    admin = view.by_admin
    person = view.person(view.actor.user)
    return {
        "networks": [
            views.network_view(view, network, for_admin=admin)
            for network in store.all_(view.rows)
            if admin or policy.may_use(network, person)
        ]
    }


def show(view: View, query: wire.NameQuery) -> Reply:
    """One network."""
    network = named_network(view, query["name"])
    admin = view.by_admin
    if not admin and not policy.may_use(network, view.person(view.actor.user)):
        raise JitError(
            "not_found", f"cannot find a network {text.clean(query['name'])[:40]!r}", "See jitctl status."
        )
    return {"network": views.network_view(view, network, for_admin=admin)}


def _change(
    call: Call,
    body: wire.NetworkSetBody | wire.NetworkJitBody,
    before: Network,
    after: Network,
    interface: Interface,
) -> wire.Plan:
    passing = plans.passing(call, [interface])
    store.update(call.rows, after)
    plan = plans.settle(body, passing, plans.passing(call, [interface]), _warnings(call, after))
    if after != before:
        call.touched.interfaces.add(interface.id)
    return plan


def _shown(name: str, plan: wire.Plan) -> Render:
    def render(view: View) -> Reply:
        network = named_network(view, name)
        return {"network": views.network_view(view, network, for_admin=True), "plan": plan, "done": True}

    return render


def _chosen_interface(call: Call, name: str | None) -> Interface:
    every = interfaces.all_(call.rows)
    if name is None:
        if len(every) == 1:
            return every[0]
        if not every:
            raise JitError(
                "not_found",
                "cannot add a network: there is no interface yet",
                "Add one: jitctl interface add wg0 --pool 10.9.0.0/24 --endpoint vpn.example.org:51820,"
                " or jitctl interface adopt wg0",
            )
        names = ", ".join(interface.name for interface in every)
        raise JitError(
            "bad_request",
            f"cannot tell which interface is meant: {names}",
            f"Add --interface {every[0].name}",
        )
    found = interfaces.by_name(call.rows, name)
    if found is None:
        raise JitError(
            "not_found", f"cannot find an interface {text.clean(name)[:40]!r}", "See jitctl interface list."
        )
    return found


def _refuse_beside(call: Call, interface: Interface, network: Network) -> None:
    """What the layers cannot tell apart. WireGuard alone opens an interface as a whole."""
    others = [one for one in store.of_interface(call.rows, interface.id) if one.id != network.id]
    if not call.firewall.active:
        if network.ports:
            raise JitError(
                "refused",
                'cannot limit a network to ports: enforce.firewall is "none", so that a grant would open all ports',
                'Leave --port away, or set firewall = "nftables" in jitd.toml.',
            )
        if others and not network.id:
            raise JitError(
                "refused",
                f'cannot put a second network on {interface.name}: enforce.firewall is "none", so that a grant for'
                f" {others[0].name} would open both",
                "Add another interface for it: jitctl interface add NAME --pool CIDR, or set"
                ' firewall = "nftables" in jitd.toml.',
            )
    unclear = ambiguous([network_rules(one) for one in (network, *others)])
    if unclear is not None:
        one, other, route = unclear
        raise JitError(
            "conflict",
            f"cannot use the route {route} in both {one.name} and {other.name}: nothing says which of them decides",
            "Give one of them another route, or ports that the other does not have (--port tcp/5432).",
        )


def _members(call: Call, names: Iterable[str]) -> tuple[str, ...]:
    members = sorted(set(names))
    for member in members:
        plain = member.removeprefix("@")
        if not plain or text.clean(plain) != plain or " " in plain or len(plain) > text.NAME_LENGTH:
            raise JitError(
                "bad_request",
                f"cannot use {text.clean(member)[:40]!r} as a member",
                "Name users as alice and groups as @staff.",
            )
        if not member.startswith("@") and call.person(member).exists is not Answer.UNAVAILABLE:
            call.existing_user(member)
    return tuple(members)


def _check_members(network: Network) -> None:
    if not network.jit and not network.members:
        raise JitError(
            "refused",
            f"cannot leave {network.name} open without members: with just-in-time access off, its members have"
            " standing access, and nobody is named",
            f"Name them first: jitctl network set {network.name} --member @staff",
        )


def _check_durations(network: Network) -> None:
    if not durations.SECOND <= network.default_ms <= network.max_ms <= durations.LONGEST_MS:
        raise JitError(
            "bad_request",
            f"cannot use a default of {durations.show(network.default_ms)} with a maximum of"
            f" {durations.show(network.max_ms)}",
            "The default is at least 1s and at most the maximum, and the maximum at most 365d.",
        )


def _check_pending(network: Network) -> None:
    if not durations.MINUTE <= network.pending_ms <= durations.LONGEST_MS:
        raise JitError(
            "bad_request",
            f"cannot let requests wait for {durations.show(max(0, network.pending_ms))}",
            "Use a duration from 1m to 365d, such as --pending-ttl 24h.",
        )


def _warnings(call: Call, network: Network) -> list[str]:
    groups = [member[1:] for member in network.members if member.startswith("@")]
    missing = [group for group in groups if call.people.directory.group_exists(group) is not Answer.YES]
    return [f"there is no group {group} now: it lets nobody in" for group in missing]


def _facts(network: Network) -> dict[str, object]:
    return {
        "routes": [str(route) for route in network.routes],
        "ports": [str(ports) for ports in network.ports],
        "jit": network.jit,
        "members": list(network.members),
        "default_duration": network.default_ms,
        "max_duration": network.max_ms,
        "pending_ttl": network.pending_ms,
    }
