"""Changes of rules that several have to agree to: list them, approve them, reject them."""

from collections.abc import Mapping
from typing import Final

from jitd import wire
from jitd.core import foureyes, policy, text
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.events import ChangeVote, EventKind
from jitd.core.model import Network
from jitd.store import changes as store
from jitd.store import networks as all_networks
from jitd.store.changes import Change
from jitd.verbs import interfaces, networks, policies, quorums
from jitd.verbs.access import Object
from jitd.verbs.context import Call, ChangeVerb, PlanOnly, Render, View

#: What can be proposed, by the words of its command.
VERBS: Final[Mapping[str, ChangeVerb]] = {
    "network add": networks.add,
    "network set": networks.set_,
    "network jit": networks.jit,
    "network remove": networks.remove,
    "policy apply": policies.apply,
    "interface enforce": interfaces.enforce,
}


def list_(view: View, _query: object) -> wire.ChangesReply:
    """The changes that wait, as far as the caller decides about the networks that they are about."""
    found = store.waiting(view.rows, view.now.wall_ms - store.WAITS_MS)
    return {"now": view.now.wall_ms, "changes": [_view(view, one) for one in found if _may(view, one)]}


def number_waiting(view: View) -> int:
    """How many changes wait for the caller's yes."""
    found = [one for one in store.waiting(view.rows, view.now.wall_ms - store.WAITS_MS) if _may(view, one)]
    return sum(1 for one in found if not _has_agreed(view, one))


def approve(call: Call, body: wire.ChangeBody) -> Render[wire.ChangeApproveReply]:
    """Agree to a change; the last one of as many as are needed makes it. With `plan` only say what it would do."""
    change = _waiting(call, body["id"], "approve")
    if body.get("plan"):
        call.agreed = change.id
        _run(call, change, {"plan": True})
        raise PlanOnly(_shown(change.id, done=False)(call))
    if not foureyes.counts(call.actor):
        raise JitError(
            "not_permitted",
            f"cannot approve change {change.id} as root: several approvals are needed, and no login "
            "identifies this person",
            "Use your own account, or sudo from a login.",
        )
    if _has_agreed(call, change):
        raise JitError(
            "conflict",
            f"cannot approve change {change.id} twice: you have approved it already, and {change.quorum} "
            "different people are needed",
            "Another approver has to do it.",
        )
    standing = [one for one in store.votes(call.rows, change.id) if _counts(call, change, one.uid, one.name)]
    store.vote(call.rows, change.id, quorums.mine(call, text.comment(body.get("comment"))))
    number = len(standing) + 1
    call.event(
        EventKind.CHANGE_APPROVED,
        ChangeVote(
            change=change.id,
            what=list(change.what),
            number=number,
            of=change.quorum,
            comment=text.comment(body.get("comment")),
        ),
        network=_network_name(call, change),
    )
    if number >= change.quorum:
        call.agreed = change.id
        confirm = {"confirm": body["confirm"]} if body.get("confirm") else {}
        _run(call, change, confirm)
        store.end(call.rows, change.id, "approved", call.now.wall_ms, call.person_behind[1])
    return _shown(change.id, done=number >= change.quorum)


def reject(call: Call, body: wire.DecisionBody) -> Render[wire.ChangeApproveReply]:
    """Reject a change, or take one's own back. One no is enough."""
    change = _waiting(call, body["id"], "reject")
    store.end(call.rows, change.id, "rejected", call.now.wall_ms, call.person_behind[1])
    call.event(
        EventKind.CHANGE_REJECTED,
        ChangeVote(change=change.id, what=list(change.what), comment=text.comment(body.get("comment"))),
        network=_network_name(call, change),
    )
    return _shown(change.id, done=True)


def numbered(view: View, body: wire.ChangeBody) -> Object:
    """The loader of a change by its number."""
    change = store.by_id(view.rows, body["id"])
    missing = JitError("not_found", f"cannot find a change {body['id']}", "See " + command("change list"))
    if change is None:
        raise missing
    return Object(missing, networks=tuple(_concerned(view, change)), number=change.id)


def _run(call: Call, change: Change, more: Mapping[str, object]) -> None:
    """Make the change, as it was proposed. Raises JitError conflict when the rules are others by now."""
    ids = [int(one) for one in change.basis.partition(":")[0].split(",") if one]
    there = {one.id: one for one in all_networks.all_(call.rows)}
    now = [there[one] for one in ids if one in there]
    if quorums.digest(now) != change.basis:
        raise JitError(
            "conflict",
            f"cannot make change {change.id}: the rules that it would change have been changed meanwhile",
            "Reject it (" + command("change reject", change.id) + "), and propose it again.",
        )
    VERBS[change.verb](call, {**change.body, **more})


def _waiting(call: Call, change_id: int, verb: str) -> Change:
    change = store.by_id(call.rows, change_id)
    assert change is not None, "its loader has found it"
    if change.ended_how or change.proposed_ms <= call.now.wall_ms - store.WAITS_MS:
        became = (
            f"{change.ended_by} {change.ended_how} it"
            if change.ended_how
            else "it waited for more than 7 days"
        )
        raise JitError(
            "conflict", f"cannot {verb} change {change_id}: {became}", "See " + command("change list")
        )
    return change


def _may(view: View, change: Change) -> bool:
    """Whether the caller decides about everything that a change is about."""
    there = _concerned(view, change)
    return all(view.decides(one) for one in there) if there else view.by_admin


def _counts(view: View, change: Change, uid: int, name: str) -> bool:
    """Whether somebody who has agreed still may."""
    there = _concerned(view, change)
    if not there:
        return bool(view.admin(name, uid))
    return all(view.people.may_decide(one, uid, name) for one in there)


def _concerned(view: View, change: Change) -> list[Network]:
    return [one for one in all_networks.all_(view.rows) if one.id in change.networks]


def _has_agreed(view: View, change: Change) -> bool:
    return any(
        policy.same_person(view.actor.uid, view.actor.login_uid, one.uid, one.login_uid)
        for one in store.votes(view.rows, change.id)
    )


def _network_name(view: View, change: Change) -> str | None:
    return next((one.name for one in _concerned(view, change)), None)


def _shown(change_id: int, *, done: bool) -> Render[wire.ChangeApproveReply]:
    def render(call: Call) -> wire.ChangeApproveReply:
        change = store.by_id(call.rows, change_id)
        assert change is not None
        return {
            "now": call.now.wall_ms,
            "agrees": call.agrees,
            "waiting": call.waiting,
            "change": _view(call, change),
            "done": done,
        }

    return render


def _view(view: View, change: Change) -> wire.ChangeView:
    return {
        "id": change.id,
        "verb": change.verb,
        "networks": [one.name for one in _concerned(view, change)],
        "what": list(change.what),
        "reason": change.reason,
        "proposed": change.proposed_ms,
        "proposed_by": change.proposed_by,
        "lapses": change.proposed_ms + store.WAITS_MS,
        "quorum": change.quorum,
        "approved_by": [one.name for one in store.votes(view.rows, change.id)],
        "status": change.ended_how or "pending",
        "ended_by": change.ended_by,
        "mine": _has_agreed(view, change),
    }
