"""People who go, and who come back: their devices are suspended, resumed within 24 h, and retired after that.

Who is gone passes nothing already (`access.py` asks the policy): here that is recorded, what is pending lapses, and it is
decided what a return means. An account is (uid, name); the same name with another uid never gets here.
"""

from typing import Final

from jitd.core.events import Cause, EventKind, MissingUsers, Since
from jitd.core.model import Account, Now
from jitd.core.people import Answer
from jitd.reconcile.access import People
from jitd.reconcile.lapsing import lapse_of
from jitd.store import accounts
from jitd.store.database import Rows
from jitd.store.events import Recorder

#: So many accounts that go within `TOGETHER_MS`, or a tenth of all, are a fault of the directory, and not people who left.
MANY: Final = 10
#: One alone is nobody's fault, however few there are.
FEWEST: Final = 2
TOGETHER_MS: Final = 60_000


def check(rows: Rows, people: People, now: Now) -> None:
    """Record who is gone, who is back, and who was away for too long."""
    every, record = accounts.at_stake(rows), Recorder(rows, now.wall_ms)
    found = {account.id: people.there(account, now) for account in every}
    going = [one for one in every if one.suspended_ms is None and found[one.id].answer is Answer.NO]
    fault = _is_fault(rows, people, every, going, now)
    for account in going:
        in_fault = fault and _is_missing(people, account)
        accounts.suspend(rows, account.id, now.wall_ms, in_fault=in_fault)
        if not in_fault:
            lapse_of(rows, account, found[account.id].why, now)
        record(EventKind.USER_SUSPENDED, Cause(why=found[account.id].why), account=account)
    for account in every:
        if account.suspended_ms is None:
            continue
        if account.is_retired(now.wall_ms):
            if accounts.note_retired(rows, account.id, now.wall_ms):
                record(EventKind.USER_RETIRED, Since(since=account.suspended_ms), account=account)
        elif found[account.id]:
            accounts.suspend(rows, account.id, None)
            record(EventKind.USER_RESUMED, Since(since=account.suspended_ms), account=account)


def _is_fault(rows: Rows, people: People, every: list[Account], going: list[Account], now: Now) -> bool:
    """Whether so many are missing at once that it is the directory's fault, those of the last minute included.

    An account that expired, or whose name means somebody else, is not missing: the directory knows of it.
    """
    fresh = [one for one in going if _is_missing(people, one)]
    before = [
        one for one in accounts.suspended_since(rows, now.wall_ms - TOGETHER_MS) if _is_missing(people, one)
    ]
    together = len(fresh) + len(before)
    there = together + sum(1 for one in every if one.suspended_ms is None and one not in going)
    if not fresh or together < FEWEST or (together <= MANY and together * 10 < there):
        return False
    for account in before:
        assert account.suspended_ms is not None
        accounts.suspend(rows, account.id, account.suspended_ms, in_fault=True)
    if not any(one.suspended_in_fault for one in before):
        names = sorted(one.name for one in (*fresh, *before))
        missing = MissingUsers(number=together, of=there, users=names[:50])
        Recorder(rows, now.wall_ms)(EventKind.DIRECTORY_FAULT, missing)
    return True


def _is_missing(people: People, account: Account) -> bool:
    return people.known(account).exists is Answer.NO
