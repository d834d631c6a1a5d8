"""Interfaces: making them, adopting what is there, and deciding about unmanaged peers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from jitd import wire
from jitd.core import addresses, text
from jitd.core import foureyes as core
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import Adopted, Balance, Changed, EventKind
from jitd.core.model import Interface
from jitd.enforce import keypair
from jitd.enforce.port import EnforceError, InterfaceGone, LinkState, SetPeer
from jitd.reconcile.peers import unmanaged_peer
from jitd.store import interfaces as store
from jitd.store import networks
from jitd.verbs import foureyes, placing, plans, quorums, tunnels, views
from jitd.verbs.context import Call, Render, View

DEFAULT_PORT: Final = 51820


def add(call: Call, body: wire.InterfaceAddBody) -> Render[wire.InterfaceReply]:
    """Make an interface of jitd's own, with a new key."""
    name = text.new_interface_name(body["name"])
    _refuse_known(call, name)
    pools = placing.pools(body["pools"])
    if pools == placing.Pools():
        raise JitError("bad_request", "cannot add an interface without a pool", "Add --pool 10.9.0.0/24")
    port = body.get("port", DEFAULT_PORT)
    if _read(call, name) is not None:
        raise JitError(
            "conflict",
            f"cannot add {name}: the machine has an interface of this name",
            "Manage its peers with " + command("interface adopt", name) + ", or choose another name.",
        )
    private, public = keypair.generate()
    interface = Interface(
        id=0,
        name=name,
        adopted=False,
        enforced=True,
        private_key=private,
        public_key=public,
        port=port,
        pool4=pools.v4,
        pool6=pools.v6,
        endpoint=addresses.endpoint(body.get("endpoint", ""), port),
        dns=addresses.dns(placing.given(body.get("dns", []))),
        mtu=addresses.mtu(body.get("mtu", 0)),
        created_ms=call.now.wall_ms,
    )
    warnings = placing.check_interface(call, None, interface)
    added = store.add(call.rows, interface)
    # Before the end of the transaction: what the kernel refuses is not recorded.
    call.undo.append(lambda: call.wireguard.remove_link(name))
    _enforce(lambda: _ensure(call, added), f"cannot make {name}")
    call.touched.interfaces.add(added.id)
    call.event(EventKind.INTERFACE_ADDED, Changed(after=_facts(added)), interface=name)
    return shown(name, warnings=warnings)


def adopt(call: Call, body: wire.InterfaceAdoptBody) -> Render[wire.InterfaceReply]:
    """Manage peers on an existing interface. Its peers are listed as unmanaged, and keep passing."""
    name = text.interface_name(body["name"])
    _refuse_known(call, name)
    owner = call.owner_of(name)
    if owner.unreadable:
        raise JitError(
            "refused",
            f"cannot adopt {name}: {owner.path} cannot be read ({owner.unreadable})",
            "Repair the file first.",
        )
    if owner.saves_config:
        raise JitError(
            "refused",
            f"cannot adopt {name}: {owner.path} has SaveConfig = true, so wg-quick would save the current "
            "peers and add them again at the next boot",
            f"Set SaveConfig = false in {owner.path}, then try again. The interface can stay up.",
        )
    state = _read(call, name)
    if state is None:
        raise JitError(
            "not_found",
            f"cannot adopt {name}: the machine has no WireGuard interface of this name",
            f"Bring it up first (wg-quick up {name}), or let jitd make one: "
            + command("interface add", name, pool="…"),
        )
    for other in store.all_(call.rows):
        if state.public_key and state.public_key == other.public_key:
            raise JitError(
                "conflict",
                f"cannot adopt {name}: it has the key of {other.name}, and may be the same interface under "
                "another name",
                "See " + command("doctor", "interfaces") + f", or remove {other.name} first.",
            )
    pools = placing.pools(body.get("pools") or _own_pools(state))
    interface = Interface(
        id=0,
        name=name,
        adopted=True,
        enforced=False,
        private_key="",
        public_key=state.public_key,
        port=state.port,
        pool4=pools.v4,
        pool6=pools.v6,
        endpoint=addresses.endpoint(body.get("endpoint", ""), state.port),
        dns=addresses.dns(placing.given(body.get("dns", []))),
        mtu=state.mtu,
        created_ms=call.now.wall_ms,
    )
    warnings = placing.check_interface(call, None, interface)
    added = store.add(call.rows, interface)
    for peer in state.peers.values():
        store.keep_unmanaged(call.rows, unmanaged_peer(added.id, peer), call.now.wall_ms)
    call.touched.interfaces.add(added.id)
    call.event(
        EventKind.INTERFACE_ADOPTED,
        Adopted(after=_facts(added), owner=owner.kind, path=owner.path, unmanaged=sorted(state.peers)),
        interface=name,
    )
    return shown(name, warnings=warnings)


