"""How many requests and devices one user may have and make, administrators aside. How fast anybody may change things: server/rates.py."""

from typing import Final

from jitd.core import durations
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Account
from jitd.store import devices, requests
from jitd.verbs.context import Call

#: For so long added devices count, whatever became of them; each leaves a row for ever.
_MONTH_MS: Final = 30 * durations.DAY


def check_requests(call: Call, account: Account) -> None:
    """Whether a user may make another request. Raises JitError limit."""
    if call.by_admin:
        return
    limits = call.config.limits
    opened = sum(
        1 for one in requests.open_of(call.rows, account.id) if one.status(call.now) is Status.PENDING
    )
    if opened >= limits.requests_open_per_user:
        raise JitError(
            "limit",
            f"cannot ask for more: {opened} requests of {account.name} are pending, the limit is"
            f" {limits.requests_open_per_user}",
            "Withdraw one with " + command("cancel") + ", or wait for decisions.",
        )
    made, first = requests.count_since(call.rows, account.id, call.now.wall_ms - durations.HOUR)
    if made >= limits.requests_per_hour and first is not None:
        wait = durations.show(max(durations.SECOND, first + durations.HOUR - call.now.wall_ms))
        raise JitError(
            "limit",
            f"cannot ask again yet: {made} requests of {account.name} within an hour, the limit is"
            f" {limits.requests_per_hour}",
            f"Try again in {wait}.",
        )


def check_devices(call: Call, account: Account, name: str, there: int) -> None:
    """Whether a user who has so many devices may add another one, called `name`. Raises JitError limit."""
    if call.by_admin:
        return
    limits = call.config.limits
    if there >= limits.devices_per_user:
        raise JitError(
            "limit",
            f"cannot add {name}: {account.name} has {there} devices, the limit is {limits.devices_per_user}",
            "Remove a device that is no longer used: " + command("device list"),
        )
    most = limits.devices_added_per_month
    if devices.added_since(call.rows, account.id, call.now.wall_ms - _MONTH_MS) >= most:
        raise JitError(
            "limit",
            f"cannot add {name}: {account.name} has added {most} devices within 30 days, which is the limit",
            "To replace the key of an existing device: "
            + command("device rotate")
            + f". Otherwise ask {call.administrators}.",
        )
