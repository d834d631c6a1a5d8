"""Users and groups of the system as the policy sees them: answers that can be yes, no or unavailable.

`jitd.identity.directory` fills these from NSS, off the worker; the pure middle only reads them.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from jitd.core import principals


class Answer(Enum):
    """Whether something is so; UNAVAILABLE when the source could not be asked (LDAP down)."""

    YES = "yes"
    NO = "no"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the system says of one user name.

    `exists` tells whether there is such a user; `uid` is None unless it is YES, or somebody knows already whom they ask
    about. `can_log_in` is false for an
    expired account or a nologin shell. `groups` are those known for sure; `unavailable` are groups whose
    membership could not be asked, so that absence from `groups` says nothing about them.
    """

    name: str
    exists: Answer
    uid: int | None = None
    can_log_in: bool = True
    groups: frozenset[str] = frozenset()
    unavailable: frozenset[str] = frozenset()
    everything_unavailable: bool = False

    def in_group(self, group: str) -> Answer:
        """Whether the user is a member of `group`."""
        if group in self.groups:
            return Answer.YES
        if self.everything_unavailable or group in self.unavailable:
            return Answer.UNAVAILABLE
        return Answer.NO

    def matches(self, named: Iterable[str], uids: Mapping[str, int]) -> Answer:
        """Whether one of these principals ("alice", "@staff") names this user: YES wins, then UNAVAILABLE.

        `uids` says which uid each named user had when the rule was made: the same name under another uid is somebody
        else. Of a name without one, or of a user without a uid, nobody can tell.
        """
        answers = {
            self.in_group(group)
            if (group := principals.group_of(one)) is not None
            else self._is(principals.user_of(one) or "", uids)
            for one in named
        }
        for answer in (Answer.YES, Answer.UNAVAILABLE):
            if answer in answers:
                return answer
        return Answer.NO

    def _is(self, name: str, uids: Mapping[str, int]) -> Answer:
        if name != self.name:
            return Answer.NO
        meant = uids.get(name)
        if meant is None or self.uid is None:
            return Answer.UNAVAILABLE
        return Answer.YES if meant == self.uid else Answer.NO


def registered(uid: int, name: str) -> Person:
    """What there is to say of somebody whom the system does not know: a uid of jitd's own, a name, and no groups."""
    return Person(name=name, exists=Answer.YES, uid=uid)


class Directory(Protocol):
    """Cached answers about users and groups. `person` never blocks: it is called from the worker thread.

    `changed` is set when an answer is another one than before; whoever waits for it clears it.
    """

    changed: asyncio.Event

    def doubt(self) -> None:
        """Ask about everybody anew at the next `refresh`: something has changed."""

    def person(self, name: str) -> Person:
        """The last answer about this user; UNAVAILABLE for one that was never asked about."""

    async def refresh(self, names: Iterable[str], groups: Iterable[str] = ()) -> None:
        """Ask the system about these users (and whether these groups exist), off the loop, in bounded time."""

    async def refresh_uid(self, uid: int) -> str | None:
        """Ask for the name of a uid, and about that user. Returns the name, None when there is none."""

    async def has_name(self, uid: int) -> Answer:
        """Whether the system has a name for a uid, whoever made it up: holds up no other question."""

    async def local_uids(self) -> frozenset[int]:
        """The uids of local users, as far as they can be read."""

    def is_system(self, uid: int) -> bool:
        """Whether a uid is root's or a service's: outside the range that the system gives to people."""

    def group_exists(self, name: str) -> Answer:
        """The last answer about whether this group exists."""

    def members(self, group: str) -> frozenset[str] | None:
        """Who is in a group, as far as can be told; None when it cannot be looked up."""
