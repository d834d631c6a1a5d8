"""Devices: registering and rotating public keys, naming the owners of unmanaged peers, configurations."""

from dataclasses import replace

from jitd import wire
from jitd.core import durations, elements, keys, policy, text
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Key, Rotated
from jitd.core.model import Account, Device, Interface
from jitd.core.people import Answer
from jitd.reconcile.device_removal import retire_key
from jitd.store import accounts, interfaces, networks, registrars
from jitd.store import devices as store
from jitd.verbs import foureyes, granting, limits, placing, tunnels, views, wgquick
from jitd.verbs.context import Call, PlanOnly, Render, View
from jitd.verbs.interfaces import named as named_interface


def add(call: Call, body: wire.DeviceAddBody) -> Render[wire.DeviceReply]:
    """Register a public key for the caller, or (administrators) for a user."""
    name = text.name(body["name"], "device")
    public_key = keys.public_key(body["public_key"])
    account = call.own_account(body.get("user"))
    granting.refuse_gone(call, "add a device for", account)
    mine = store.of_account(call.rows, account.id)
    if any(device.name == name for device in mine):
        raise JitError(
            "conflict",
            f"cannot add {name}: {account.name} has a device of this name",
            "Choose another name, or remove it first: " + command("device remove", name),
        )
    _refuse_known_key(call, public_key, account, takes_over=call.by_admin)
    limits.check_devices(call, account, name, len(mine))
    ends_ms = body.get("until")
    if ends_ms is not None and not call.now.wall_ms < ends_ms <= call.now.wall_ms + durations.LONGEST_MS:
        raise JitError(
            "bad_request",
            f"cannot add {name} until then: it is not within the next 365 days",
            "Use a future date, for example --until 2027-03-31, or omit it to keep the device.",
        )
    foureyes.refuse_open_for_others(call, account, networks.all_(call.rows))
    device = store.add(call.rows, account.id, name, public_key, call.now.wall_ms, ends_ms)
    _keep_registrar(call, account, device)
    wanted = []
    for interface in interfaces.all_(call.rows):
        unmanaged = {peer.public_key: peer for peer in interfaces.unmanaged(call.rows, interface.id)}
        if public_key in unmanaged:
            _take_over(call, device, interface)
        elif any(
            call.people.may_use(network, account.uid, account.name)
            for network in networks.of_interface(call.rows, interface.id)
        ):
            wanted.append(interface)
        call.touched.devices.add((interface.id, device.id))
    warnings = _give_addresses(call, device, wanted)
    call.event(EventKind.DEVICE_ADDED, Key(public_key=public_key, ends=ends_ms), account=account, device=name)
    its = wgquick.prepare(call, account, device, body.get("interface")) if body.get("config") else None

    def render(call: Call) -> wire.DeviceReply:
        reply: wire.DeviceReply = {
            "now": call.now.wall_ms,
            "agrees": call.agrees,
            "waiting": call.waiting,
            "device": view_of(call, device, account),
            "done": True,
            "warnings": warnings,
        }
        if its:
            reply["config"] = wgquick.file(call, account, device, its)
        return reply

    if body.get("plan"):
        raise PlanOnly({**render(call), "done": False})
    return render


def _give_addresses(call: Call, device: Device, which: list[Interface]) -> list[str]:
    """Give a new device an address on each of these interfaces. One that has none left holds the others up in nothing: the
    device gets its address there once it is needed. Returns warnings; raises JitError where there is none at all.
    """
    failed: list[JitError] = []
    for interface in which:
        try:
            tunnels.ensure(call, device, interface)
        except JitError as error:
            failed.append(error)
    if failed and len(failed) == len(which):
        raise failed[0]
    return [error.message for error in failed]


def rotate(call: Call, body: wire.DeviceRotateBody) -> Render[wire.DeviceRotateReply]:
    """Put another public key in the place of a device's: the same device, with its addresses, its end and its grants.

    A grant is for a device of its user, and whoever asks for this is that user by the same login as for anything else.
    """
    public_key = keys.public_key(body["public_key"])
    account, device = named(call, body)
    granting.refuse_gone(call, "rotate a key of", account)
    replaces = body.get("replaces")
    if device.public_key == public_key:
        return lambda call: _rotated(call, device, account, replaced="", dropped=False)
    if replaces and keys.public_key(replaces) != device.public_key:
        raise _moved_on(device)
    _refuse_known_key(call, public_key, account, takes_over=False)
    mine = store.tunnels(call.rows, device_ids=[device.id])
    for tunnel in mine:
        interface = interfaces.by_id(call.rows, tunnel.interface_id)
        if not interface.enforced and _unmanaged(call, interface, device.public_key):
            raise JitError(
                "refused",
                f"cannot rotate the key of {device.name}: {interface.name} is not enforced, and its owner "
                "has that key as a peer",
                "An administrator replaces it there, or enforces the interface: "
                + command("interface enforce", interface.name, "on")
                + ". If somebody else may have the key: "
                + command("device remove", device.name, lost=True),
            )
        retire_key(call.rows, call.touched, interface.id, device.public_key, tunnel.ips)
        call.touched.devices.add((tunnel.interface_id, device.id))
    foureyes.refuse_open_for_others(call, account, networks.all_(call.rows))
    if not store.rotate(call.rows, device, public_key):
        raise _moved_on(device)
    _keep_registrar(call, account, device)
    dropped = any(tunnel.preshared_key for tunnel in mine)
    call.event(
        EventKind.DEVICE_ROTATED,
        Rotated(public_key=public_key, replaced=device.public_key, preshared_key_dropped=dropped),
        account=account,
        device=device.name,
    )
    after = replace(device, public_key=public_key)
    return lambda call: _rotated(call, after, account, replaced=device.public_key, dropped=dropped)


