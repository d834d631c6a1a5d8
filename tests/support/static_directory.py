"""Users and groups for tests that are not about NSS: the answers are set, not looked up."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from jitd.core.people import Answer, Person


class StaticDirectory:
    """A jitd.core.people.Directory whose answers a test sets."""

    def __init__(self, users: dict[str, tuple[int, Iterable[str]]], groups: Iterable[str] = ()) -> None:
        self.people = {
            name: Person(name=name, exists=Answer.YES, uid=uid, groups=frozenset(mine))
            for name, (uid, mine) in users.items()
        }
        self.changed = asyncio.Event()
        self.silent: set[str] = set()  # groups of which nobody can say who is in them
        self.groups = set(groups) | {group for person in self.people.values() for group in person.groups}

    def doubt(self) -> None:
        """Nothing to ask: the answers are set."""

    def person(self, name: str) -> Person:
        """The answer that was set."""
        return self.people.get(name) or Person(name=name, exists=Answer.NO)

    def name_of(self, uid: int) -> str | None:
        """The name that was set for a uid."""
        return next((name for name, person in self.people.items() if person.uid == uid), None)

    async def refresh(self, names: Iterable[str], groups: Iterable[str] = ()) -> None:
        """Nothing to ask: the answers are set."""

    async def refresh_uid(self, uid: int) -> str | None:
        """The name that was set for a uid."""
        return self.name_of(uid)

    async def has_name(self, uid: int) -> Answer:
        """Whether there is a name."""
        return Answer.NO if self.name_of(uid) is None else Answer.YES

    async def local_uids(self) -> frozenset[int]:
        """Nobody is local."""
        return frozenset()

    def group_exists(self, name: str) -> Answer:
        """Whether a group was named."""
        return Answer.YES if name in self.groups else Answer.NO

    def members(self, group: str) -> frozenset[str] | None:
        """Who was put into a group; None for one that is silent."""
        if group in self.silent:
            return None
        return frozenset(name for name, person in self.people.items() if group in person.groups)

    def is_system(self, uid: int) -> bool:
        """As on Debian: people begin at 1000."""
        return uid < 1000 or uid == 65534

    def remove(self, name: str) -> None:
        """The user is gone."""
        del self.people[name]

    def unavailable(self, name: str) -> None:
        """The user cannot be looked up."""
        self.people[name] = Person(name=name, exists=Answer.UNAVAILABLE, everything_unavailable=True)

    def put_into(self, name: str, group: str) -> None:
        """The user becomes a member of a group."""
        person = self.people[name]
        self.people[name] = replace(person, groups=person.groups | {group})
        self.groups.add(group)

    def take_out_of(self, name: str, group: str) -> None:
        """The user is no member of a group any more."""
        person = self.people[name]
        self.people[name] = replace(person, groups=person.groups - {group})
