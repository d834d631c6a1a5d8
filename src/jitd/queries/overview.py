"""health, status: who answers, and the caller's networks. Nothing here changes anything."""

import os
from typing import Final

from jitd import wire
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.model import Account, Network
from jitd.core.people import Answer
from jitd.core.release import VERSION
from jitd.notify import recipients
from jitd.reconcile.access import GRACE_MS
from jitd.store import accounts, devices, events, freezes, interfaces, listing, networks, outbox, restored
from jitd.store import requests as store
from jitd.verbs import deciding, restoring, views
from jitd.verbs.context import View

#: What a request makes of its network, for its user.
_STATE_OF: Final[dict[Status, wire.NetworkState]] = {
    Status.PENDING: "pending",
    Status.SCHEDULED: "scheduled",
    Status.ACTIVE: "active",
}


def health(view: View, _query: object) -> wire.Health:
    """Who answers."""
    return {
        "now": view.now.wall_ms,
        "version": VERSION,
        "api": wire.API_VERSION,
        "backend": view.backend,
        "pid": os.getpid(),
        "started": view.started_ms,
        "seq": events.last_seq(view.rows),
    }


def status(view: View, _query: object) -> wire.StatusReply:
    """Every network of the caller, and for administrators how the gateway is doing."""
    uid, name = view.person_behind
    account = accounts.find(view.rows, uid, name)
    mine = devices.of_account(view.rows, account.id) if account else []
    admin = view.by_admin
    reply: wire.StatusReply = {
        "now": view.now.wall_ms,
        "user": name,
        "admin": admin,
        "networks": [
            _network_status(view, network, uid, name, account, [device.name for device in mine])
            for network in networks.all_(view.rows)
            if view.people.may_use(network, uid, name)
        ],
        "devices": len(mine),
        "heard": {
            device.name: at_ms for device in mine if (at_ms := view.drift.heard.get(device.public_key, 0))
        },
    }
    mail = view.config.mail
    if mail.server and name != "root" and (account is None or account.told):
        reply["address"] = recipients.address_of(name, account, mail.email_domain)
    if admin:
        reply["gateway"] = _gateway(view)
    return reply


def _network_status(
    view: View, network: Network, uid: int, name: str, account: Account | None, devices_of: list[str]
) -> wire.NetworkStatus:
    frozen = freezes.current(view.rows)
    found: wire.NetworkStatus = {
        "network": network.name,
        "interface": interfaces.by_id(view.rows, network.interface_id).name,
        "state": "request",
        "paused": False,
        "id": None,
        "since": None,
        "starts": None,
        "ends": None,
        "devices": [],
        "asked": None,
        "frozen": frozen is not None and not (account is not None and view.people.is_kept(account)),
        "error": view.drift.errors.get(network.interface_id, ""),
    }
    same = view.people.same(account, view.now) if account else None
    if same is not None and same.answer is Answer.NO:
        found["state"], found["error"] = "closed", same.why
        return found
    if view.people.has_standing(network, uid, name):
        found["state"], found["devices"] = "standing", devices_of
        return found
    for request in store.open_of(view.rows, account.id, network.id) if account else []:
        now = request.status(view.now)
        if request.extends_id is not None:
            if now is Status.PENDING:
                found["asked"] = request.id
        elif (state := _STATE_OF.get(now)) is not None:
            shown = views.request_view(view, request, network)
            found["state"], found["id"], found["since"] = state, request.id, request.requested_ms
            found["starts"], found["ends"], found["devices"] = (
                shown["starts"],
                shown["ends"],
                shown["devices"],
            )
            found["paused"] = "paused" in shown["marks"]
    return found


def _gateway(view: View) -> wire.GatewayStatus:
    counts = listing.counts(view.rows, None)
    warnings = [*view.drift.troubles, *view.drift.doubts]
    if (doubted := restored.current(view.rows)) is not None:
        warnings.append(restoring.sentence(doubted))
    frozen = freezes.current(view.rows)
    if frozen is not None:
        warnings.append(f"{frozen.by} has frozen all access: {frozen.reason} (" + command("thaw") + ")")
    waiting = outbox.counts(view.rows)
    if waiting.waiting and view.config.notifies:
        why = next((one.error for one in outbox.waiting(view.rows, 50) if one.error), "")
        if why:
            warnings.append(
                f"{waiting.waiting} messages wait to be delivered: {why} (" + command("outbox list") + ")"
            )
    if view.config.mail.server:
        warnings += recipients.without_address(view.rows, view.people, view.config.mail.email_domain)
    unreviewed = store.unreviewed(view.rows)
    if unreviewed:
        numbers = ", ".join(map(str, unreviewed[:5]))
        warnings.append(
            "not acknowledged by another approver (break-glass, or decided by the person who registered the "
            f"device): {numbers} ("
            + command("show", unreviewed[0])
            + ", then "
            + command("acknowledge", unreviewed[0], comment="…")
            + ")"
        )
    for network in networks.all_(view.rows):
        shortage = deciding.shortage(view.rows, view.people, network)
        if shortage:
            warnings.append(f"{shortage} (" + command("network show", network.name) + ")")
        unresolved = view.people.unresolved(network)
        if unresolved is not None:
            warnings.append(unresolved.why)
    for interface in interfaces.all_(view.rows):
        if not interface.enforced:
            warnings.append(
                f"{interface.name} is not enforced: its unmanaged peers pass ("
                + command("interface enforce", interface.name, "on")
                + ")"
            )
        if not networks.of_interface(view.rows, interface.id):
            warnings.append(
                f"{interface.name} has no network yet ("
                + command("network add", "NAME", interface=interface.name)
                + ")"
            )
    broken = [one["what"] for one in view.drift.around if one["level"] == "broken"]
    warnings += [f"{what} (" + command("doctor") + ")" for what in broken[:3]]
    if len(broken) > 3:
        warnings.append(f"and {len(broken) - 3} more: see " + command("doctor"))
    if view.backend == "memory":
        warnings.append("the memory backend enforces nothing: it is for dry runs")
    unsure = [account.name for account in devices.owners(view.rows) if _is_unsure(view, account)]
    if unsure:
        hours = GRACE_MS // 3_600_000
        warnings.append(
            f"cannot look up {', '.join(unsure[:5])}{' and others' if len(unsure) > 5 else ''}: standing "
            f"access continues on the last answer for {hours} h"
        )
    return {
        "version": VERSION,
        "backend": view.backend,
        "firewall": view.firewall.name,
        "socket": str(view.config.daemon.socket),
        "state_dir": str(view.config.daemon.state_dir),
        "started": view.started_ms,
        "pending": counts.get("pending", 0),
        "active": counts.get("granted", 0),
        "waiting": view.drift.waiting(),
        "warnings": warnings,
    }


def _is_unsure(view: View, account: Account) -> bool:
    return view.people.person(account.uid, account.name).exists is Answer.UNAVAILABLE