def _keep_registrar(call: Call, account: Account, device: Device) -> None:
    """Keep who registered a key, where that is not its user."""
    registrars.of_device(call.rows, device.id, None if policy.is_own(call.actor, account) else call.actor)


def _rotated(
    call: Call, device: Device, account: Account, *, replaced: str, dropped: bool
) -> wire.DeviceRotateReply:
    return {
        **call.change_reply(),
        "device": view_of(call, device, account),
        "replaced": replaced,
        "preshared_key_dropped": dropped,
        "already": not replaced,
    }


def _moved_on(device: Device) -> JitError:
    return JitError(
        "conflict",
        f"cannot rotate the key of {device.name}: the registered key is not the key to be replaced",
        "The key was rotated meanwhile; " + command("device list") + " shows the registered key.",
    )


def import_(call: Call, body: wire.DeviceImportBody) -> Render[wire.DevicesChangeReply]:
    """Name the owners of unmanaged peers, all or none. Nobody gains or loses access by it."""
    interface = named_interface(call, body["interface"])
    added = []
    for number, line in enumerate(body["devices"], start=1):
        try:
            added.append(_import_line(call, interface, line))
        except JitError as error:
            raise JitError(
                error.code, f"{error.message} (device {number}); nothing was imported", error.hint
            ) from error
    call.touched.interfaces.add(interface.id)
    return lambda call: {
        **call.change_reply(),
        "devices": [view_of(call, device, account) for device, account in added],
    }


def listed(view: View, query: wire.DeviceQuery) -> None:
    """Whose devices are listed. Raises JitError where the caller may not see them."""
    if query.get("all"):
        view.require_admin("list everybody's devices")
    elif not _is_root_alone(view, query):
        view.subject(query.get("user"))


def _is_root_alone(view: View, query: wire.DeviceQuery) -> bool:
    """Root has no devices of its own: it wants to see everybody's."""
    return view.actor.uid == 0 and not query.get("user") and not view.actor.login_uid


def list_(view: View, query: wire.DeviceQuery) -> wire.DevicesReply:
    """The caller's devices, or (administrators) a user's or everybody's."""
    found: list[wire.DeviceView] = []
    if query.get("all") or _is_root_alone(view, query):
        accounts_ = store.owners(view.rows)
    else:
        account = view.account(query.get("user"))
        accounts_ = [account] if account else []
    for account in accounts_:
        mine = store.of_account(view.rows, account.id)
        its_tunnels = store.tunnels(view.rows, device_ids=[device.id for device in mine])
        user = view.label(account) if view.by_admin else account.name
        found += views.device_views(view, its_tunnels, user, mine)
    return {"now": view.now.wall_ms, "devices": found}


def config(call: Call, body: wire.DeviceRefBody) -> Render[wire.DeviceConfigReply]:
    """A wg-quick file for the device, with a place for the private key.

    It has the routes of all networks on the interface that its user may ask for, so that a grant never changes it.
    """
    account, device = named(call, body)
    interface = wgquick.prepare(call, account, device, body.get("interface"))
    return lambda call: {
        **call.change_reply(),
        "device": device.name,
        "interface": interface.name,
        "config": wgquick.file(call, account, device, interface),
    }


def named(
    call: Call,
    body: wire.DeviceRefBody | wire.DeviceRotateBody | wire.DeviceRemoveBody,
    *,
    formerly: bool = False,
) -> tuple[Account, Device]:
    """The device that is meant, and whose it is; with `formerly` also of those who had the name before.

    Raises JitError not_found, bad_request or not_permitted.
    """
    uid, user = call.subject(body.get("user"))
    name = body.get("name")
    account = accounts.find(call.rows, uid, user)
    mine = store.of_account(call.rows, account.id) if account else []
    if formerly and call.by_admin and body.get("user") == user and name not in {one.name for one in mine}:
        # Who had the name before: what is stored of them can be removed by it, too.
        for other in accounts.all_of_name(call.rows, user):
            theirs = store.of_account(call.rows, other.id)
            if any(name in (None, one.name) for one in theirs):
                account, mine = other, theirs
                break
    if account is None or not mine:
        raise JitError(
            "not_found",
            f"cannot find a device of {user}",
            "Add one: wg genkey | tee private.key | wg pubkey | "
            + command("device add", "laptop", public_key="-"),
        )
    chosen = [device for device in mine if name is None or device.name == name]
    if len(chosen) == 1:
        return account, chosen[0]
    names = ", ".join(device.name for device in mine)
    if not chosen:
        raise JitError(
            "not_found",
            f"cannot find a device {text.clean(name or '')[:40]!r} of {user}",
            f"There are: {names}.",
        )
    raise JitError("bad_request", f"cannot tell which device you mean: {names}", "Choose one of them.")


