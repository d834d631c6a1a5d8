"""Networks: adding, changing, switching just-in-time access on and off."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from jitd import wire
from jitd.core import addresses, principals, settings, text
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import Balance, Changed, Comment, EventKind
from jitd.core.firewall import ambiguous
from jitd.core.model import Ending, Interface, Network, Request
from jitd.core.people import Answer
from jitd.notify.recipients import Deciders
from jitd.reconcile.firewall import network_rules
from jitd.store import accounts, interfaces
from jitd.store import networks as store
from jitd.store import requests as stored_requests
from jitd.verbs import foureyes, placing, plans, quorums, views
from jitd.verbs.context import Call, Render, View
from jitd.verbs.lookup import named_network, no_network

#: How many grants or requests of a network that goes are named one by one.
_NAMED: Final = 10


def add(call: Call, body: wire.NetworkAddBody) -> Render[wire.NetworkReply]:
    """Add a network, just-in-time access on: administrators gain it, and whoever the rules in the body name.

    A destination that another network has within a larger one goes to the new one: its people reach less.
    """
    name = text.name(body["name"], "network")
    if store.by_name(call.rows, name) is not None:
        raise JitError(
            "conflict",
            f"cannot add the network {name}: the name is taken",
            "Change it with " + command("network set", name) + ", or choose another name.",
        )
    interface = _chosen_interface(call, body.get("interface"))
    network = Network(id=0, name=name, interface_id=interface.id, created_ms=call.now.wall_ms)
    most = body.get("max_duration") or network.max_duration_ms
    network = replace(
        network, default_duration_ms=min(network.default_duration_ms, most), max_duration_ms=most
    )
    network = _changed(call, network, body)
    if not network.routes:
        addresses.routes([])
    settings.check(network)
    refuse_beside(call, interface, network)
    every = store.all_(call.rows)
    need = quorums.needed(call, every, [*every, network])
    before = plans.state(call, [interface])
    added = store.add(call.rows, network)
    said = [*warnings(call, added, None), *([need.warning] if need else [])]
    plan = plans.settle(call, body, before, plans.state(call, [interface]), said)
    reason = foureyes.reason(call, body.get("reason"), "add a network")
    quorums.require(call, "network add", body, need)
    call.touched.interfaces.add(interface.id)
    call.event(
        EventKind.NETWORK_ADDED,
        Changed(after=settings.plain(added), reason=reason),
        network=name,
        interface=interface.name,
    )
    return _shown(name, plan)


def set_(call: Call, body: wire.NetworkSetBody) -> Render[wire.NetworkReply]:
    """Change a network. With `plan` only say who would gain and lose access."""
    before = named_network(call, body["name"])
    interface = interfaces.by_id(call.rows, before.interface_id)
    after = _changed(call, before, body)
    refuse_beside(call, interface, after)
    settings.check(after)
    reason = "" if body.get("plan") else foureyes.reason(call, body.get("reason"), "change a network")
    plan = _change(call, "network set", body, before, after, interface)
    if after != before:
        call.event(
            EventKind.NETWORK_CHANGED,
            Changed(before=settings.plain(before), after=settings.plain(after), reason=reason),
            network=before.name,
            interface=interface.name,
        )
    return _shown(before.name, plan)


def jit(call: Call, body: wire.NetworkJitBody) -> Render[wire.NetworkReply]:
    """Switch just-in-time access on (the others' peers go at once) or off (members' devices come at once)."""
    before = named_network(call, body["name"])
    after = replace(before, jit_enabled=body["on"])
    settings.check(after)
    interface = interfaces.by_id(call.rows, before.interface_id)
    what = "switch just-in-time access"
    reason = "" if body.get("plan") else foureyes.reason(call, body.get("reason"), what)
    plan = _change(call, "network jit", body, before, after, interface)
    if after != before:
        call.event(
            EventKind.JIT_ON if after.jit_enabled else EventKind.JIT_OFF,
            Balance(
                gains=[f"{line['user']}/{line['device']}" for line in plan["gains"]],
                loses=[f"{line['user']}/{line['device']}" for line in plan["loses"]],
                reason=reason,
            ),
            network=before.name,
            interface=interface.name,
        )
    return _shown(before.name, plan)


def remove(call: Call, body: wire.NameBody) -> Render[wire.NetworkReply]:
    """Remove a network: its grants are revoked, its pending requests lapse, what is past stays in the history."""
    network = named_network(call, body["name"])
    interface = interfaces.by_id(call.rows, network.interface_id)
    passing = plans.state(call, [interface])
    view = views.network_view(call, network, for_admin=True)
    every = store.all_(call.rows)
    need = quorums.needed(call, every, [one for one in every if one.id != network.id])
    reason = "" if body.get("plan") else foureyes.reason(call, body.get("reason"), "remove a network")
    also = take_away(call, network, interface, reason)
    said = [need.warning] if need else []
    plan = plans.settle(call, body, passing, plans.state(call, [interface]), said, also=also)
    quorums.require(call, "network remove", body, need)
    return lambda call: {**call.change_reply(), "network": view, "plan": plan, "done": True}


def take_away(call: Call, network: Network, interface: Interface, reason: str) -> list[str]:
    """Remove a network: its grants are revoked, its pending requests lapse. Each is recorded.

    Returns a sentence for whatever becomes of requests and grants.
    """
    granted = stored_requests.live(call.rows, network_ids=[network.id])
    pending = stored_requests.pending_on(call.rows, network.id)
    past = store.requests_ever(call.rows, network.id) - len(granted) - len(pending)
    for request in granted:
        _end(call, request, Status.REVOKED)
        call.ended.append(request)
    for request in pending:
        _end(call, request, Status.LAPSED)
    store.remove(call.rows, network.id, call.now.wall_ms)
    call.touched.interfaces.add(interface.id)
    call.event(
        EventKind.NETWORK_REMOVED,
        Changed(before=settings.plain(network), reason=reason),
        network=network.name,
        interface=interface.name,
    )
    also = []
    if granted:
        also.append(f"revoked: {_counted('grant', granted)}")
    if pending:
        also.append(f"lapsed: {_counted('request', pending)}")
    if past:
        also.append(
            f"{past} earlier request{'s stay' if past > 1 else ' stays'} in the history ("
            + command("list", network=network.name)
            + "); a network that is added under this name again has none of them"
        )
    return also


def _counted(what: str, found: Sequence[Request]) -> str:
    """`grant 3 of alice`, `grants 3 of alice, 5 of bob and 2 more`."""
    named = ", ".join(f"{one.id} of {one.account.name}" for one in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{what}{'s' if len(found) > 1 else ''} {named}{more}"


def _end(call: Call, request: Request, how: Status) -> None:
    ending = Ending(how=how, at_ms=call.now.wall_ms, by=call.actor.user, comment="the network was removed")
    stored_requests.end(call.rows, request.id, ending)
    call.event(EventKind(how), Comment(comment=ending.comment), request=request)


def list_(view: View, _query: object) -> wire.NetworksReply:
    """The networks that the caller may ask for; administrators see all."""
    admin = view.by_admin
    return {
        "now": view.now.wall_ms,
        "networks": [
            views.network_view(view, network, for_admin=admin or view.decides(network))
            for network in store.all_(view.rows)
            if admin or view.decides(network) or view.people.may_use(network, *view.person_behind)
        ],
    }


def show(view: View, query: wire.NameQuery) -> wire.NetworkShowReply:
    """One network."""
    network = named_network(view, query["name"])
    decides = view.decides(network)
    if not decides and not view.people.may_use(network, *view.person_behind):
        raise no_network(view, query["name"])
    return {"now": view.now.wall_ms, "network": views.network_view(view, network, for_admin=decides)}


def _change(
    call: Call,
    verb: str,
    body: wire.NetworkSetBody | wire.NetworkJitBody,
    before: Network,
    after: Network,
    interface: Interface,
) -> wire.Plan:
    every = store.all_(call.rows)
    need = quorums.needed(call, every, [after if one.id == before.id else one for one in every])
    passing = plans.state(call, [interface])
    store.update(call.rows, after)
    said = [*warnings(call, after, before), *([need.warning] if need else [])]
    plan = plans.settle(call, body, passing, plans.state(call, [interface]), said)
    quorums.require(call, verb, body, need)
    if after != before:
        call.touched.interfaces.add(interface.id)
    return plan


def _shown(name: str, plan: wire.Plan) -> Render[wire.NetworkReply]:
    def render(call: Call) -> wire.NetworkReply:
        network = views.network_view(call, named_network(call, name), for_admin=True)
        return {**call.change_reply(), "network": network, "plan": plan, "done": True}

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
                "Add one: "
                + command("interface add", "wg0", pool="10.9.0.0/24", endpoint="vpn.example.org:51820")
                + ", or "
                + command("interface adopt", "wg0"),
            )
        names = ", ".join(interface.name for interface in every)
        raise JitError(
            "bad_request",
            f"cannot tell which interface you mean: {names}",
            f"Add --interface {every[0].name}",
        )
    found = interfaces.by_name(call.rows, name)
    if found is None:
        raise JitError(
            "not_found",
            f"cannot find an interface {text.clean(name)[:40]!r}",
            "See " + command("interface list"),
        )
    return found


def refuse_beside(call: Call, interface: Interface, network: Network) -> None:
    """What the layers cannot tell apart, for one network that is added (it has no id yet) or changed."""
    others = [one for one in store.of_interface(call.rows, interface.id) if one.id != network.id]
    refuse_together(call, interface, [network], others, added=not network.id)


def refuse_together(
    call: Call, interface: Interface, changed: Sequence[Network], others: Sequence[Network], *, added: bool
) -> None:
    """What the layers cannot tell apart among all networks of an interface: those that are changed, some of them
    perhaps `added`, and the others. WireGuard alone opens an interface as a whole.
    """
    every = [*others, *changed]
    if not call.firewall.active:
        if any(one.ports for one in changed):
            raise JitError(
                "refused",
                'cannot limit a network to ports: enforce.firewall is "none", so that a grant would open all ports',
                'Omit --port, or set firewall = "nftables" in jitd.toml.',
            )
        if added and len(every) > 1:
            raise JitError(
                "refused",
                f'cannot put a second network on {interface.name}: enforce.firewall is "none", so that a grant for'
                f" {every[0].name} would open both",
                "Add another interface for it: "
                + command("interface add", "NAME", pool="CIDR")
                + ', or set firewall = "nftables" in jitd.toml.',
            )
    unclear = ambiguous([network_rules(one) for one in (*changed, *others)])
    if unclear is not None:
        one, other, route = unclear
        raise JitError(
            "conflict",
            f"cannot use the route {route} in both {one.name} and {other.name}: it is not clear which "
            "network applies",
            "Use different routes, or ports that do not overlap (--port tcp/5432).",
        )


#: The fields of a body that are settings in milliseconds, and the other ones.
_DURATIONS: Final = ("default_duration", "max_duration", "pending_ttl")
_LISTS: Final = ("routes", "ports", "members")


def _changed(call: Call, network: Network, body: wire.NetworkAddBody | wire.NetworkSetBody) -> Network:
    """The network with what a body says of its settings; everybody whom it names anew must exist."""
    given: Mapping[str, Any] = body
    lists = {key: placing.given(given[key]) for key in _LISTS if given.get(key) is not None}
    after = settings.with_values(network, lists)
    durations = {key: given[key] for key in _DURATIONS if given.get(key) is not None}
    after = replace(after, **{settings.BY_KEY[key].field: ms for key, ms in durations.items()})
    after = settings.with_changes(after, map(settings.parse_change, given.get("changes") or ()))
    return resolved(call, network, after)


def resolved(call: Call, before: Network, after: Network) -> Network:
    """The network with the uids of those whom its rules name anew: they must exist, and somebody must be able to decide.

    Raises JitError not_found, busy or refused.
    """
    after = after.bind(before, lambda name: _existing(call, name))
    if after.approvers != before.approvers or after.approvals != before.approvals:
        _refuse_undecidable(call, after)
    return after


def _existing(call: Call, name: str) -> int:
    try:
        return call.existing_user(name)
    except JitError as error:
        known = accounts.of_name(call.rows, name)
        if error.code == "busy" and known is not None:
            return known.uid  # who was known here by the name; somebody else is not let in by it
        if error.code == "not_found" and call.people.directory.group_exists(name) is Answer.YES:
            raise JitError(
                error.code, error.message, f"For the group, write {principals.of_group(name)}."
            ) from None
        raise


def _refuse_undecidable(call: Call, network: Network) -> None:
    """A network that asks for more people than there are, or names approvers none of whom is there, would let nobody
    in: a rule must not be stricter by accident either. Raises JitError refused.
    """
    named, deciders = Deciders.named(call.people, network), Deciders.of(call.people, network)
    if network.approvers and not named.names and not named.unknown:
        raise JitError(
            "refused",
            f"cannot leave {network.name} to {', '.join(network.approvers)}: {', '.join(network.approvers)} "
            "has no members",
            "Name existing approvers, or none: administrators decide about every network.",
        )
    # Who cannot be looked up now may well be enough. Root is one of those who are named, behind sudo, and none more; on a
    # machine without an admin group nobody knows who that is, so it is one.
    if not deciders.unknown and network.approvals > max(1, len(deciders.names)):
        raise JitError(
            "refused",
            f"cannot ask for {network.approvals} approvals on {network.name}: only"
            f" {', '.join(sorted(deciders.names)) or 'root'} may decide there, and root counts as the person "
            "who is logged in",
            "Name more approvers first: " + command("network set", "NAME", "approvers+=@leads"),
        )


def warnings(call: Call, network: Network, before: Network | None) -> list[str]:
    """What an administrator should know of the rules of a network, and of the routes that it did not have `before`: groups
    that are not there, grants that outlast them, overlaps. Raises JitError conflict for a route that cannot be used.
    """
    interface = interfaces.by_id(call.rows, network.interface_id)
    missing = {
        "members": "it lets nobody in",
        "jit_groups": "everybody has to ask",
        "jit_exempt": "it exempts nobody",
        "approvers": "it lets nobody decide",
        "jit_break_glass": "it lets nobody use break-glass",
    }
    found = [
        f"there is no group {group} now: {means}"
        for field, means in missing.items()
        for group in _missing_groups(call, getattr(network, field))
    ]
    found += [
        f'there is no group {group} now: the rule "{rule}" is not for it'
        for rule in network.jit_auto_approve
        for group in _missing_groups(call, rule.who)
    ]
    return [*found, *_outlived(call, network), *placing.check_network(call, interface, before, network)]


def _missing_groups(call: Call, named: Iterable[str]) -> list[str]:
    groups = principals.groups(named)
    return [group for group in groups if call.people.directory.group_exists(group) is not Answer.YES]


def _outlived(call: Call, network: Network) -> list[str]:
    """The grants that were made under a longer maximum: a new one does not shorten them."""
    return [
        f"grant {request.id} of {request.account.name} is longer than the maximum and stays active; to end "
        "it: " + command("revoke", request.id)
        for request in (stored_requests.live(call.rows, network_ids=[network.id]) if network.id else [])
        if request.grant is not None
        and not network.extend_beyond_max
        and request.grant.ends_ms - request.grant.starts_ms > network.max_duration_ms
    ]
