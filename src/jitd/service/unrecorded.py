"""Closing is never stuck: revoke and release while the store can be neither written nor, perhaps, read.

The access is cut from what the converger remembers to be open. It stays out, held in memory and in a small file, and
is recorded as soon as the store can be written again.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Final

from jitd.core import policy, text
from jitd.core.errors import JitError
from jitd.core.model import Account, Actor, Ending, Freeze, Now, Request, Status
from jitd.service import freezing, grants, holding
from jitd.service.access import Memory, People
from jitd.service.call import Body, ChangeVerb
from jitd.service.converge import Converger
from jitd.store import events, freezes, networks
from jitd.store import requests as store
from jitd.store.database import Rows
from jitd.store.tombstones import Tombstone, TombstoneFile

log = logging.getLogger("jitd.service")

#: The verbs that close, and what they make of a grant.
_CLOSING: Final[dict[ChangeVerb, Status]] = {grants.revoke: Status.REVOKED, holding.release: Status.RELEASED}


@dataclass(slots=True, kw_only=True)
class Unrecorded:
    """Belongs to the worker thread."""

    file: TombstoneFile
    converger: Converger
    memory: Memory = field(default_factory=Memory)
    #: When the kernel was first seen to follow ends that could not be recorded then, by grant; milliseconds UTC.
    cut_ms: dict[int, int] = field(default_factory=dict)
    _freezer: Actor | None = None
    _held: list[Tombstone] = field(default_factory=list)

    def load(self, people: People) -> None:
        """Take over what was not recorded when jitd last ran: it opens nothing."""
        self.memory = people.memory
        self._held, people.memory.frozen = self.file.load()
        people.memory.closed.update(one.request_id for one in self._held)
        self.cut_ms = {one.request_id: one.cut_ms for one in self._held if one.cut_ms is not None}
        if self:
            log.warning("%d endings of the last run are not recorded yet", len(self._held))

    def close(
        self, verb: ChangeVerb, actor: Actor, body: Body, people: People, now: Now, error: JitError
    ) -> JitError:
        """Cut what the verb would have ended. Returns what to tell the caller: `error` itself if it closes nothing."""
        if verb is freezing.freeze:
            return self._freeze(actor, body, people, now, error)
        how = _CLOSING.get(verb)
        if how is None:
            return error
        found = self._which(how, actor, body, people)
        if found is None:
            return error
        request_id, account = found
        comment = text.comment(body.get("comment"))
        ending = Ending(how=how, at_ms=now.wall_ms, by=actor.user, comment=comment)
        people.memory.closed.add(request_id)
        self._held.append(Tombstone(request_id=request_id, ending=ending, actor=actor))
        agrees = self.converger.close(request_id, now)
        if agrees:
            self._held[-1] = replace(self._held[-1], cut_ms=now.wall_ms)
            self.cut_ms[request_id] = now.wall_ms
        self.file.save(self._held, people.memory.frozen)
        log.error("%s %s %d, which cannot be recorded yet: %s", actor.user, how, request_id, error.message)
        return JitError(
            "unrecorded",
            f"{'cut' if agrees else 'not cut yet'}: {request_id}, of {account.name}; it cannot be recorded yet:"
            f" {error.message.removesuffix('; nothing was changed')}",
            "Access stays out, and the record follows as soon as the store can be written. Mend that: see jitctl status.",
        )

    def _freeze(self, actor: Actor, body: Body, people: People, now: Now, error: JitError) -> JitError:
        if not people.admin(actor.user, actor.uid):
            return error
        people.memory.frozen = Freeze(since_ms=now.wall_ms, by=actor.user, reason=text.reason(body["reason"]))
        self._freezer = actor
        agrees = self.converger.close_everything(now)
        self.file.save(self._held, people.memory.frozen)
        log.error("%s has frozen everything, which cannot be recorded yet: %s", actor.user, error.message)
        return JitError(
            "unrecorded",
            f"{'closed' if agrees else 'not closed yet'}: everything; it cannot be recorded yet:"
            f" {error.message.removesuffix('; nothing was changed')}",
            "It stays closed, and the record follows as soon as the store can be written. Mend that: see jitctl status.",
        )

    def record(self, rows: Rows) -> list[Request]:
        """Record what is held, in a transaction. Returns the grants as they were before."""
        before = []
        frozen = self.memory.frozen
        if frozen is not None and freezes.current(rows) is None:
            freezes.put(rows, frozen)
            events.add(
                rows,
                "frozen",
                at_ms=frozen.since_ms,
                actor=self._freezer,
                data={"reason": frozen.reason, "by": frozen.by, "recorded_later": True},
            )
        for one in self._held:
            request = store.by_id(rows, one.request_id)
            if request is None or not store.end(rows, one.request_id, one.ending):
                continue
            before.append(request)
            assert request.grant is not None
            events.add(
                rows,
                str(one.ending.how),
                at_ms=one.ending.at_ms,
                actor=one.actor,
                request_id=request.id,
                user=request.account.name,
                user_uid=request.account.uid,
                network=networks.by_id(rows, request.network_id).name,
                data={"comment": one.ending.comment, "ends": request.grant.ends_ms, "recorded_later": True},
            )
        return before

    def recorded(self) -> None:
        """The transaction of `record` is through. Their grants have ended for good: nothing has to keep them out."""
        self._held, self.memory.frozen = [], None
        self.file.save([], None)

    def __bool__(self) -> bool:
        """Whether anything is held."""
        return bool(self._held) or self.memory.frozen is not None

    def waiting(self) -> list[str]:
        """One sentence when something is held, for status."""
        if self.memory.frozen is not None:
            return ["the store cannot be written: everything is frozen, and that is not recorded yet"]
        if not self._held:
            return []
        numbers = ", ".join(str(one.request_id) for one in self._held[:10])
        return [f"the store cannot be written: the end of {numbers} is done, and not recorded yet"]

    def _which(self, how: Status, actor: Actor, body: Body, people: People) -> tuple[int, Account] | None:
        """The open grant that is meant, from memory alone; None when it cannot be told or the caller may not."""
        known = self.converger.openings.grants()
        asked = body.get("id")
        if how is Status.REVOKED:
            if asked not in known:
                return None
            account, network = known[asked]
            may = (
                people.may_decide(network, actor.uid, actor.user)
                if network
                else people.admin(actor.user, actor.uid)
            )
            return (asked, account) if may else None
        own = {number: account for number, (account, _) in known.items() if policy.is_own(actor, account)}
        if asked is not None:
            return (asked, own[asked]) if asked in own else None
        return next(iter(own.items())) if len(own) == 1 else None