def _refuse_known_key(call: Call, public_key: str, account: Account, *, takes_over: bool) -> None:
    """Refuse a key that is somebody's. `takes_over`: that of an unmanaged peer is none."""
    if store.is_lost(call.rows, public_key):
        raise JitError(
            "refused",
            "cannot use this public key: it belongs to a device that was reported lost",
            "Such a key can never be registered again; make a new key with wg genkey.",
        )
    known = store.by_key(call.rows, public_key)
    if known is not None:
        device, owner = known
        # Whose key it is concerns nobody but its owner and administrators.
        told = owner.id == account.id or call.by_admin
        whose = f"{call.label(owner)} has it" if told else "it is known"
        gone = told and call.people.same(owner, call.now).answer is Answer.NO
        removing = command("device remove", device.name, user=call.label(owner))
        free = f" Or remove that device first: {removing}"
        raise JitError(
            "conflict",
            f"cannot use this public key: {whose} already",
            f"Every device needs its own key; make one with wg genkey.{free if gone else ''}",
        )
    for interface in interfaces.all_(call.rows):
        if public_key == interface.public_key:
            raise JitError(
                "refused", f"cannot use this public key: it is the one of the gateway's {interface.name}"
            )
        if _unmanaged(call, interface, public_key) and not takes_over:
            raise JitError(
                "not_permitted",
                f"cannot use this public key: it is an unmanaged peer of {interface.name}",
                "An administrator can assign it to you: "
                + command("device add", "NAME", user="NAME", public_key="KEY"),
            )


def _unmanaged(call: Call, interface: Interface, public_key: str) -> bool:
    """Whether a peer of this key was on an adopted interface by itself."""
    return any(peer.public_key == public_key for peer in interfaces.unmanaged(call.rows, interface.id))


def _take_over(call: Call, device: Device, interface: Interface) -> None:
    """Give the device of an unmanaged peer what that peer has."""
    (peer,) = (
        one for one in interfaces.unmanaged(call.rows, interface.id) if one.public_key == device.public_key
    )
    placing.check_addresses(call, interface, peer.allowed_ips, f"take over {device.public_key}")
    if call.firewall.active and not elements.is_small(peer.allowed_ips):
        number = sum(map(elements.count, peer.allowed_ips))
        raise JitError(
            "refused",
            f"cannot take over {device.public_key}: it has {number} addresses behind it, and the firewall holds at most"
            f" {elements.MOST_ADDRESSES} for one peer",
            'Leave it unmanaged on an interface of its own, or set firewall = "none" in jitd.toml.',
        )
    store.add_tunnel(
        call.rows, device.id, interface.id, peer.allowed_ips, peer.preshared_key, call.now.wall_ms
    )


def _import_line(call: Call, interface: Interface, line: wire.ImportLine) -> tuple[Device, Account]:
    public_key = keys.public_key(line["public_key"])
    name = text.name(line["name"], "device")
    if all(peer.public_key != public_key for peer in interfaces.unmanaged(call.rows, interface.id)):
        raise JitError(
            "not_found",
            f"cannot import {public_key}: it is not an unmanaged peer of {interface.name}",
            "See " + command("interface show", interface.name),
        )
    uid = call.existing_user(line["user"])
    account = accounts.ensure(call.rows, uid, line["user"], call.now.wall_ms)
    if call.people.person(uid, line["user"]).exists is not Answer.YES:
        raise JitError("not_found", f"cannot import {public_key}: there is no user {line['user'][:40]!r}")
    _refuse_known_key(call, public_key, account, takes_over=True)
    if any(device.name == name for device in store.of_account(call.rows, account.id)):
        raise JitError(
            "conflict",
            f"cannot import {public_key}: {account.name} has a device {name} already",
            "Use another name.",
        )
    foureyes.refuse_open_for_others(call, account, networks.of_interface(call.rows, interface.id))
    device = store.add(call.rows, account.id, name, public_key, call.now.wall_ms)
    _keep_registrar(call, account, device)
    _take_over(call, device, interface)
    call.event(
        EventKind.DEVICE_IMPORTED,
        Key(public_key=public_key),
        account=account,
        interface=interface.name,
        device=name,
    )
    return device, account


def view_of(view: View, device: Device, account: Account) -> wire.DeviceView:
    """A device as it is shown."""
    its_tunnels = store.tunnels(view.rows, device_ids=[device.id])
    return views.device_views(view, its_tunnels, account.name, [device])[0]
