"""From the model to what crosses the socket."""

from collections.abc import Iterable

from jitd import wire
from jitd.core import settings
from jitd.core.choices import TAB_OF, Mark, Status
from jitd.core.model import NOBODY_DECIDED, Account, Actor, Device, Event, Interface, Network, Request
from jitd.core.people import Answer
from jitd.enforce.port import LinkState
from jitd.store import devices, events, freezes, interfaces, networks, requests, restored, usage
from jitd.store.devices import Tunnel
from jitd.verbs import deciding
from jitd.verbs.context import View


def request_view(view: View, request: Request, network: Network | None = None) -> wire.RequestView:
    """A request as its user and administrators see it; `network` is its own, where that is known already."""
    status = request.status(view.now)
    grant, decision, ending = request.grant, request.decision, request.ending
    granted_devices = requests.devices_of(view.rows, request.id) if grant else []
    network = network or networks.by_id(view.rows, request.network_id)
    several = network.approvals if status is Status.PENDING else 1
    return {
        "id": request.id,
        "user": request.account.name,
        "network": network.name,
        "status": status.value,
        "tab": TAB_OF[status].value,
        "marks": _marks(view, request, status),
        "reason": request.reason,
        "requested": request.requested_ms,
        "requested_by": request.requested_by,
        "wanted": request.wanted_ms,
        "lapses": request.lapses_ms,
        "start": request.wanted_start_ms,
        "until": request.wanted_until_ms,
        "extends": request.extends_id,
        "break_glass": request.break_glass,
        "approvals": several,
        "approved_by": [vote.name for vote in requests.votes(view.rows, request.id)] if several > 1 else [],
        "reviewed": request.review.at_ms if request.review else None,
        "reviewed_by": request.review.by if request.review else "",
        "reviewed_comment": request.review.comment if request.review else "",
        "decided": decision.decided_ms if decision else None,
        "decided_by": decision.decided_by if decision else "",
        "comment": decision.comment if decision else "",
        "starts": grant.starts_ms if grant else None,
        "ends": grant.ends_ms if grant else None,
        "ended": ending.at_ms if ending else _over_ms(request, status),
        "ended_by": ending.by if ending else "",
        # It is so by its time, also where that was not recorded yet.
        "ended_comment": ending.comment if ending else (NOBODY_DECIDED if status is Status.LAPSED else ""),
        "managed_by": (ending.by if ending and ending.how is Status.REVOKED else "")
        or (decision.decided_by if decision else ""),
        "devices": [name for _, name in granted_devices],
    }


def _over_ms(request: Request, status: Status) -> int | None:
    """When it ended by its time alone, milliseconds UTC."""
    if status is Status.LAPSED:
        return request.lapses_ms
    return request.grant.ends_ms if request.grant and status is Status.EXPIRED else None


def _marks(view: View, request: Request, status: Status) -> list[Mark]:
    marks: list[Mark] = []
    if request.grant and (open_ := view.drift.open) and open_ & requests.keys_of(view.rows, request.id):
        if status is Status.ACTIVE:
            marks.append("activating")
        # What was seen to be cut is not open again because its device is now.
        elif not events.is_confirmed(view.rows, request.id):
            marks.append("cutting")
    if status is Status.ACTIVE and not marks and _is_being_opened(view, request):
        marks.append("activating")
    if status is Status.ACTIVE and request.grant and request.grant.paused_ms is not None:
        marks.append("paused")
    if status is Status.ACTIVE and freezes.current(view.rows) and not view.people.is_kept(request.account):
        marks.append("frozen")
    if status is Status.ACTIVE and _is_closed(view, request):
        marks.append("closed")
    if request.urgent and status is Status.PENDING:
        marks.append("urgent")
    if (request.break_glass or request.unreviewed) and request.review is None:
        marks.append("unreviewed")
    return marks


def _is_closed(view: View, request: Request) -> bool:
    """Whether a grant that the store calls good opens nothing: its end is not recorded yet, or the store is in doubt."""
    held = view.people.memory.held
    if (
        request.id in held.grants
        or request.network_id in held.networks
        or request.account.id in held.accounts
    ):
        return True
    doubted = restored.current(view.rows)
    return doubted is not None and request.grant is not None and request.grant.decided_ms <= doubted.at_ms


def _is_being_opened(view: View, request: Request) -> bool:
    """Whether what was recorded of it last is just being applied: a reader sees it before the kernel does."""
    if view.settled is None or events.last_seq(view.rows) <= view.settled:
        return False
    return events.last_seq(view.rows, request.id) > view.settled


def actor_view(actor: Actor) -> wire.ActorView:
    """Who acted."""
    return {
        "uid": actor.uid,
        "user": actor.user,
        "login_uid": actor.login_uid,
        "login_user": actor.login_user,
        "login_claimed": actor.login_is_claimed and actor.login_uid is not None,
        "pid": actor.pid,
        "origin": actor.origin,
    }


def event_view(event: Event) -> wire.EventView:
    """One line of the audit log."""
    return {
        "seq": event.seq,
        "at": event.at_ms,
        "kind": event.kind,
        "actor": actor_view(event.actor) if event.actor else None,
        "id": event.request_id,
        "user": event.user,
        "network": event.network,
        "interface": event.interface,
        "device": event.device,
        "data": event.data,
    }


