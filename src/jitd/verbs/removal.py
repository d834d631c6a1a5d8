"""Devices that go: removed by their users, or reported lost."""

from jitd import wire
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import CutShort, EventKind, Key, Lost
from jitd.core.model import Account, Device
from jitd.reconcile.device_removal import remove_device, retire_key
from jitd.store import accounts, interfaces
from jitd.store import devices as store
from jitd.verbs import plans
from jitd.verbs.context import Call, Render
from jitd.verbs.devices import named, view_of


def remove(call: Call, body: wire.DeviceRemoveBody) -> Render[wire.DeviceReply]:
    """Remove a device: it loses access at once, and a grant that has no other device is released.

    One that was lost is known as such for ever, also if it was removed before that was noticed.
    """
    if body.get("lost"):
        gone = _gone(call, body)
        if gone is not None:
            return _lost_later(call, *gone)
    account, device = named(call, body, formerly=True)
    tunnels_before = store.tunnels(call.rows, device_ids=[device.id])
    which = [interfaces.by_id(call.rows, tunnel.interface_id) for tunnel in tunnels_before]
    passing = plans.state(call, which)
    view = view_of(call, device, account)
    how = "was reported lost" if body.get("lost") else "was removed"
    for request, comment in remove_device(
        call.rows, call.touched, device, call.now.wall_ms, call.actor.user, how
    ):
        call.ended.append(request)
        call.event(EventKind.RELEASED, CutShort(comment=comment), request=request)
    if body.get("lost"):
        opened = {one.network for one in passing.passages if one.public_key == device.public_key} - {""}
        _report(call, account, device, sorted(opened))
    else:
        call.event(
            EventKind.DEVICE_REMOVED, Key(public_key=device.public_key), account=account, device=device.name
        )
    plan = plans.settle(call, body, passing, plans.state(call, which))
    return _shown(view, plan, already=False)


def _shown(view: wire.DeviceView, plan: wire.Plan, *, already: bool) -> Render[wire.DeviceReply]:
    return lambda call: {
        "now": call.now.wall_ms,
        "agrees": call.agrees,
        "waiting": call.waiting,
        "device": view,
        "plan": plan,
        "done": True,
        "already": already,
    }


def _report(call: Call, account: Account, device: Device, networks: list[str]) -> bool:
    """Know a device as lost for ever, and record that, once. Returns False when it was known before."""
    if not store.report_lost(call.rows, device.id, call.now.wall_ms):
        return False
    lost = Lost(public_key=device.public_key, networks=networks)
    call.event(EventKind.DEVICE_LOST, lost, account=account, device=device.name)
    return True


def _gone(call: Call, body: wire.DeviceRemoveBody) -> tuple[Account, Device] | None:
    """The device that is meant, when it is one that its user has no more."""
    name, user = body.get("name"), body.get("user")
    uid, who = call.subject(user)
    account = accounts.find(call.rows, uid, who)
    known = [account] if account is not None else []
    if call.by_admin and user == who:
        known += [one for one in accounts.all_of_name(call.rows, who) if one != account]
    if name is None or any(
        one.name == name for each in known for one in store.of_account(call.rows, each.id)
    ):
        return None
    found = [(each, gone) for each in known if (gone := store.removed(call.rows, each.id, name)) is not None]
    return found[0] if found else None


def _lost_later(call: Call, account: Account, device: Device) -> Render[wire.DeviceReply]:
    """A device that was removed before it was reported lost, or reported twice."""
    known = store.by_key(call.rows, device.public_key)
    if known is not None:
        other = f" as {known[0].name}" if known[1].id == account.id or call.by_admin else ""
        raise JitError(
            "conflict",
            f"cannot report {device.name} lost: it was removed, and its key is registered again{other}",
            "Report the device that has it now: " + command("device list"),
        )
    for interface in interfaces.all_(call.rows):
        for peer in interfaces.unmanaged(call.rows, interface.id):
            if peer.public_key == device.public_key:
                retire_key(call.rows, call.touched, interface.id, peer.public_key, peer.allowed_ips)
    already = not _report(call, account, device, [])
    view, plan = view_of(call, device, account), plans.make(plans.State(), plans.State())
    return _shown(view, plan, already=already)