def set_(call: Call, body: wire.InterfaceSetBody) -> Render[wire.InterfaceReply]:
    """Change an interface. Port, pools and MTU of an adopted one are its owner's."""
    before = named(call, body["name"])
    owners = [key for key in ("port", "mtu") if key in body]
    if before.adopted and owners:
        raise JitError(
            "refused",
            f"cannot change the {' and '.join(owners)} of {before.name}: it is adopted, and its owner sets "
            "them",
            f"Change them where {before.name} is made, for example in /etc/wireguard/{before.name}.conf.",
        )
    pools = placing.pools(body["pools"]) if "pools" in body else placing.Pools(before.pool4, before.pool6)
    if pools == placing.Pools() and not before.adopted:
        raise JitError(
            "bad_request",
            f"cannot remove the pools of {before.name}: its devices would have no addresses",
            "Name the pool that stays: --pool 10.9.0.0/24",
        )
    port = body.get("port", before.port)
    after = replace(
        before,
        pool4=pools.v4,
        pool6=pools.v6,
        port=port,
        endpoint=addresses.endpoint(body["endpoint"], port) if "endpoint" in body else before.endpoint,
        dns=addresses.dns(placing.given(body["dns"])) if "dns" in body else before.dns,
        mtu=addresses.mtu(body["mtu"]) if "mtu" in body else before.mtu,
    )
    warnings = placing.check_interface(call, before, after)
    store.update(call.rows, after)
    if after != before:
        if not after.adopted and call.link_spec(after) != call.link_spec(before):
            # As with a new one: what the kernel refuses is not recorded, and does not stay.
            call.undo.append(lambda: _ensure(call, before))
            _enforce(lambda: _ensure(call, after), f"cannot change {before.name}")
        if (after.pool4, after.pool6) != (before.pool4, before.pool6):
            warnings += tunnels.fill(call, after)
        call.touched.interfaces.add(before.id)
        call.event(
            EventKind.INTERFACE_CHANGED,
            Changed(before=_facts(before), after=_facts(after)),
            interface=before.name,
        )
    return shown(before.name, warnings=warnings)


def remove(call: Call, body: wire.NameBody) -> Render[wire.InterfaceReply]:
    """Remove an interface without networks. An own one leaves the machine; an adopted one stays as its owner has it."""
    interface = named(call, body["name"])
    behind = networks.of_interface(call.rows, interface.id)
    if behind:
        names = ", ".join(network.name for network in behind)
        raise JitError(
            "conflict",
            f"cannot remove {interface.name}: these networks use it: {names}",
            "Remove them first: " + command("network remove", behind[0].name),
        )
    passing = plans.state(call, [interface])
    if interface.adopted:
        # Its owner keeps it with everybody who was there; nobody loses access by this.
        passing = plans.State()
    view = views.interface_view(call, interface, None, "")
    plan = plans.settle(call, body, passing, plans.State())
    store.remove(call.rows, interface.id, call.now.wall_ms)
    call.event(EventKind.INTERFACE_REMOVED, Changed(before=_facts(interface)), interface=interface.name)
    if not interface.adopted:
        _enforce(lambda: call.wireguard.remove_link(interface.name), f"cannot remove {interface.name}")
    call.forget_interface(interface.id)
    call.touched.rules = True
    return lambda call: {
        "now": call.now.wall_ms,
        "agrees": call.agrees,
        "waiting": call.waiting,
        "interface": view,
        "peers": [],
        "plan": plan,
        "done": True,
    }


def _opened(call: Call, interface: Interface) -> quorums.Need | None:
    """Whoever the owner of an interface lets in reaches everything on it while it is not enforced."""
    found = [one for one in networks.of_interface(call.rows, interface.id) if foureyes.holds(call, one)]
    if not found:
        return None
    most = max(core.quorum(one, everywhere=call.config.policy.four_eyes) for one in found)
    what = f"unmanaged peers of {interface.name} reach {', '.join(one.name for one in found)}"
    return quorums.Need(tuple(found), most, (what,), quorums.digest(found))


def enforce(call: Call, body: wire.InterfaceEnforceBody) -> Render[wire.InterfaceReply]:
    """Let jitd decide about every peer of an adopted interface, or leave those alone that it did not put there."""
    before = named(call, body["name"])
    if not before.adopted and not body["on"]:
        raise JitError(
            "refused", f"cannot stop enforcing {before.name}: jitd created it, and it has no unmanaged peers"
        )
    passing = plans.state(call, [before])
    after = replace(before, enforced=body["on"])
    store.update(call.rows, after)
    need = _opened(call, before) if not body["on"] else None
    said = [need.warning] if need and after != before else []
    plan = plans.settle(call, body, passing, plans.state(call, [after]), said)
    if after == before:
        return shown(before.name, plan)
    reason = foureyes.reason(call, body.get("reason"), "enforce an interface")
    quorums.require(call, "interface enforce", body, need)
    if not after.enforced:
        _put_back(call, after)
    call.touched.interfaces.add(before.id)
    call.event(
        EventKind.ENFORCE_ON if after.enforced else EventKind.ENFORCE_OFF,
        Balance(
            gains=[line["public_key"] for line in plan["gains"]],
            loses=[line["public_key"] for line in plan["loses"]],
            reason=reason,
        ),
        interface=before.name,
    )
    return shown(before.name, plan)