def usage_view(view: View, request_id: int) -> wire.UsageView | None:
    """What a grant was really used for."""
    found = usage.of_request(view.rows, request_id)
    if found is None:
        return None
    return {
        "used": found.used_ms,
        "rx_bytes": found.rx_bytes,
        "tx_bytes": found.tx_bytes,
        "last_handshake": found.handshake_ms,
    }


def user_view(view: View, account: Account) -> wire.UserView:
    """Somebody, with what an administrator has said of them, and why the account does not count if it does not."""
    same = view.people.same(account, view.now)
    open_ = requests.open_of(view.rows, account.id)
    return {
        "name": view.label(account),
        "uid": account.uid,
        "registered": account.is_registered,
        "email": account.email,
        "ends": account.ends_ms,
        "disabled": account.disabled,
        "suspended": account.suspended_ms,
        "retired": account.is_retired(view.now.wall_ms),
        "closed": same.why if same.answer is Answer.NO else "",
        "devices": [device.name for device in devices.of_account(view.rows, account.id)],
        "open": sum(1 for one in open_ if one.status(view.now) in (Status.ACTIVE, Status.SCHEDULED)),
        "pending": sum(1 for one in open_ if one.status(view.now) is Status.PENDING),
    }


def network_view(view: View, network: Network, *, for_admin: bool) -> wire.NetworkView:
    """A network; who may use it and how much it is used is for administrators."""
    live, pending = networks.requests_by_state(view.rows, network.id) if for_admin else (0, 0)
    return {
        "name": network.name,
        "interface": interfaces.by_id(view.rows, network.interface_id).name,
        "routes": [str(route) for route in network.routes],
        "ports": [str(ports) for ports in network.ports],
        "jit": network.jit_enabled,
        "members": list(network.members) if for_admin else [],
        "settings": dict(settings.plain(network)) if for_admin else {},
        "default_duration": network.default_duration_ms,
        "max_duration": network.max_duration_ms,
        "pending_ttl": network.pending_ttl_ms,
        "created": network.created_ms,
        "active": live,
        "pending": pending,
        "shortage": (deciding.shortage(view.rows, view.people, network) or "") if for_admin else "",
    }


def interface_view(
    view: View, interface: Interface, state: LinkState | None, error: str
) -> wire.InterfaceView:
    """An interface, with what was read back of it (None: it could not be read)."""
    unmanaged = 0
    if state is not None and not interface.enforced:
        unmanaged = len(state.peers.keys() - owners_by_key(view, interface).keys())
    return {
        "name": interface.name,
        "adopted": interface.adopted,
        "enforced": interface.enforced,
        "public_key": interface.public_key,
        "port": interface.port,
        "pools": [str(pool) for pool in (interface.pool4, interface.pool6) if pool is not None],
        "endpoint": interface.endpoint,
        "dns": list(interface.dns),
        "mtu": interface.mtu,
        "networks": [network.name for network in networks.of_interface(view.rows, interface.id)],
        "up": state is not None and state.up,
        "peers": len(state.peers) if state is not None else 0,
        "unmanaged": unmanaged,
        "error": error or view.drift.errors.get(interface.id, ""),
    }


def owners_by_key(view: View, interface: Interface) -> dict[str, Tunnel]:
    """The tunnels of an interface by public key."""
    found = devices.tunnels(view.rows, interface_id=interface.id)
    return {tunnel.device.public_key: tunnel for tunnel in found}


def peer_views(view: View, interface: Interface, state: LinkState | None) -> list[wire.PeerView]:
    """The peers that were read back, managed ones first, by user and device."""
    owners = owners_by_key(view, interface)
    found: list[wire.PeerView] = []
    for key, peer in (state.peers if state else {}).items():
        tunnel = owners.get(key)
        found.append(
            {
                "public_key": key,
                "user": tunnel.account.name if tunnel else "",
                "device": tunnel.device.name if tunnel else "",
                "allowed_ips": sorted(str(ip) for ip in peer.allowed_ips),
                "endpoint": peer.endpoint,
                "last_handshake": peer.last_handshake_ms,
                "rx_bytes": peer.rx_bytes,
                "tx_bytes": peer.tx_bytes,
                "managed": tunnel is not None,
            }
        )
    return sorted(
        found, key=lambda peer: (not peer["managed"], peer["user"], peer["device"], peer["public_key"])
    )


def device_views(
    view: View, tunnels: Iterable[Tunnel], user: str, found: Iterable[Device]
) -> list[wire.DeviceView]:
    """Devices of one user with their addresses by interface name."""
    addresses: dict[int, dict[str, list[str]]] = {}
    for tunnel in tunnels:
        name = interfaces.by_id(view.rows, tunnel.interface_id).name
        addresses.setdefault(tunnel.device.id, {})[name] = sorted(str(ip) for ip in tunnel.ips)
    return [
        {
            "user": user,
            "name": device.name,
            "public_key": device.public_key,
            "created": device.created_ms,
            "ends": device.ends_ms,
            "addresses": addresses.get(device.id, {}),
            "last_handshake": view.drift.heard.get(device.public_key, 0),
        }
        for device in found
    ]
