"""Closing is never stuck: revoke, release and a lost device while the store can be neither written nor, perhaps, read.

The access is cut from what the converger remembers to be open. It stays out, held in memory and in a small file, and
is recorded as soon as the store can be written again.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Final

from jitd.core import policy, text
from jitd.core.errors import JitError
from jitd.core.model import Account, Actor, Device, Ending, Freeze, Now, Request, Status
from jitd.service import freezing, grants, holding, removal
from jitd.service.access import Memory, People
from jitd.service.call import Body, ChangeVerb, Touched
from jitd.service.converge import Converger
from jitd.store import accounts, devices, events, freezes, networks
from jitd.store import requests as store
from jitd.store.database import Rows
from jitd.store.tombstones import Held, LostDevice, Tombstone, TombstoneFile

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
    _held: Held = field(default_factory=Held)

    def load(self, people: People) -> None:
        """Take over what was not recorded when jitd last ran: it opens nothing."""
        self.memory = people.memory
        self._held = self.file.load()
        people.memory.frozen = self._held.freeze
        people.memory.closed.update(one.request_id for one in self._held.endings)
        people.memory.lost.update(one.device_id for one in self._held.lost)
        self.cut_ms = {one.request_id: one.cut_ms for one in self._held.endings if one.cut_ms is not None}
        if self:
            number = len(self._held.endings) + len(self._held.lost)
            log.warning("%d endings of the last run are not recorded yet", number)

    def close(
        self, verb: ChangeVerb, actor: Actor, body: Body, people: People, now: Now, error: JitError
    ) -> JitError:
        """Cut what the verb would have ended. Returns what to tell the caller: `error` itself if it closes nothing."""
        if verb is freezing.freeze:
            return self._freeze(actor, body, people, now, error)
        if verb is removal.remove and body.get("lost"):
            return self._lose(actor, body, people, now, error)
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
        self._held.endings.append(Tombstone(request_id=request_id, ending=ending, actor=actor))
        agrees = self.converger.close(request_id, now)
        if agrees:
            self._held.endings[-1] = replace(self._held.endings[-1], cut_ms=now.wall_ms)
            self.cut_ms[request_id] = now.wall_ms
        self.file.save(self._held)
        log.error("%s %s %d, which cannot be recorded yet: %s", actor.user, how, request_id, error.message)
        return _unrecorded(f"{_cut(agrees)}: {request_id}, of {account.name}", "Access stays out", error)

    def _lose(self, actor: Actor, body: Body, people: People, now: Now, error: JitError) -> JitError:
        """A lost device, by what is open for it. Nothing new is given to any while the store cannot be written."""
        found = self._device(actor, body, people)
        if found is None:
            return JitError(
                error.code,
                error.message,
                "Nothing is known to be open for that device. Report it again when the store can be written: see jitctl"
                " status. An administrator closes everything with jitctl freeze.",
            )
        account, device = found
        opened = sorted(self.converger.openings.networks(device.id))
        people.memory.lost.add(device.id)
        self._held.lost.append(
            LostDevice(device_id=device.id, networks=opened, at_ms=now.wall_ms, actor=actor)
        )
        agrees = self.converger.close_device(device.id, now)
        self.file.save(self._held)
        log.error(
            "%s has reported %s's %s lost, which cannot be recorded yet: %s",
            actor.user,
            account.name,
            device.name,
            error.message,
        )
        return _unrecorded(f"{_cut(agrees)}: {account.name}'s {device.name}", "It stays out", error)

    def _freeze(self, actor: Actor, body: Body, people: People, now: Now, error: JitError) -> JitError:
        if not people.admin(actor.user, actor.uid):
            return error
        people.memory.frozen = self._held.freeze = Freeze(
            since_ms=now.wall_ms, by=actor.user, reason=text.reason(body["reason"])
        )
        self._freezer = actor
        agrees = self.converger.close_everything(now)
        self.file.save(self._held)
        log.error("%s has frozen everything, which cannot be recorded yet: %s", actor.user, error.message)
        return _unrecorded(
            f"{'closed' if agrees else 'not closed yet'}: everything", "It stays closed", error
        )

    def record(self, rows: Rows) -> tuple[list[Request], Touched]:
        """Record what is held, in a transaction. Returns the grants as they were before, and what to converge."""
        before, touched = list[Request](), Touched()
        frozen = self._held.freeze
        if frozen is not None and freezes.current(rows) is None:
            freezes.put(rows, frozen)
            events.add(
                rows,
                "frozen",
                at_ms=frozen.since_ms,
                actor=self._freezer,
                data={"reason": frozen.reason, "by": frozen.by, "recorded_later": True},
            )
        for one in self._held.endings:
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
        for lost in self._held.lost:
            device = devices.by_id(rows, lost.device_id)
            account = accounts.by_id(rows, device.account_id) if device else None
            if device is not None and account is not None:
                before += removal.lose(
                    rows,
                    touched,
                    account,
                    device,
                    networks=lost.networks,
                    at_ms=lost.at_ms,
                    actor=lost.actor,
                    later=True,
                )
        return before, touched

    def recorded(self) -> None:
        """The transaction of `record` is through. All of it has ended for good: nothing has to keep it out."""
        self._held, self.memory.frozen = Held(), None
        self.file.save(self._held)

    def __bool__(self) -> bool:
        """Whether anything is held."""
        return bool(self._held)

    def waiting(self) -> list[str]:
        """One sentence when something is held, for status."""
        if self._held.freeze is not None:
            return ["the store cannot be written: everything is frozen, and that is not recorded yet"]
        found = []
        if self._held.endings:
            numbers = ", ".join(str(one.request_id) for one in self._held.endings[:10])
            found.append(f"the store cannot be written: the end of {numbers} is done, and not recorded yet")
        if self._held.lost:
            number = len(self._held.lost)
            found.append(
                f"the store cannot be written: {number} lost device{'s are' if number > 1 else ' is'} cut, and that is not"
                " recorded yet"
            )
        return found

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

    def _device(self, actor: Actor, body: Body, people: People) -> tuple[Account, Device] | None:
        """The open device that is meant, from memory alone; None when it cannot be told or the caller may not."""
        user, name = body.get("user"), body.get("name")
        found = [
            (account, device)
            for account, device in self.converger.openings.devices().values()
            if (name is None or device.name == name)
            and (
                (policy.is_own(actor, account) and user in (None, account.name))
                or (user == account.name and people.admin(actor.user, actor.uid))
            )
        ]
        return found[0] if len(found) == 1 else None


def _cut(agrees: bool) -> str:
    return "cut" if agrees else "not cut yet"


def _unrecorded(done: str, stays: str, error: JitError) -> JitError:
    why = error.message.removesuffix("; nothing was changed")
    return JitError(
        "unrecorded",
        f"{done}; it cannot be recorded yet: {why}",
        f"{stays}, and the record follows as soon as the store can be written. Mend that: see jitctl status.",
    )
