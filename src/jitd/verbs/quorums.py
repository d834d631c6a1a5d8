"""Changes of rules that one person may not make alone: which they are, and what is recorded of them instead."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jitd.core import foureyes, settings
from jitd.core.events import Comment, EventKind, Proposal
from jitd.core.model import Network, Vote
from jitd.notify.recipients import Deciders
from jitd.store import changes
from jitd.verbs import deciding
from jitd.verbs.context import Body, Call


@dataclass(frozen=True, slots=True)
class Need:
    """So many people have to agree who decide about these networks (none: who administers), because of that.

    `basis` is a digest of the rules as they are.
    """

    networks: tuple[Network, ...]
    quorum: int
    what: tuple[str, ...]
    basis: str

    @property
    def warning(self) -> str:
        """For the plan of the change."""
        return f"{self.quorum} approvals are needed for this: {'; '.join(self.what)}"


class QuorumNeeded(Exception):
    """Ends a transaction without its changes: they are proposed, and made when several have agreed."""

    def __init__(self, verb: str, body: Body, need: Need) -> None:
        super().__init__(verb)
        self.verb, self.body, self.need = verb, body, need


def needed(call: Call, before: Sequence[Network], after: Sequence[Network]) -> Need | None:
    """What stands against making a change alone; None: nothing does. Both are all networks of this gateway."""
    everywhere = call.config.policy.four_eyes
    known = {one.id: one for one in before}
    concerned, what, quorum = dict[int, Network](), list[str](), 1
    for network in after:
        old = known.get(network.id)
        if old is None and everywhere:
            what.append(f"{network.name} is added")
            quorum = max(quorum, foureyes.FEWEST)
        if old is None or old == network or not foureyes.holds(old, everywhere=everywhere):
            continue
        was, will = settings.plain(old), settings.plain(network)
        for key in foureyes.widened(old, network):
            concerned[old.id] = old
            what.append(f"{old.name}: {key}: {_shown(was[key])} -> {_shown(will[key])}")
    for old in before:
        if foureyes.holds(old, everywhere=everywhere):
            others = foureyes.around(old, before, after)
            if others:
                concerned[old.id] = old
                what.append(f"destinations of {old.name} are reached by {', '.join(others)}")
    if not what:
        return None
    quorum = max([quorum, *(foureyes.quorum(one, everywhere=everywhere) for one in concerned.values())])
    same = {one.id: one for one in after}
    changed = [one for one in before if one.id in concerned or same.get(one.id) != one]
    return Need(tuple(concerned.values()), quorum, tuple(what), digest(changed))


def require(call: Call, verb: str, body: Body, need: Need | None) -> None:
    """Go on only where several have agreed to this, or root does it for those who are not there any more.

    Raises QuorumNeeded, which makes a proposal of it.
    """
    if need is None or call.agreed is not None:
        return
    if foureyes.is_named_root(call.actor) and _too_few(call, need):
        call.event(
            EventKind.DECIDED_ALONE,
            Comment(comment="; ".join(need.what)),
            network=need.networks[0].name if need.networks else None,
        )
        return
    raise QuorumNeeded(verb, {key: one for key, one in body.items() if key not in ("plan", "confirm")}, need)


def propose(call: Call, needed: QuorumNeeded) -> tuple[int, int]:
    """Record a change that waits; the first yes is its own, where it counts. Returns its id and how many have agreed."""
    need = needed.need
    reason = str(needed.body.get("reason") or "")
    number = changes.add(
        call.rows,
        verb=needed.verb,
        body=needed.body,
        networks=tuple(one.id for one in need.networks),
        quorum=need.quorum,
        what=need.what,
        basis=need.basis,
        reason=reason,
        now_ms=call.now.wall_ms,
        by=call.person_behind[1],
    )
    call.event(
        EventKind.CHANGE_PROPOSED,
        Proposal(change=number, verb=needed.verb, what=list(need.what), quorum=need.quorum, reason=reason),
        network=need.networks[0].name if need.networks else None,
    )
    if not foureyes.counts(call.actor):
        return number, 0
    changes.vote(call.rows, number, mine(call, ""))
    return number, 1


def mine(call: Call, comment: str) -> Vote:
    """The caller's yes."""
    return Vote(
        uid=call.actor.uid,
        name=call.person_behind[1],
        login_uid=call.actor.login_uid,
        at_ms=call.now.wall_ms,
        duration_ms=None,
        comment=comment,
    )


def digest(networks: Sequence[Network]) -> str:
    """Of the rules of networks: whoever agreed to a change of these has not agreed to one of others."""
    rules = [[one.id, settings.plain(one), one.bound] for one in sorted(networks, key=lambda one: one.id)]
    text = json.dumps([[one[0] for one in rules], rules], sort_keys=True, default=str)
    return f"{','.join(str(one.id) for one in networks)}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _too_few(call: Call, need: Need) -> bool:
    for network in need.networks:
        if not deciding.shortage(call.rows, call.people, replace(network, approvals=need.quorum)):
            return False
    found = Deciders.of(call.people)
    return bool(need.networks) or (not found.unknown and len(found.names) < need.quorum)


def _shown(value: settings.Plain) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)