def list_(call: Call, _query: object) -> wire.InterfacesReply:
    """All interfaces with what was read back of them just now."""
    found = []
    for interface in store.all_(call.rows):
        state, error = _look(call, interface.name)
        found.append(views.interface_view(call, interface, state, error))
    return {"now": call.now.wall_ms, "interfaces": found}


def show(call: Call, query: wire.NameQuery) -> wire.InterfaceShowReply:
    """One interface with its peers as read back just now."""
    interface = named(call, query["name"])
    state, error = _look(call, interface.name)
    return {
        "now": call.now.wall_ms,
        "interface": views.interface_view(call, interface, state, error),
        "peers": views.peer_views(call, interface, state),
    }


def named(view: View, name: str) -> Interface:
    """The interface of this name. Raises JitError not_found."""
    interface = store.by_name(view.rows, name)
    if interface is None:
        raise no_interface(name)
    return interface


def no_interface(name: str) -> JitError:
    """There is none of this name, or none that exists for the caller: both are told with the same words."""
    return JitError(
        "not_found",
        f"cannot find an interface {text.clean(name)[:40]!r}",
        "See " + command("interface list"),
    )


def shown(
    name: str, plan: wire.Plan | None = None, warnings: Sequence[str] = ()
) -> Render[wire.InterfaceReply]:
    """The reply that shows an interface as it is after the verb."""

    def render(call: Call) -> wire.InterfaceReply:
        looked = show(call, {"name": name})
        reply: wire.InterfaceReply = {
            "now": looked["now"],
            "agrees": call.agrees,
            "waiting": call.waiting,
            "interface": looked["interface"],
            "peers": looked["peers"],
        }
        if warnings:
            reply["warnings"] = list(warnings)
        if plan is not None:
            reply["plan"], reply["done"] = plan, True
        return reply

    return render


def _own_pools(state: LinkState) -> list[str]:
    """The networks of the interface's own addresses, one of each version."""
    found: dict[int, str] = {}
    for address in sorted(state.addresses, key=str):
        if address.network.num_addresses >= 4 and not address.ip.is_link_local:
            found.setdefault(address.version, str(address.network))
    return list(found.values())


def _refuse_known(call: Call, name: str) -> None:
    if store.by_name(call.rows, name) is not None:
        raise JitError(
            "conflict",
            f"cannot use {name} again: jitd manages it already",
            "See " + command("interface show", name),
        )


def _read(call: Call, name: str) -> LinkState | None:
    """The interface as it is, None when there is none. Raises JitError enforcement."""
    try:
        return call.wireguard.read(name)
    except InterfaceGone:
        return None
    except EnforceError as error:
        raise JitError(
            "enforcement",
            f"cannot look at {name}: {error}",
            "Choose another name if this one is taken; " + command("status") + " shows the backend.",
        ) from error


def _look(call: Call, name: str) -> tuple[LinkState | None, str]:
    try:
        return call.wireguard.read(name), ""
    except EnforceError as error:
        return None, str(error)


def _enforce(step: object, what: str) -> None:
    assert callable(step)
    try:
        step()
    except EnforceError as error:
        raise JitError("enforcement", f"{what}: {error}", "Nothing was recorded.") from error


def _ensure(call: Call, interface: Interface) -> None:
    call.wireguard.ensure_link(call.link_spec(interface))


def _put_back(call: Call, interface: Interface) -> None:
    """Let those pass again that were there before jitd decided."""
    changes = [
        SetPeer(
            public_key=peer.public_key,
            allowed_ips=peer.allowed_ips,
            endpoint=peer.endpoint or None,
            keepalive=peer.keepalive,
            preshared_key=peer.preshared_key or None,
        )
        for peer in store.unmanaged(call.rows, interface.id)
    ]
    _enforce(
        lambda: call.wireguard.apply(interface.name, changes),
        f"cannot put the peers of {interface.name} back",
    )


def _facts(interface: Interface) -> dict[str, object]:
    return {
        "port": interface.port,
        "pools": [str(pool) for pool in (interface.pool4, interface.pool6) if pool is not None],
        "endpoint": interface.endpoint,
        "dns": list(interface.dns),
        "mtu": interface.mtu,
        "enforced": interface.enforced,
    }
