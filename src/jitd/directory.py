"""Users and groups of the system: asked off the loop, in bounded time, and cached for the worker."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from jitd import nss
from jitd.core.people import Answer, Person

log = logging.getLogger("jitd.directory")

T = TypeVar("T")

#: Seconds that one question may take. What takes longer counts as unavailable; the question goes on in its thread.
LONGEST_SECONDS: Final = 2.0
#: Threads that ask. All of them hanging means that nothing is asked any more until one comes back.
THREADS: Final = 4
#: Seconds that an answer serves further questions.
FRESH_SECONDS: Final = 1.0
_LOGIN_DEFS: Final = Path("/etc/login.defs")
_NOBODY: Final = 65534
_SECONDS_OF_A_DAY: Final = 86_400
#: Shells that let nobody in.
_NO_SHELLS: Final = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})


class SystemDirectory:
    """A jitd.core.people.Directory on NSS."""

    def __init__(self) -> None:
        self._people: dict[str, tuple[float, Person]] = {}
        self._names: dict[int, str] = {}
        self._groups: dict[str, Answer] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="jitd-nss")
        self._hanging = 0
        self._uid_min = _uid_min(_LOGIN_DEFS)

    def person(self, name: str) -> Person:
        """The last answer about this user; UNAVAILABLE for one that was never asked about."""
        known = self._people.get(name)
        return (
            known[1] if known else Person(name=name, exists=Answer.UNAVAILABLE, everything_unavailable=True)
        )

    def name_of(self, uid: int) -> str | None:
        """The last known user name of a uid."""
        return self._names.get(uid)

    def group_exists(self, name: str) -> Answer:
        """The last answer about whether this group exists."""
        return self._groups.get(name, Answer.UNAVAILABLE)

    def is_system(self, uid: int) -> bool:
        """Whether a uid is below those that /etc/login.defs gives to people, or nobody's.

        Uids above UID_MAX are people's: directory services give them.
        """
        return uid < self._uid_min or uid == _NOBODY

    async def refresh(self, names: Iterable[str], groups: Iterable[str] = ()) -> None:
        """Ask the system about these users, and whether these groups exist, in bounded time."""
        listed = frozenset(groups)
        now = time.monotonic()
        # An answer that names every group that matters serves for a moment; a burst of calls asks once.
        old = {
            name
            for name in set(names)
            if name not in self._people or now - self._people[name][0] > FRESH_SECONDS
        }
        await asyncio.gather(
            *(self._refresh_group(group) for group in sorted(listed)),
            *(self._refresh_person(name, listed) for name in sorted(old)),
        )

    async def refresh_uid(self, uid: int) -> str | None:
        """Ask for the name of a uid, and about that user. None: there is none, or it could not be asked."""
        user, available = await self._ask(lambda: nss.user_by_uid(uid), None)
        if user is None:
            if available:
                self._names.pop(uid, None)
            return None
        self._names[uid] = user.name
        await self.refresh([user.name])
        return user.name

    async def _refresh_group(self, name: str) -> None:
        group, available = await self._ask(lambda: nss.group_by_name(name), None)
        self._groups[name] = Answer.UNAVAILABLE if not available else Answer.YES if group else Answer.NO

    async def _refresh_person(self, name: str, groups: frozenset[str]) -> None:
        unknown = Person(name=name, exists=Answer.UNAVAILABLE, everything_unavailable=True)
        person, _ = await self._ask(lambda: _look_up(name, groups), unknown)
        if person.exists is Answer.UNAVAILABLE:
            log.warning("cannot look up the user %s: the user database does not answer", name)
        elif person.unavailable:
            log.warning("cannot look up these groups of %s: %s", name, ", ".join(sorted(person.unavailable)))
        self._people[name] = (time.monotonic(), person)

    async def _ask(self, question: Callable[[], T], otherwise: T) -> tuple[T, bool]:
        """(answer, True), or (`otherwise`, False) when the system does not answer in time or at all."""
        if self._hanging >= THREADS:
            return otherwise, False
        asked = asyncio.get_running_loop().run_in_executor(self._threads, question)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), LONGEST_SECONDS), True
        except nss.Unavailable:
            return otherwise, False
        except TimeoutError:
            self._hanging += 1
            asked.add_done_callback(self._came_back)
            return otherwise, False

    def _came_back(self, asked: "asyncio.Future[T]") -> None:
        self._hanging -= 1
        # Nobody waits for it any more; taking the error keeps asyncio from reporting it as lost.
        if not asked.cancelled():
            asked.exception()


def _look_up(name: str, groups: Iterable[str]) -> Person:
    """Everything that is to be known of a user. Raises nss.Unavailable."""
    user = nss.user_by_name(name)
    # Some sources find "Alice" for alice; an account is known by one name only.
    if user is None or user.name != name:
        return Person(name=name, exists=Answer.NO)
    gids = nss.gids_of(user)
    mine, unavailable = set(), set()
    for gid in gids:
        try:
            group = nss.group_by_gid(gid)
        except nss.Unavailable:
            continue  # the listed groups below are asked one by one, and say so if they cannot be
        if group is not None:
            mine.add(group.name)
    for listed in groups:
        if listed in mine:
            continue
        try:
            found = nss.group_by_name(listed)
        except nss.Unavailable:
            unavailable.add(listed)
            continue
        # getgrouplist may have left it out because its source was down at that moment.
        if found is not None and (name in found.members or found.gid in gids):
            mine.add(listed)
    person = Person(
        name=name,
        exists=Answer.YES,
        uid=user.uid,
        groups=frozenset(mine),
        unavailable=frozenset(unavailable),
    )
    expires = nss.expires_day(name)
    expired = expires is not None and time.time() // _SECONDS_OF_A_DAY >= expires
    no_shell = user.shell.rpartition("/")[2] in _NO_SHELLS
    return replace(person, can_log_in=not expired and not no_shell)


def _uid_min(path: Path) -> int:
    """UID_MIN of login.defs(5): the first uid of a person. Debian's default where it is not set."""
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    found = re.findall(r"^\s*UID_MIN\s+([0-9]+)\s*$", text, re.MULTILINE)
    return int(found[-1]) if found else 1000
