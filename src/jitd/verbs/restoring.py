"""After the store was restored from an older copy: nothing that was closed since comes back before somebody accepts it."""

from jitd import wire
from jitd.core import durations, elements
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Since
from jitd.core.model import Now
from jitd.enforce.port import EnforceError
from jitd.reconcile import access
from jitd.reconcile.access import Memory
from jitd.reconcile.reconciler import Reconciler
from jitd.store import interfaces, restored
from jitd.store.database import Rows
from jitd.store.restored import Restored
from jitd.verbs import plans
from jitd.verbs.context import Call, Render


def accept_restored(call: Call, body: wire.AcceptRestoredBody) -> Render[wire.AcceptRestoredReply]:
    """Let in again whom the restored store lets in. With `plan` only say whom."""
    found = restored.current(call.rows)
    if found is None:
        raise JitError(
            "conflict",
            "cannot accept a restored store: the store was not restored",
            "See " + command("status"),
        )
    every = interfaces.all_(call.rows)
    before = plans.state(call, every)
    restored.accept(call.rows)
    plan = plans.settle(call, body, before, plans.state(call, every))
    call.touched.interfaces.update(interface.id for interface in every)
    gains = [f"{line['user']}/{line['device']}" for line in plan["gains"]]
    call.event(EventKind.RESTORED_ACCEPTED, Since(since=found.at_ms, gains=gains))
    return lambda call: {**call.change_reply(), "plan": plan, "done": True}


def sentence(found: Restored) -> str:
    """For `status` and `doctor`."""
    return (
        f"the store was restored from an older copy ({found.behind} events are missing): access that was "
        "closed since may be open in it, so its grants and keys stay closed ("
        + command("accept-restored")
        + ")"
    )


def keep_leases(rows: Rows, reconciler: Reconciler, memory: Memory, now: Now) -> None:
    """Administrators' standing access that lives in the kernel goes on to the end of its lease, and is not renewed: they may
    come in through it to look at this. A key that was lost meanwhile lives there no more.
    """
    for interface in interfaces.all_(rows):
        accesses = access.of_interface(rows, interface, reconciler.people, now, doubt=False)
        wanted = {
            entry: (one.tunnel.device.id, entry.network_id)
            for one in accesses
            if reconciler.people.admin(one.tunnel.account.name, one.tunnel.account.uid)
            for entry in one.rights
            if any(each.kind == "standing" and each.network_id == entry.network_id for each in one.reasons)
        }
        try:
            peers = reconciler.peer_reconciler.wireguard.read(interface.name).peers
            living = reconciler.firewall_reconciler.read({entry.network_id for entry in wanted})
        except EnforceError:
            continue
        keys = {one.tunnel.device.id: one.tunnel.device.public_key for one in accesses}
        for entry, pair in wanted.items():
            peer = peers.get(keys[pair[0]])
            if peer is None or not peer.allowed_ips:
                continue
            left_ms = elements.LEASE_MS
            if reconciler.firewall_reconciler.active:
                left_ms = living[entry].least_ms if entry in living else 0
            if left_ms > durations.SECOND:
                memory.leases[pair] = min(memory.leases.get(pair, 2**63), now.boot_ms + left_ms)
