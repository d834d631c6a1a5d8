"""Plans: who a change would let in and who it would cut off, worked out by making the change and taking it back."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from jitd import wire
from jitd.core.errors import JitError
from jitd.core.model import Interface
from jitd.service import access
from jitd.service.access import Passage
from jitd.service.call import Body, Call, PlanOnly, Reply


def passing(call: Call, which: Iterable[Interface]) -> set[Passage]:
    """Who passes through these interfaces as the transaction stands now.

    What is found out for it is forgotten again: a right that a plan would have given, and nobody confirmed, must not
    count later as the last sure answer.
    """
    memory = call.people.memory
    people = replace(call.people, memory=replace(memory, sure=dict(memory.sure)))
    return {
        passage for interface in which for passage in access.passages(call.rows, interface, people, call.now)
    }


def settle(
    body: Body,
    before: set[Passage],
    after: set[Passage],
    warnings: Iterable[str] = (),
    more: Reply | None = None,
) -> wire.Plan:
    """The plan of a change that was just made in the transaction.

    With `plan` in the body the transaction ends without it (PlanOnly); with `confirm` the plan must be the one that
    was shown, `more` of its reply included. Raises JitError conflict when it is not.
    """
    plan = make(before, after, warnings, more)
    if body.get("plan"):
        reply: Reply = {"plan": plan, "done": False, "agrees": True, "waiting": "", **(more or {})}
        raise PlanOnly(reply)
    confirmed = body.get("confirm")
    if confirmed and confirmed != plan["token"]:
        raise JitError(
            "conflict",
            "cannot go on: who gains or loses access has changed since the plan was shown",
            "Look at the new plan and confirm that one.",
        )
    return plan


def make(
    before: set[Passage], after: set[Passage], warnings: Iterable[str] = (), more: Reply | None = None
) -> wire.Plan:
    """The difference of two states as a plan. A key that keeps passing for another reason is in neither list."""
    gains = [_line(passage) for passage in sorted(after - before)]
    loses = [_line(passage) for passage in sorted(before - after)]
    kept = {line["public_key"] for line in gains} & {line["public_key"] for line in loses}
    gains = [line for line in gains if line["public_key"] not in kept or line["network"]]
    loses = [line for line in loses if line["public_key"] not in kept or line["network"]]
    digest = hashlib.sha256(
        json.dumps(
            [[(line["public_key"], line["network"]) for line in lines] for lines in (gains, loses)]
            + [more or {}]
        ).encode()
    )
    return {"gains": gains, "loses": loses, "warnings": list(warnings), "token": digest.hexdigest()[:16]}


def _line(passage: Passage) -> wire.PlanLine:
    return {
        "user": passage.user,
        "device": passage.device,
        "public_key": passage.public_key,
        "network": passage.network,
        "why": passage.why,
    }
