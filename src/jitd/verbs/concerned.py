"""Whom the system has to be asked about before a verb runs, besides its caller: the API's table says it for each route."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jitd.core import policyfile, principals, settings
from jitd.store import changes, requests
from jitd.store.database import Rows


@dataclass(frozen=True, slots=True)
class Names:
    """Of users and of groups."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __or__(self, other: "Names") -> "Names":
        """All of both."""
        return Names(self.users | other.users, self.groups | other.groups)


@dataclass(frozen=True, slots=True)
class Concerned:
    """`named` is whom a body names: only administrators' questions are worth that, because others act for themselves
    alone. `stored` is who stands behind what it names.
    """

    named: Callable[[Any], Names] | None = None
    stored: Callable[[Rows, Any], Names] | None = None


def _user(body: Any) -> Names:
    users = [body["user"]] if body.get("user") else []
    return _known_as(users) | Names(groups=frozenset([body["group"]] if body.get("group") else []))


def _known_as(typed: list[str]) -> Names:
    # NAME:UID is one of several who had the name.
    return Names(frozenset(one.partition(":")[0] for one in typed))


def _of_rules(named: set[str]) -> Names:
    users = frozenset(principals.users(named))
    # A user whose name is that of a group was perhaps meant as one.
    return Names(users, users | frozenset(principals.groups(named)))


def _rules(body: Any) -> Names:
    return _of_rules({*(body.get("members") or ()), *settings.principals(body.get("changes") or ())})


def _policy(body: Any) -> Names:
    return _of_rules(policyfile.principals(body["text"]))


def _request(rows: Rows, body: Any) -> Names:
    """Whose request this is, and who has agreed to it."""
    request = requests.by_id(rows, body["id"]) if body.get("id") is not None else None
    if request is None:
        return Names()
    voters = {vote.name for vote in requests.votes(rows, request.id)}
    return Names(frozenset({request.account.name, *voters}))


def _change(rows: Rows, body: Any) -> Names:
    """Whom the rules of a change name, and who has agreed to it."""
    change = changes.by_id(rows, body["id"])
    if change is None:
        return Names()
    found = _policy(change.body) if "text" in change.body else _rules(change.body)
    return found | Names(frozenset(one.name for one in changes.votes(rows, change.id)))


NOBODY: Final = Concerned()
USER: Final = Concerned(_user)
USERS: Final = Concerned(lambda body: _known_as(body.get("users") or []))
OWNERS: Final = Concerned(lambda body: _known_as([line["user"] for line in body["devices"]]))
RULES: Final = Concerned(_rules)
POLICY: Final = Concerned(_policy)
REQUEST: Final = Concerned(stored=_request)
USER_OR_REQUEST: Final = Concerned(_user, _request)
CHANGE: Final = Concerned(stored=_change)
