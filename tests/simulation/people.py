"""The system's users and groups: they come and go, and the directory that knows them may be down or hang.

Stands for the module `jitd.identity.nss` below the real `jitd.identity.directory`.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from jitd.identity import nss
from simulation.faults import Failed, Faults

NAMES_US: Final = 300


@dataclass(frozen=True, slots=True)
class Somebody:
    """A line of passwd."""

    uid: int
    shell: str = "/bin/bash"


class People:
    """What the directory would say if it were asked."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.users: dict[str, Somebody] = {"root": Somebody(0)}
        self.groups: dict[str, frozenset[str]] = {}
        self.changes = 0
        self.module = _Module(self)

    # --- what happens to them ---

    def come(self, name: str, uid: int) -> None:
        """useradd."""
        self.users[name] = Somebody(uid)
        self.changes += 1

    def go(self, name: str) -> None:
        """userdel, which takes the user out of all groups, too."""
        self.users.pop(name, None)
        self.groups = {group: members - {name} for group, members in self.groups.items()}
        self.changes += 1

    def shell(self, name: str, shell: str) -> None:
        """usermod -s."""
        self.users[name] = replace(self.users[name], shell=shell)
        self.changes += 1

    def put(self, name: str, group: str, *, inside: bool) -> None:
        """gpasswd -a and -d."""
        members = self.groups.get(group, frozenset())
        self.groups[group] = members | {name} if inside else members - {name}
        self.changes += 1

    # --- what is so ---

    def is_in(self, name: str, group: str) -> bool:
        """Whether a user is in a group."""
        return name in self.users and name in self.groups.get(group, ())

    def matches(self, name: str, principals: list[str]) -> bool:
        """Whether a rule names a user."""
        return any(self.is_in(name, one[1:]) if one.startswith("@") else one == name for one in principals)

    def ask(self, what: str) -> None:
        """A question to the directory. Raises nss.Unavailable."""
        try:
            self._faults.meet("names", what, NAMES_US)
        except Failed as failure:
            raise nss.Unavailable(failure.why) from failure


class _Module:
    """As `jitd.identity.nss`."""

    def __init__(self, people: People) -> None:
        self._people = people

    def __getattr__(self, name: str) -> Any:
        return getattr(nss, name)

    def user_by_name(self, name: str) -> nss.User | None:
        """As jitd.identity.nss."""
        self._people.ask(f"user {name}")
        found = self._people.users.get(name)
        return nss.User(name, found.uid, found.uid, found.shell) if found else None

    def user_by_uid(self, uid: int) -> nss.User | None:
        """As jitd.identity.nss."""
        self._people.ask(f"uid {uid}")
        for name, found in self._people.users.items():
            if found.uid == uid:
                return nss.User(name, uid, uid, found.shell)
        return None

    def group_by_name(self, name: str) -> nss.Group | None:
        """As jitd.identity.nss."""
        self._people.ask(f"group {name}")
        members = self._people.groups.get(name)
        return None if members is None else nss.Group(name, _gid(name), members)

    def gids_of(self, user: nss.User) -> frozenset[int]:
        """As jitd.identity.nss."""
        self._people.ask(f"groups of {user.name}")
        mine = {_gid(group) for group, members in self._people.groups.items() if user.name in members}
        return frozenset({user.gid} | mine)

    def expires_day(self, name: str) -> int | None:
        """As jitd.identity.nss."""
        return None


def _gid(group: str) -> int:
    number = 0
    for one in group:
        number = (number * 31 + ord(one)) % 50_000
    return 2_000 + number


class NoFiles:
    """A jitd.identity.localfiles.LocalFiles where users come from elsewhere."""

    def signature(self) -> None:
        """Nothing is known by files alone."""

    def users(self) -> dict[str, Any]:
        """Nobody."""
        raise OSError("there are no local files")
