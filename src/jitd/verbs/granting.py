"""The one place where a request becomes a grant, whoever or whatever decided; and what stands against it."""

from dataclasses import replace

from jitd.core import policy
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import EventKind, Extension, Given
from jitd.core.model import Account, AutoApproval, Device, Grant, Network, Request
from jitd.core.settings import WEEK_MS
from jitd.core.terms import Term
from jitd.store import devices, freezes, interfaces, registrars
from jitd.store import requests as store
from jitd.store.events import Recorder
from jitd.verbs import foureyes, tunnels
from jitd.verbs.context import Call, View
from jitd.verbs.lookup import found, stale


def open_(
    call: Call,
    request: Request,
    network: Network,
    term: Term,
    *,
    by: str,
    comment: str,
    auto_rule: str | None = None,
) -> None:
    """Turn a pending request into a grant for the devices that its user has now, and record it.

    `by` is who decided; with `auto_rule` nobody did. Raises JitError refused or conflict.
    """
    refuse_frozen(call, network)
    refuse_gone(call, "grant anything to", request.account)
    mine = devices_for(call, request.account, network)
    if request.break_glass and foureyes.holds(call, network):
        mine = _own_devices(call, request.account, network, mine)
    interface = interfaces.by_id(call.rows, network.interface_id)
    for device in mine:
        tunnels.ensure(call, device, interface)
    begins = term.starts_ms <= call.now.wall_ms
    granted = Grant(
        decided_ms=call.now.wall_ms,
        decided_by=by,
        comment=comment,
        starts_ms=term.starts_ms,
        ends_ms=term.ends_ms,
        # What begins later gets its end in boot time when it begins.
        boot_id=call.now.boot_id if begins else "",
        ends_boot_ms=call.now.boot_ms + term.ends_ms - call.now.wall_ms if begins else 0,
    )
    if not store.grant(call.rows, request.id, granted, [device.id for device in mine], auto_rule):
        raise stale(call, "grant", request.id)
    after = found(call, request.id)
    call.touched.devices |= store.tunnels_of(call.rows, [after.id])
    given = Given(
        starts=term.starts_ms,
        ends=term.ends_ms,
        duration=term.duration_ms,
        comment=comment,
        devices=[device.name for device in mine],
        cap=term.why,
    )
    if request.break_glass:
        given["reason"] = request.reason
    kind = EventKind.BREAK_GLASS if request.break_glass else EventKind.GRANTED
    _decided(call, auto_rule)(kind, given, request=after)


def _decided(call: Call, auto_rule: str | None) -> Recorder:
    """Records a decision: a rule's is nobody's."""
    return call.event if auto_rule is None else replace(call.event, actor=None)


def lengthen(
    call: Call,
    grant: Request,
    network: Network,
    term: Term,
    *,
    by: str,
    comment: str,
    asked: Request | None = None,
    auto_rule: str | None = None,
) -> None:
    """Move the end of an active grant; `asked` is the request for it, if there was one.

    `by` is who decided; with `auto_rule` nobody did. Raises JitError refused or conflict.
    """
    assert grant.grant is not None
    before = grant.grant.ends_ms
    if term.ends_ms <= before:
        raise JitError("refused", f"cannot extend access to {network.name}: {term.why}", "")
    if not store.extend(call.rows, grant.id, before, term.ends_ms - before):
        raise stale(call, "extend", grant.id)
    if asked is not None:
        more = Grant(
            decided_ms=call.now.wall_ms,
            decided_by=by,
            comment=comment,
            starts_ms=before,
            ends_ms=term.ends_ms,
            boot_id="",
            ends_boot_ms=0,
        )
        if not store.grant(call.rows, asked.id, more, [], auto_rule):
            raise stale(call, "grant", asked.id)
    # Its element in the firewall gets the new end, too.
    call.touched.devices |= store.tunnels_of(call.rows, [grant.id])
    _decided(call, auto_rule)(
        EventKind.EXTENDED,
        Extension(
            before=before,
            wanted=asked.wanted_ms if asked is not None else None,
            ends=term.ends_ms,
            duration=term.ends_ms - before,
            comment=comment,
            asked=asked.id if asked else None,
            cap=term.why,
        ),
        request=grant,
    )


