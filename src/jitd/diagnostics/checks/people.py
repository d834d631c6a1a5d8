"""Those who are gone, and rules that name them."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core import durations
from jitd.core.commandline import command
from jitd.core.model import Account
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import ok, warning
from jitd.store import accounts, devices
from jitd.verbs import rules
from jitd.verbs.context import View


def _rules(one: Examination) -> list[wire.Check]:
    found = [
        warning(f"{stale.network}: {stale.key} names {stale.name}, and {stale.why}", stale.command)
        for stale in rules.stale(one.view.rows, one.view.people)
    ]
    return found or [ok("all users in the rules exist")]


def _owners(one: Examination) -> list[wire.Check]:
    found = [
        line
        for account in accounts.at_stake(one.view.rows)
        if account.suspended_ms is not None
        for line in _suspended(one.view, account, account.suspended_ms)
    ]
    return found or [ok("all owners of devices exist")]


def _suspended(view: View, account: Account, since_ms: int) -> Iterator[wire.Check]:
    label, since = view.label(account), durations.show(max(0, view.now.wall_ms - since_ms))
    there = view.people.there(account, view.now)
    mine = [device.name for device in devices.of_account(view.rows, account.id)]
    removing = command("device remove", mine[0], user=label) if mine else ""
    if account.suspended_in_fault:
        yield warning(
            f"{label} is missing from the directory with others since {since}: access is closed "
            "until it is back"
        )
    elif account.is_retired(view.now.wall_ms) and there:
        fix = command("user confirm", label) + " # if it is the same person"
        yield warning(
            f"{label} is back, but was away for more than 24 h: access is closed until it is confirmed", fix
        )
    elif account.is_retired(view.now.wall_ms):
        yield warning(f"devices of {label} are retired: {there.why}", removing)
    elif not there:
        yield warning(f"devices of {label} are suspended for {since}: {there.why}", removing)


CHECKS: Final = (
    Check("named-users", "people", "Users named in rules", "warning", _rules),
    Check("device-owners", "people", "Owners of devices", "warning", _owners),
)
