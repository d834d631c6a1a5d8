"""The policy as a file: every network with its rules at once."""

from dataclasses import replace

from jitd import wire
from jitd.core import policyfile, settings
from jitd.core.choices import Status
from jitd.core.errors import JitError
from jitd.core.events import Changed, EventKind, Policy
from jitd.core.firewall import widened
from jitd.core.model import Network
from jitd.reconcile.firewall import network_rules
from jitd.store import interfaces
from jitd.store import networks as store
from jitd.store import requests as stored_requests
from jitd.verbs import foureyes, networks, plans, quorums
from jitd.verbs.context import Call, Render, View


def export(view: View, _query: object) -> wire.PolicyReply:
    """Every network with its rules, as TOML."""
    names = {interface.id: interface.name for interface in interfaces.all_(view.rows)}
    text = policyfile.write((one, names[one.interface_id]) for one in store.all_(view.rows))
    return {"now": view.now.wall_ms, "text": text}


def apply(call: Call, body: wire.PolicyApplyBody) -> Render[wire.PolicyApplyReply]:
    """Make the networks what a file says, all or nothing. With `plan` only say what would change."""
    policy = policyfile.read(body["text"])
    before = {one.name: one for one in store.all_(call.rows)}
    after = [_wanted(call, entry, before.get(entry.name)) for entry in policy.entries]
    failed = policyfile.failures(after, policy.cases)
    if failed:
        raise JitError(
            "refused",
            f"cannot apply this policy: {len(failed)} of its cases fail: {'; '.join(failed[:5])}",
            "Correct the rules or the cases; nothing was changed.",
        )
    every = interfaces.all_(call.rows)
    need = quorums.needed(call, list(before.values()), after)
    reason = "" if body.get("plan") else foureyes.reason(call, body.get("reason"), "apply a policy")
    passing = plans.state(call, every)
    changes: list[wire.PolicyChange] = []
    names = {one.name for one in after}
    also: list[str] = []
    for name, network in before.items():
        if name not in names:
            also += networks.take_away(
                call, network, interfaces.by_id(call.rows, network.interface_id), reason
            )
            changes.append({"sign": "-", "network": name, "key": "", "before": None, "after": None})
    made = []
    for one in after:
        known = before.get(one.name)
        same = known is not None and settings.plain(known) == settings.plain(one)
        made.append(one if same else _put(call, known, one, reason))
        changes += _changes(known, one, interfaces.by_id(call.rows, one.interface_id).name)
    wider: list[wire.PolicyWider] = []
    for interface in every:
        here = [one for one in made if one.interface_id == interface.id]
        old = [one for one in before.values() if one.interface_id == interface.id]
        changed = [one for one in here if before.get(one.name) != one]
        if changed:
            others = [one for one in here if one not in changed]
            added = any(one.name not in before for one in changed)
            networks.refuse_together(call, interface, changed, others, added=added)
        wider += _wider(call, old, here)
    warnings = [warning for one in made for warning in networks.warnings(call, one, before.get(one.name))]
    warnings += [need.warning] if need else []
    more: wire.PolicyDifference = {"changes": changes, "wider": wider}
    plan = plans.settle(call, body, passing, plans.state(call, every), warnings, also=also, more=more)
    quorums.require(call, "policy apply", body, need)
    if changes:
        signs = [change["sign"] for change in changes]
        call.event(
            EventKind.POLICY_APPLIED,
            Policy(
                added=signs.count("+"),
                changed=len({change["network"] for change in changes if change["sign"] == "~"}),
                removed=signs.count("-"),
                reason=reason,
            ),
        )
    return lambda call: {**call.change_reply(), **more, "plan": plan, "done": True}


def _wanted(call: Call, entry: policyfile.Entry, before: Network | None) -> Network:
    """The network of an entry, on its interface, with everybody whom it names known. Raises JitError with its line."""
    try:
        fresh = replace(
            policyfile.usual(entry.name, call.now.wall_ms), interface_id=_interface_id(call, entry, before)
        )
        after = policyfile.network(entry, before or fresh)
        after = networks.resolved(call, before or policyfile.usual(entry.name, 0), after)
    except JitError as error:
        raise JitError(error.code, f"line {entry.line}: {error.message}", error.hint) from None
    return after


def _interface_id(call: Call, entry: policyfile.Entry, before: Network | None) -> int:
    every = interfaces.all_(call.rows)
    if before is not None:
        interface = interfaces.by_id(call.rows, before.interface_id)
        if entry.interface not in ("", interface.name):
            raise JitError(
                "refused",
                f"cannot move {entry.name} from {interface.name} to {entry.interface}",
                "Remove it first, or use another name.",
            )
        return interface.id
    named = [one for one in every if one.name == entry.interface or (not entry.interface and len(every) == 1)]
    if not named:
        names = ", ".join(one.name for one in every) or "none yet"
        raise JitError(
            "not_found",
            f"cannot find the interface of {entry.name}",
            f'Write interface = "…" with one of: {names}.',
        )
    return named[0].id


def _put(call: Call, before: Network | None, after: Network, reason: str) -> Network:
    interface = interfaces.by_id(call.rows, after.interface_id)
    call.touched.interfaces.add(interface.id)
    if before is None:
        added = store.add(call.rows, after)
        call.event(
            EventKind.NETWORK_ADDED,
            Changed(after=settings.plain(added), reason=reason),
            network=after.name,
            interface=interface.name,
        )
        return added
    store.update(call.rows, after)
    call.event(
        EventKind.NETWORK_CHANGED,
        Changed(before=settings.plain(before), after=settings.plain(after), reason=reason),
        network=after.name,
        interface=interface.name,
    )
    return after


def _changes(before: Network | None, after: Network, interface: str) -> list[wire.PolicyChange]:
    new = settings.plain(after)
    if before is None:
        added = {"interface": interface, **new}
        return [{"sign": "+", "network": after.name, "key": "", "before": None, "after": added}]
    old = settings.plain(before)
    return [
        {"sign": "~", "network": after.name, "key": key, "before": old[key], "after": new[key]}
        for key in new
        if old[key] != new[key]
    ]


def _wider(call: Call, before: list[Network], after: list[Network]) -> list[wire.PolicyWider]:
    """The running grants of an interface that reach more by a change than what was decided about: also where another
    network gives something free.
    """
    known = {one.id for one in before}
    by_id = {one.id: one for one in after if one.id in known}
    running = [
        request
        for request in stored_requests.live(call.rows, network_ids=list(by_id))
        if request.status(call.now) in (Status.ACTIVE, Status.SCHEDULED)
    ]
    if not running:
        return []
    more = widened(list(map(network_rules, before)), list(map(network_rules, after)))
    return [
        {"id": request.id, "user": request.account.name, "network": name, "more": more[name]}
        for request in running
        if (name := by_id[request.network_id].name) in more
    ]
