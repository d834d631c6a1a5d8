"""A store that was restored from an older copy: what stood in it at that moment is in doubt until somebody accepts it."""

from dataclasses import dataclass
from typing import Final

from jitd.core.model import Account, Device, Request
from jitd.store import facts
from jitd.store.database import Rows

_AT: Final = "restored at_ms"
_BEHIND: Final = "restored behind"
_ACCOUNT: Final = "restored account"
_DEVICE: Final = "restored device"


@dataclass(frozen=True, slots=True)
class Restored:
    """Found at `at_ms`, `behind` events behind what it had been. In doubt are grants that were decided until then, and the
    accounts and devices that there were: up to these ids.
    """

    at_ms: int
    behind: int
    account_id: int
    device_id: int

    def has_device(self, account: Account, device: Device) -> bool:
        """Whether a device is in doubt, or whose it is: a key that was lost, somebody who was disabled since."""
        return device.id <= self.device_id or account.id <= self.account_id

    def has_grant(self, request: Request, device: Device) -> bool:
        """Whether a grant is in doubt, or a device that it is for."""
        return device.id <= self.device_id or request.grant is None or request.grant.decided_ms <= self.at_ms


def current(rows: Rows) -> Restored | None:
    """What is in doubt, None when nothing is."""
    found = [facts.get(rows, name) for name in (_AT, _BEHIND, _ACCOUNT, _DEVICE)]
    at_ms, behind, account_id, device_id = (one or 0 for one in found)
    return None if found[0] is None else Restored(at_ms, behind, account_id, device_id)


def note(rows: Rows, at_ms: int, last_seq: int, mark: int) -> None:
    """The store is behind the mark. Its events go on behind it: whoever follows them has seen those before."""
    facts.put(rows, _AT, at_ms)
    facts.put(rows, _BEHIND, mark - last_seq)
    facts.put(rows, _ACCOUNT, int(rows.value("SELECT max(id) FROM account") or 0))
    facts.put(rows, _DEVICE, int(rows.value("SELECT max(id) FROM device") or 0))
    if not rows.run("UPDATE sqlite_sequence SET seq = ? WHERE name = 'event'", (mark,)):
        rows.insert("sqlite_sequence", {"name": "event", "seq": mark})


def accept(rows: Rows) -> None:
    """Nothing is in doubt any more."""
    for name in (_AT, _BEHIND, _ACCOUNT, _DEVICE):
        facts.remove(rows, name)
