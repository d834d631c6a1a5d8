"""Whether somebody's access to one network works: what is granted, the peers, the key, the last handshake."""

from jitd import wire
from jitd.core import durations
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.model import Account, Device, Interface, Network
from jitd.core.people import Answer
from jitd.core.wireguard import REJECT_AFTER_MS
from jitd.diagnostics.examination import Links
from jitd.diagnostics.lines import broken, ok, unknown, warning
from jitd.enforce.port import LinkState
from jitd.store import accounts, devices, freezes, interfaces, networks
from jitd.store import requests as store
from jitd.verbs.context import View
from jitd.verbs.lookup import named_network


def networks_of(view: View) -> list[str]:
    """The names of the networks that are open to the caller or asked for; where there is none, of all they may use."""
    uid, name = view.person_behind
    account = accounts.find(view.rows, uid, name)
    asked = {request.network_id for request in store.open_of(view.rows, account.id)} if account else set()
    mine = [one for one in networks.all_(view.rows) if view.people.may_use(one, uid, name)]
    live = [one for one in mine if one.id in asked or view.people.has_standing(one, uid, name)]
    return [one.name for one in live or mine]


def examine(view: View, name: str, user: str | None, links: Links) -> wire.DoctorReply:
    """Examine one network for the caller; for somebody else where an administrator names one."""
    network = named_network(view, name)
    uid, who = view.subject(user)
    account = accounts.find(view.rows, uid, who)
    interface = interfaces.by_id(view.rows, network.interface_id)
    mine = devices.of_account(view.rows, account.id) if account else []
    expected, found = _access(view, network, uid, who, account, mine)
    found.append(_where(network, interface))
    found += _gateway(interface, links)
    error = view.drift.errors.get(interface.id)
    if error:
        found.append(
            broken(
                f"the gateway does not agree yet: {error}", "an administrator sees more: " + command("doctor")
            )
        )
    if not mine:
        found.append(broken(f"{who} has no device", command("device add", "laptop", public_key="KEY")))
    else:
        found += _peers(view, interface, mine, links, expected)
    return {
        "now": view.now.wall_ms,
        "part": "",
        "checks": found,
        "network": network.name,
        "user": who,
        "tunnel": {
            "interface": interface.name,
            "public_key": interface.public_key,
            "endpoint": interface.endpoint,
            "routes": [str(route) for route in network.routes],
            "devices": [_known(one, _link(interface, links)) for one in mine],
        },
    }


def _known(device: Device, link: LinkState | None) -> wire.KnownDevice:
    peer = link.peers.get(device.public_key) if link is not None else None
    return {
        "name": device.name,
        "public_key": device.public_key,
        "last_handshake": peer.last_handshake_ms if peer is not None else 0,
    }


def _access(
    view: View, network: Network, uid: int, who: str, account: Account | None, mine: list[Device]
) -> tuple[set[int], list[wire.Check]]:
    """(the ids of the devices for which it is open now, why or why not)."""
    same = view.people.same(account, view.now) if account else None
    if same is not None and same.answer is Answer.NO:
        return set(), [broken(f"{who} has no access: {same.why}", command("why", network.name))]
    frozen = freezes.current(view.rows)
    if frozen is not None and not (account is not None and view.people.is_kept(account)):
        return set(), [
            broken(
                f"all access is frozen by {frozen.by}",
                "an administrator types: " + command("thaw"),
            )
        ]
    if view.people.has_standing(network, uid, who):
        return {one.id for one in mine}, [ok(f"{network.name} is always open to {who}")]
    active, line = _granted(view, network, account, who)
    granted = {device_id for device_id, _ in store.devices_of(view.rows, active)} if active else set()
    return granted, [line]


