"""Users and groups of the system: asked off the loop, in bounded time, and cached for the worker."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jitd.core import text
from jitd.core.people import Answer, Person
from jitd.identity import nss
from jitd.identity.localfiles import LocalFiles, Signature
from jitd.identity.questions import Questions, Unanswered
from jitd.identity.uidnames import UidNames

log = logging.getLogger("jitd.identity.directory")

#: Seconds that one question may take. What takes longer counts as unavailable; the question goes on in its thread.
LONGEST_SECONDS: Final = 2.0
#: Threads that ask. All of them hanging means that nothing is asked any more until one comes back.
THREADS: Final = 4
#: Seconds that an answer serves further questions.
FRESH_SECONDS: Final = 1.0
#: Seconds after which a group that no rule names any more is forgotten.
FORGET_SECONDS: Final = 300.0
#: From so many names on, local users are looked up all at once.
MANY: Final = 20
#: Names that belong to nobody, and those that cannot be looked up: so many are kept. Anyone can ask for any name, and
#: memory is not to grow with that.
STRANGERS: Final = 10_000
UNAVAILABLE: Final = 1_000
#: LOGIN_NAME_MAX, in bytes. Nobody has a longer name.
_LONGEST_NAME: Final = 256
_LOGIN_DEFS: Final = Path("/etc/login.defs")
_NOBODY: Final = 65534
_SECONDS_OF_A_DAY: Final = 86_400
_NEVER: Final = float("-inf")
#: Shells that let nobody in.
_NO_SHELLS: Final = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})


@dataclass(frozen=True, slots=True)
class _User:
    """What was found of a user; membership is worked out when it is asked for."""

    uid: int
    gids: frozenset[int]
    can_log_in: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """A user who was seen once, and what was found last, at which monotonic second. None: nothing, no answer."""

    user: _User | None
    at: float
    #: The local files that it was found in; None when it was found in another way.
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class _KnownGroup:
    """A group that a rule named last at `named`, and what was found at `at`. None: nothing, no answer."""

    group: nss.Group | None
    at: float
    named: float


class SystemDirectory:
    """A jitd.core.people.Directory on NSS."""

    def __init__(self, files: LocalFiles | None = None) -> None:
        self._files = files or LocalFiles()
        self._people: dict[str, _Known] = {}
        self._strangers: dict[str, float] = {}  # names of no user; the value is when that was found
        # Replaced as a whole, never changed: the worker reads it meanwhile.
        self._groups: Mapping[str, _KnownGroup] = {}
        self._no_groups: dict[str, float] = {}  # as strangers
        self._unavailable: set[str] = set()
        #: Set when an answer is another one than before; whoever waits for it clears it.
        self.changed = asyncio.Event()
        self._doubted = _NEVER  # what was asked before this monotonic second is asked again
        self._questions = Questions(THREADS, LONGEST_SECONDS)
        self._uid_names = UidNames()
        self._uid_min = _uid_min(_LOGIN_DEFS)

    # --- what is known ---

    def person(self, name: str) -> Person:
        """The last answer about this user; UNAVAILABLE for one that was never asked about."""
        known = self._people.get(name)
        if known is None and (name in self._strangers or _too_long(name)):
            return Person(name=name, exists=Answer.NO)
        if known is None or known.user is None:
            return Person(name=name, exists=Answer.UNAVAILABLE, everything_unavailable=True)
        member_of, unavailable = set(), set()
        for listed, answer in self._groups.items():
            if answer.group is None:
                unavailable.add(listed)
            # getgrouplist may have left the group out because its source was down at that moment.
            elif answer.group.gid in known.user.gids or name in answer.group.members:
                member_of.add(listed)
        return Person(
            name=name,
            exists=Answer.YES,
            uid=known.user.uid,
            can_log_in=known.user.can_log_in,
            groups=frozenset(member_of),
            unavailable=frozenset(unavailable),
        )

    def group_exists(self, name: str) -> Answer:
        """The last answer about whether this group exists."""
        if known := self._groups.get(name):
            return Answer.YES if known.group else Answer.UNAVAILABLE
        return Answer.NO if name in self._no_groups or _too_long(name) else Answer.UNAVAILABLE

    def members(self, group: str) -> frozenset[str] | None:
        """Who is in a group: those whom it lists, and local users whose primary group it is.

        None when it cannot be looked up, or when users come from elsewhere too and nobody is listed.
        """
        if self.group_exists(group) is Answer.NO:
            return frozenset()
        known = self._groups.get(group)
        if known is None or known.group is None:
            return None
        found = known.group
        try:
            local = self._files.users()
        except (OSError, ValueError):
            return found.members or None
        members = found.members | {name for name, user in local.items() if found.gid in user.gids}
        return members or (None if self._files.signature() is None else frozenset())

    def is_system(self, uid: int) -> bool:
        """Whether a uid is below those that /etc/login.defs gives to people, or nobody's.

        Uids above UID_MAX are people's: directory services give them.
        """
        return uid < self._uid_min or uid == _NOBODY

    # --- asking ---

    def doubt(self) -> None:
        """Ask about everybody anew: something has changed."""
        self._doubted = time.monotonic()

    async def refresh(self, names: Iterable[str], groups: Iterable[str] = ()) -> None:
        """Ask the system about these users, and about these groups, in bounded time.

        Groups that were named not long ago are asked about again with them: whoever looks up a caller only must not
        make the groups of the rules look as if nobody were in them.
        """
        await self._refresh_groups(groups)
        stale = [name for name in set(names) if not _too_long(name) and self._is_stale(self._at(name))]
        if len(stale) >= MANY:
            stale = await self._refresh_locally(stale)
        await _each(stale, self._refresh_person)

    async def _refresh_locally(self, names: list[str]) -> list[str]:
        """Look many up in the local files at once. Returns the names that have to be asked for one by one."""
        signature = self._files.signature()
        if signature is None:
            return names
        unknown = [
            name
            for name in names
            if (known := self._people.get(name)) is None or known.signature != signature
        ]
        if not unknown:
            return []
        try:
            local = await self._questions.ask("files", self._files.users)
        except (OSError, ValueError, Unanswered) as error:
            log.warning("cannot read the local users at once, asking one by one: %s", error)
            return names
        found, now = [], time.monotonic()
        for name in unknown:
            user = local.get(name)
            if user is not None:
                found.append(name)
                can = _can_log_in(user.shell, user.expires_day)
                self._know(name, _Known(_User(user.uid, user.gids, can), now, signature))
        return list(set(unknown) - set(found))

    async def refresh_uid(self, uid: int) -> str | None:
        """Ask for the name of a uid, and about that user. None: there is none, or it could not be asked."""
        try:
            user = await self._questions.ask(("uid", uid), lambda: nss.user_by_uid(uid))
        except (nss.Unavailable, Unanswered):
            # Root can revoke also while nothing answers: its uid says who it is.
            return "root" if uid == 0 else None
        if user is None:
            return None
        await self.refresh([user.name])
        return user.name

    async def has_name(self, uid: int) -> Answer:
        """Whether the system has a name for a uid."""
        return await self._uid_names.has_name(uid)

    async def local_uids(self) -> frozenset[int]:
        """The uids of local users, as far as they can be read."""
        return await self._uid_names.local_uids()

    def close(self) -> None:
        """End the threads that ask; one that hangs goes with the process."""
        self._questions.close()
        self._uid_names.close()

    async def _refresh_groups(self, named: Iterable[str]) -> None:
        now = time.monotonic()
        given = {name for name in named if not _too_long(name)}
        found: dict[str, nss.Group | None] = {}
        gone: set[str] = set()

        async def ask(name: str) -> None:
            try:
                group = await self._questions.ask(("group", name), lambda: nss.group_by_name(name))
            except (nss.Unavailable, Unanswered):
                self._log_availability("group", name, available=False)
                if name in self._groups or len(self._groups) < UNAVAILABLE:
                    found[name] = None
                return
            self._log_availability("group", name, available=True)
            if group is None:
                _remember(self._no_groups, name)
                gone.add(name)
            else:
                found[name] = group

        await _each(
            [name for name in given | self._groups.keys() if self._is_stale(self._group_at(name))], ask
        )
        if (
            any(
                name in self._groups and (answer is None or answer != self._groups[name].group)
                for name, answer in (found | dict.fromkeys(gone)).items()
            )
            or found.keys() & self._no_groups.keys()
        ):
            self.changed.set()
        later = time.monotonic()
        merged = {}
        for name in (self._groups.keys() | found.keys()) - gone:
            before = self._groups.get(name)
            last_named = now if before is None or name in given else before.named
            if now - last_named > FORGET_SECONDS:
                continue
            if name in found:
                merged[name] = _KnownGroup(found[name], later, last_named)
                self._no_groups.pop(name, None)
            elif before is not None:
                merged[name] = replace(before, named=last_named)
        self._groups = merged

    def _group_at(self, name: str) -> float:
        known = self._groups.get(name)
        return known.at if known else self._no_groups.get(name, _NEVER)

    def _at(self, name: str) -> float:
        known = self._people.get(name)
        return known.at if known else self._strangers.get(name, _NEVER)

    def _is_stale(self, at: float) -> bool:
        return at <= self._doubted or time.monotonic() - at > FRESH_SECONDS

    def _know(self, name: str, known: _Known) -> None:
        """Keep what was found of a user, and tell when it is not what it was."""
        before = self._people.get(name)
        if name in self._strangers or (before is not None and before.user != known.user):
            self.changed.set()
        self._people[name] = known
        self._strangers.pop(name, None)

    async def _refresh_person(self, name: str) -> None:
        asked = time.monotonic()
        try:
            user = await self._questions.ask(("user", name), lambda: _look_up(name))
        except (nss.Unavailable, Unanswered):
            self._log_availability("user", name, available=False)
            # Of somebody who was never seen, unavailable is said anyway.
            if name in self._people:
                self._people[name] = _Known(None, time.monotonic())
            self._strangers.pop(name, None)
            return
        self._log_availability("user", name, available=True)
        if user is not None:
            self._know(name, _Known(user, asked))
        else:
            _remember(self._strangers, name)
            if self._people.pop(name, None) is not None:
                self.changed.set()

    def _log_availability(self, kind: str, name: str, *, available: bool) -> None:
        """Say once that somebody or something cannot be looked up, and once that it can be again."""
        what = f"the {kind} {name}"
        if available and what in self._unavailable:
            self._unavailable.discard(what)
            log.warning("can look up %s again", text.clean(what))
        elif not available and what not in self._unavailable and len(self._unavailable) < UNAVAILABLE:
            self._unavailable.add(what)
            log.warning(
                "cannot look up %s: the user database of the system does not answer", text.clean(what)
            )


def _remember(strangers: dict[str, float], name: str) -> None:
    """Keep the time at which a name was found to be nobody's; the one found longest ago goes when there are many."""
    strangers.pop(name, None)
    strangers[name] = time.monotonic()
    if len(strangers) > STRANGERS:
        del strangers[next(iter(strangers))]