def devices_for(call: View, account: Account, network: Network) -> list[Device]:
    """The devices that a grant would be for. Raises JitError refused when there is none."""
    mine = devices.of_account(call.rows, account.id)
    if not mine:
        raise JitError(
            "refused",
            f"cannot grant {network.name} to {account.name}: {account.name} has no device",
            "Add one: " + command("device add", "laptop", user=account.name, public_key="KEY"),
        )
    return mine


def _own_devices(call: View, account: Account, network: Network, mine: list[Device]) -> list[Device]:
    """Nobody else's key gets in by somebody's emergency. Raises JitError refused when there is no other."""
    foreign = registrars.device_ids(call.rows, account.id)
    found = [device for device in mine if device.id not in foreign]
    if not found:
        raise JitError(
            "refused",
            f"cannot open {network.name} by break-glass: {foureyes.others_making(call, account)}",
            "Replace the key: " + command("device rotate"),
        )
    return found


def refuse_frozen(call: View, network: Network) -> None:
    """Nothing opens while everything is frozen. Raises JitError refused."""
    frozen = freezes.current(call.rows)
    if frozen is not None:
        raise JitError(
            "refused",
            f"cannot open {network.name}: {frozen.by} has frozen all access: {frozen.reason}",
            "An administrator ends the freeze with " + command("thaw"),
        )


def refuse_gone(call: View, what: str, account: Account) -> None:
    """An account that is not good any more gets nothing. `what` ends "cannot …". Raises JitError refused or busy."""
    same = call.people.same(account, call.now)
    if not same:
        raise JitError(same.code, f"cannot {what} {account.name}: {same.why}", f"Ask {call.administrators}.")


def refuse_open(call: View, account: Account, network: Network) -> None:
    """A grant of what is open already would look like a limit that there is not. Raises JitError refused."""
    standing = call.people.has_standing(network, account.uid, account.name)
    if standing:
        raise JitError(
            "refused",
            f"cannot grant {network.name} to {account.name}: access is open already, {standing.why}",
            "See " + command("why", account.name, network.name),
        )


def refuse_own(call: View, verb: str, account: Account, network: Network, request_id: int | None) -> None:
    """Nobody decides on their own request, nor from a process that says that its user logged in. Raises JitError refused."""
    if policy.may_be_own(call.actor, account):
        which = f"{request_id}" if request_id is not None else f"access to {account.name}"
        own = (call.actor.uid == account.uid) or policy.is_own(call.actor, account)
        whose = "it is your own request" if own else f"you are logged in as {account.name}"
        raise JitError(
            "refused",
            f"cannot {verb} {which}: {whose}, and nobody decides on their own request",
            f"Ask {call.deciders(network)}.",
        )


def rule_for(
    call: Call, account: Account, network: Network, duration_ms: int
) -> tuple[AutoApproval | None, str]:
    """The rule that gives so much without waiting for somebody, else why none does; none while everything is frozen."""
    if not network.jit_auto_approve:
        return None, ""
    used = store.auto_approved_since(call.rows, account.id, network.id, call.now.wall_ms - WEEK_MS)
    person = call.people.person(account.uid, account.name)
    rule, why = policy.auto_approval(network, person, duration_ms, used)
    if rule is not None and foureyes.holds(call, network):
        # A rule decides for people, and not for keys that somebody else has put beside theirs.
        if not policy.is_own(call.actor, account):
            return None, f"{call.actor.user} asks for {account.name}"
        made = foureyes.others_making(call, account)
        if made:
            return None, made
    if rule is not None and freezes.current(call.rows) is not None:
        return None, "all access is frozen"
    return rule, why