def _granted(
    view: View, network: Network, account: Account | None, who: str
) -> tuple[int | None, wire.Check]:
    """(the grant that is active, how things stand)."""
    name, now = network.name, view.now
    states = {}
    elsewhere = []
    for request in store.open_of(view.rows, account.id) if account else []:
        if request.extends_id is not None:
            continue
        if request.network_id == network.id:
            states[request.status(now)] = request
        elif request.status(now) is Status.ACTIVE:
            elsewhere.append(networks.by_id(view.rows, request.network_id).name)
    active = states.get(Status.ACTIVE)
    if active is not None and active.grant is not None:
        left = durations.show(max(1000, active.grant.left_ms(now) // 1000 * 1000))
        if active.grant.paused_ms is not None:
            return None, broken(f"grant {active.id} is paused by {who}, {left} left", command("resume", name))
        return active.id, ok(f"grant {active.id} is active, {left} left")
    scheduled = states.get(Status.SCHEDULED)
    if scheduled is not None and scheduled.grant is not None:
        wait = scheduled.grant.starts_ms - now.wall_ms
        if wait <= 0:
            return None, broken(
                f"grant {scheduled.id} waits for the gateway's clock to be right",
                command("doctor", "clock"),
            )
        return None, broken(
            f"grant {scheduled.id} has not begun: it opens in {durations.show(max(1000, wait // 1000 * 1000))}",
            command("show", scheduled.id),
        )
    pending = states.get(Status.PENDING)
    if pending is not None:
        return None, broken(
            f"request {pending.id} is pending: nobody has decided yet", command("wait", pending.id)
        )
    what = f"{who} has no grant for {name}"
    if elsewhere:
        what += f", but for {', '.join(sorted(elsewhere))}: check the name of the network"
    return None, broken(what, command("request", name, reason="…"))


def _where(network: Network, interface: Interface) -> wire.Check:
    ports = f", only {', '.join(map(str, network.ports))}" if network.ports else ""
    return ok(f"{network.name} is {', '.join(map(str, network.routes))}{ports}, through {interface.name}")


def _gateway(interface: Interface, links: Links) -> list[wire.Check]:
    link = _link(interface, links)
    tell = "tell an administrator, who sees more with: " + command("doctor", "interfaces")
    if link is None:
        return [broken(f"the gateway's {interface.name} is missing or cannot be read", tell)]
    if not link.up:
        return [broken(f"the gateway's {interface.name} is down", tell)]
    if link.public_key != interface.public_key:
        return [broken(f"the gateway's {interface.name} has another key than your file", tell)]
    return [ok(f"the gateway's {interface.name} is up and listens on UDP port {link.port}")]


def _peers(
    view: View, interface: Interface, mine: list[Device], links: Links, expected: set[int]
) -> list[wire.Check]:
    link = _link(interface, links)
    if link is None:
        return []
    found = []
    heard = []
    for device in mine:
        peer = link.peers.get(device.public_key)
        passes = peer is not None and peer.allowed_ips
        if expected and device.id not in expected:
            found.append(ok(f"{device.name} is not among the devices that were granted access"))
        if not passes:
            if device.id in expected:
                found.append(
                    broken(
                        f"the gateway has not opened access for {device.name} yet",
                        "jitd tries again by itself; if it stays so, an administrator looks with: "
                        + command("doctor"),
                    )
                )
            else:
                found.append(ok(f"{device.name} is registered with the key {device.public_key}"))
            continue
        heard.append(device)
        found.append(
            ok(f"the gateway has {device.name} as a peer with the registered key {device.public_key}")
        )
    found += _handshakes(view, heard, interface, link)
    return found


def _handshakes(view: View, heard: list[Device], interface: Interface, link: LinkState) -> list[wire.Check]:
    now = view.now.wall_ms
    seen = {device.name: link.peers[device.public_key].last_handshake_ms for device in heard}
    ages = {name: max(0, now - at_ms) for name, at_ms in seen.items() if at_ms}
    fresh = any(age <= REJECT_AFTER_MS for age in ages.values())
    found = []
    for device in heard:
        age = ages.get(device.name)
        if age is not None and age <= REJECT_AFTER_MS:
            found.append(
                ok(f"{device.name}: last handshake {durations.show(max(1000, age // 1000 * 1000))} ago")
            )
        elif age is not None:
            line = f"{device.name}: last handshake {durations.show(age // 1000 * 1000)} ago: its tunnel is idle or down"
            found.append(
                ok(line) if fresh else warning(line, f"wg show # on {device.name}; then send something")
            )
        elif fresh:
            found.append(ok(f"{device.name}: no handshake; the tunnel is not in use"))
        else:
            found.append(
                warning(
                    f"{device.name}: the gateway had no handshake: the tunnel is down, has a different key, "
                    "or UDP to"
                    f" {interface.endpoint or f'port {interface.port}'} does not get through",
                    f"wg-quick up FILE # on {device.name}; then send something, and look with: wg show",
                )
            )
    if heard and not fresh:
        found.append(
            unknown(
                "WireGuard does not answer unknown keys: the gateway cannot tell a wrong key from a network "
                "that drops UDP"
            )
        )
    return found


def _link(interface: Interface, links: Links) -> LinkState | None:
    found = links.get(interface.name)
    return found if isinstance(found, LinkState) else None
