"""Closing is never stuck: what is closed before it could be recorded stays closed, and is recorded when it can be.

It is held in memory and in a small file, which is written in a thread of its own: the disk may hang. Every method may
be called in any thread, but for `load` and those that take `rows`, which are the worker's.
"""

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Final

from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Now
from jitd.engine import closings
from jitd.engine.closings import CLOSING, Closing, Scope
from jitd.reconcile.access import Held, Memory, People
from jitd.reconcile.applied import AppliedAccess
from jitd.store import accounts, devices, facts
from jitd.store.database import Rows
from jitd.store.tombstones import Tombstone, TombstoneFile
from jitd.verbs.context import Body

log = logging.getLogger("jitd.engine")

#: So many are named in a sentence.
_NAMED: Final = 10


@dataclass(slots=True, kw_only=True)
class Unrecorded:
    """`note_waiting` is called, with the lock held, with the sentences for status whenever they are others."""

    file: TombstoneFile
    writing: Executor
    applied: AppliedAccess
    memory: Memory
    note_waiting: Callable[[list[str]], None]
    #: When the kernel was first seen to follow ends that could not be recorded then, by grant; milliseconds UTC.
    cut_ms: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _held: dict[str, Tombstone] = field(default_factory=dict)
    #: Those of `_held` that the worker will come to by itself.
    _on_their_way: set[str] = field(default_factory=set)
    #: The file named something at the start: what is noted of it is wanted at the next start, too.
    _has_notes: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def load(self, rows: Rows) -> None:
        """Take over what was not recorded when jitd last ran: it opens nothing."""
        with self._lock:
            loaded = self.file.load()
            self._has_notes = bool(loaded)
            for one in loaded:
                if facts.get(rows, _fact(one)) is None:
                    self._held[one.id] = one
                    self.cut_ms.update(
                        (number, one.cut_ms) for number in one.grants if one.cut_ms is not None
                    )
            self._changed()
            if self._held:
                log.warning("%d closings of the last run are not recorded yet", len(self._held))

    # --- one closing ---

    def hold(self, closing: Closing, people: People, now: Now) -> Scope | None:
        """Hold what a closing takes away, as far as that is known without the store. None: it is not, or not allowed.

        Nothing is held for one that the worker is done with.
        """
        # What is held already may not be open any more, and is not found again.
        scope = closing.scope or closing.look(self.applied, people, now)
        if scope is None:
            return None
        name, _ = CLOSING[closing.verb]
        with self._lock:
            if closing.settled:
                return None
            if closing.tombstone is None:
                closing.scope = scope
                closing.tombstone = Tombstone(
                    id=f"{now.boot_id} {now.boot_ms} {next(self._numbers)}",
                    verb=name,
                    actor=closing.actor,
                    body=scope.body,
                    at_ms=now.wall_ms,
                    said=scope.said,
                    grants=tuple(scope.held.grants),
                    paused=tuple(scope.held.paused),
                    devices=tuple(scope.held.devices),
                    accounts=tuple(scope.held.accounts),
                    networks=tuple(scope.held.networks),
                    freeze=scope.held.freeze,
                )
                self._held[closing.tombstone.id] = closing.tombstone
                self._on_their_way.add(closing.tombstone.id)
                self._changed()
        return scope

    def begin(self, closing: Closing) -> bool:
        """The worker begins with a closing. False: it has been left to `due`."""
        with self._lock:
            closing.begun = True
            return not closing.left_to_record

    def leave_to_record(self, closing: Closing) -> None:
        """The caller has been told that it is not recorded: unless the worker is at it already, `due` has it now."""
        with self._lock:
            closing.is_late = True
            if closing.tombstone is not None and not closing.begun:
                closing.left_to_record = True
                self._on_their_way.discard(closing.tombstone.id)

    def settle(self, closing: Closing, *, keep: bool) -> Tombstone | None:
        """The worker is done with a closing: what was held for it stays held (`keep`), or is open to the store again.

        Returns that.
        """
        with self._lock:
            closing.settled = True
            one = closing.tombstone
            if one is not None:
                self._on_their_way.discard(one.id)
                if not keep:
                    self._held.pop(one.id, None)
                    self._changed()
            return one

    def seen_cut(self, closing: Closing, now: Now) -> None:
        """The kernel agrees with a closing that is held."""
        with self._lock:
            one = closing.tombstone
            if one is None or one.id not in self._held or one.cut_ms is not None:
                return
            self._held[one.id] = closing.tombstone = replace(one, cut_ms=now.wall_ms)
            self.cut_ms.update((number, now.wall_ms) for number in one.grants)
            self._changed()

    # --- recording ---

    def due(self) -> list[Tombstone]:
        """What is to be recorded, in the order in which it was closed."""
        with self._lock:
            return [one for one in self._held.values() if one.id not in self._on_their_way]

    def note(self, rows: Rows, one: Tombstone) -> None:
        """In the transaction that records it: the file may still name it after a crash."""
        facts.put(rows, _fact(one), 1)

    def recorded(self, one: Tombstone) -> None:
        """The transaction is through, or there was nothing to record any more."""
        with self._lock:
            if self._held.pop(one.id, None) is not None:
                self._changed()

    def body(self, rows: Rows, one: Tombstone) -> Body:
        """What the verb is to be called with. Raises JitError ended when what it is about is no more."""
        if one.verb != "device_remove":
            return one.body
        device = devices.by_id(rows, one.devices[0])
        account = accounts.by_id(rows, device.account_id) if device else None
        if device is None or account is None:
            raise JitError("ended", "it is no more")
        return {"name": device.name, "user": account.name, "lost": one.body["lost"]}

    # --- what is held ---

    def __bool__(self) -> bool:
        """Whether anything is held."""
        return bool(self._held)

    def forget_notes(self, rows: Rows) -> None:
        """Forget which closings were recorded, once no file names them any more. At a start."""
        if not self._has_notes:
            facts.remove_beginning(rows, _FACT)

    def close(self) -> None:
        """Finish writing, and close the file."""
        self.writing.shutdown(wait=True)
        self.file.close()

    def _changed(self) -> None:
        held = Held()
        for one in self._held.values():
            held |= closings.held(one)
        self.memory.held = held
        self.note_waiting(self._waiting())
        self.writing.submit(self.file.save, list(self._held.values()))

    def _waiting(self) -> list[str]:
        if not self._held:
            return []
        if self.memory.held.freeze is not None:
            return ["the store cannot be written: all access is frozen, but that is not recorded yet"]
        said = [one.said for one in self._held.values()]
        more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        what = ", ".join(said[:_NAMED]) + more
        return [
            f"the store cannot be written: {what} {'is' if len(said) == 1 else 'are'} done, but not recorded "
            "yet"
        ]


_FACT: Final = "recorded "


def _fact(one: Tombstone) -> str:
    return f"{_FACT}{one.id}"


def unrecorded_error(scope: Scope, error: JitError, *, agrees: bool) -> JitError:
    """What to tell the caller of something that was closed, and could not be recorded because of `error`."""
    done = "cut" if agrees else "not cut yet"
    stays = "Access stays cut"
    if scope.held.freeze is not None:
        done, stays = "closed" if agrees else "not closed yet", "It stays closed"
    why = error.message.removesuffix("; nothing was changed")
    return JitError(
        "unrecorded",
        f"{done}: {scope.what}; it cannot be recorded yet: {why}",
        f"{stays}, and it is recorded as soon as the store can be written. Repair the store; see "
        + command("status"),
    )