async def _each(names: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
    """Act on each of the names, a few at a time, so that thousands of names do not stand before one caller's."""
    pending = iter(names)

    async def some() -> None:
        for name in pending:
            await act(name)

    await asyncio.gather(*(some() for _ in range(THREADS)))


def _too_long(name: str) -> bool:
    return len(name) > _LONGEST_NAME


def _look_up(name: str) -> _User | None:
    """Everything that is to be known of a user, None when there is none. Raises nss.Unavailable."""
    user = nss.user_by_name(name)
    # Some sources find "Alice" for alice; an account is known by one name only.
    if user is None or user.name != name:
        return None
    can_log_in = _can_log_in(user.shell, nss.expires_day(name))
    return _User(uid=user.uid, gids=nss.gids_of(user), can_log_in=can_log_in)


def _can_log_in(shell: str, expires_day: int | None) -> bool:
    expired = expires_day is not None and time.time() // _SECONDS_OF_A_DAY >= expires_day
    return not expired and shell.rpartition("/")[2] not in _NO_SHELLS


def _uid_min(path: Path) -> int:
    """UID_MIN of login.defs(5): the first uid of a person. Debian's default where it is not set."""
    try:
        lines = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        lines = ""
    found = re.findall(r"^\s*UID_MIN\s+([0-9]+)\s*$", lines, re.MULTILINE)
    return int(found[-1]) if found else 1000
