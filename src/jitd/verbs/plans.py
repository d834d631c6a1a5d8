"""Plans: who a change would let in and who it would cut off, worked out by making the change and taking it back."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from jitd import wire
from jitd.core.choices import Status
from jitd.core.errors import JitError
from jitd.core.firewall import NetworkRules, widened
from jitd.core.model import Interface
from jitd.reconcile import access
from jitd.reconcile.access import Passage
from jitd.reconcile.firewall import network_rules
from jitd.store import networks, registrars, requests
from jitd.verbs.context import Body, Call, PlanOnly, Reply


@dataclass(frozen=True, slots=True)
class State:
    """Who passes through some interfaces at one moment of a transaction, and where to.

    `grants` are those that were not ended, also paused ones and those that begin later: (user, network, number).
    """

    passages: frozenset[Passage] = frozenset()
    rules: Mapping[int, list[NetworkRules]] = field(default_factory=dict)  # by interface
    grants: frozenset[tuple[str, str, int]] = frozenset()
    registrars: Mapping[str, str] = field(
        default_factory=dict
    )  # who registered a key in another's name, by key

    @property
    def holders(self) -> set[tuple[str, str, str]]:
        """(user, network, why) of everybody who is let into a network, or will be."""
        named = {(one.user, one.network, one.why) for one in self.passages if one.user and one.network}
        return named | {(user, network, f"grant {number}") for user, network, number in self.grants}


def state(call: Call, which: Iterable[Interface]) -> State:
    """Who passes through these interfaces as the transaction stands now.

    What is found out for it is forgotten again: a right that a plan would have given, and nobody confirmed, must not
    count later as the last sure answer.
    """
    memory = call.people.memory
    people = replace(call.people, memory=replace(memory, sure=dict(memory.sure)))
    interfaces = list(which)
    behind = {one.id: networks.of_interface(call.rows, one.id) for one in interfaces}
    names = {network.id: network.name for found in behind.values() for network in found}
    live = requests.live(call.rows, network_ids=names) if names else []
    return State(
        frozenset(
            passage for one in interfaces for passage in access.passages(call.rows, one, people, call.now)
        ),
        {number: [network_rules(network) for network in found] for number, found in behind.items()},
        frozenset(
            (one.account.name, names[one.network_id], one.id)
            for one in live
            if one.extends_id is None and one.status(call.now) in (Status.ACTIVE, Status.SCHEDULED)
        ),
        registrars.keys(call.rows),
    )


def settle(
    call: Call,
    body: Body,
    before: State,
    after: State,
    warnings: Iterable[str] = (),
    *,
    also: Iterable[str] = (),
    more: Reply | None = None,
) -> wire.Plan:
    """The plan of a change that was just made in the transaction.

    With `plan` in the body the transaction ends without it (PlanOnly); with `confirm` the plan must be the one that
    was shown, `also` and `more` of its reply included. Raises JitError conflict when it is not.
    """
    plan = make(before, after, warnings, also=also, more=more)
    plan["warnings"] += [
        f"{after.registrars[line['public_key']]} registered {line['user']}'s device {line['device']}"
        for line in plan["gains"]
        if line["public_key"] in after.registrars
    ]
    if body.get("plan"):
        raise PlanOnly({**call.change_reply(), "plan": plan, "done": False, **(more or {})})
    confirmed = body.get("confirm")
    if confirmed and confirmed != plan["token"]:
        raise JitError(
            "conflict",
            "cannot continue: the plan has changed since it was shown",
            "Check the new plan and confirm it.",
        )
    return plan


def make(
    before: State,
    after: State,
    warnings: Iterable[str] = (),
    *,
    also: Iterable[str] = (),
    more: Reply | None = None,
) -> wire.Plan:
    """The difference of two states as a plan. A key that keeps passing for another reason is in neither list."""
    gains = [_line(passage) for passage in sorted(after.passages - before.passages)]
    loses = [_line(passage) for passage in sorted(before.passages - after.passages)]
    kept = {line["public_key"] for line in gains} & {line["public_key"] for line in loses}
    gains = [line for line in gains if line["public_key"] not in kept or line["network"]]
    loses = [line for line in loses if line["public_key"] not in kept or line["network"]]
    reaches, told = _reaches(before, after), list(also)
    digest = hashlib.sha256(
        json.dumps(
            [[(line["public_key"], line["network"]) for line in lines] for lines in (gains, loses)]
            + [reaches, told, more or {}]
        ).encode()
    )
    return {
        "gains": gains,
        "loses": loses,
        "reaches": reaches,
        "also": told,
        "warnings": list(warnings),
        "token": digest.hexdigest()[:16],
    }


def _reaches(before: State, after: State) -> list[wire.PlanReach]:
    """Who keeps being let into a network and reaches more or less there: by its own routes and ports, or because a more
    specific destination of another network comes or goes.
    """
    more: dict[str, list[str]] = {}
    less: dict[str, list[str]] = {}
    for number in before.rules.keys() & after.rules.keys():
        old, new = before.rules[number], after.rules[number]
        if old != new:
            more |= widened(old, new)
            less |= widened(new, old)
    return [
        {
            "user": user,
            "network": network,
            "why": why,
            "more": more.get(network, []),
            "less": less.get(network, []),
        }
        for user, network, why in sorted(before.holders & after.holders)
        if network in more or network in less
    ]


def _line(passage: Passage) -> wire.PlanLine:
    return {
        "user": passage.user,
        "device": passage.device,
        "public_key": passage.public_key,
        "network": passage.network,
        "why": passage.why,
    }
