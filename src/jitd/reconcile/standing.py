"""Telling who has gained or lost standing access without anybody's verb: by a group, an expiry date, a shell."""

from collections.abc import Iterable, Mapping

from jitd.core.events import Cause, EventKind
from jitd.core.model import Account, Now
from jitd.reconcile.access import DeviceAccess, People
from jitd.reconcile.recording import RecordEvent
from jitd.store import networks
from jitd.store.database import Rows


def record_changes(
    rows: Rows,
    record_event: RecordEvent,
    people: People,
    before: Mapping[str, DeviceAccess],
    after: Iterable[DeviceAccess],
    now: Now,
) -> None:
    """Record the standing rights that differ from those that were reconciled last, by public key."""
    after = list(after)
    had = _standing(
        before[one.tunnel.device.public_key] for one in after if one.tunnel.device.public_key in before
    )
    has = _standing(after)
    for kind, pairs in (
        (EventKind.STANDING_ENDED, had.keys() - has.keys()),
        (EventKind.STANDING_BEGAN, has.keys() - had.keys()),
    ):
        for account_id, network_id in sorted(pairs):
            account = (had | has)[account_id, network_id]
            network = networks.by_id(rows, network_id)
            why = people.standing(network, account, now)[1]
            record_event(kind, Cause(why=why), account=account, network=network.name)


def _standing(accesses: Iterable[DeviceAccess]) -> dict[tuple[int, int], Account]:
    return {
        (one.tunnel.account.id, reason.network_id): one.tunnel.account
        for one in accesses
        for reason in one.reasons
        if reason.kind == "standing" and reason.network_id is not None
    }
