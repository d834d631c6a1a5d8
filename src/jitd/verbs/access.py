"""Who may call a verb. The API's table says it for each of them, and the engine asks it before the verb runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

from jitd.core import policy
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Account, Network
from jitd.verbs.concerned import NOBODY, Concerned
from jitd.verbs.context import View


class Role(Flag):
    """What a caller is to a verb, or to the object that it is about."""

    ADMIN = auto()  # administers this gateway
    DECIDER = auto()  # decides about requests for the network; administrators decide about every network
    OWNER = auto()  # whom the request, the grant or the device belongs to
    PERSON = auto()  # anybody for themselves, but root, system accounts and shared accounts
    GATE = auto()  # a shared account, which says whom it speaks for
    METRICS = auto()  # reads metrics: members of [metrics] group, and administrators
    ANY = auto()  # everybody; what they see depends on who they are


@dataclass(frozen=True, slots=True)
class Object:
    """What access depends on. Whoever neither owns it nor decides about it is told `hidden`: as if it were not there."""

    hidden: JitError
    owner: Account | None = None
    networks: tuple[Network, ...] = ()  # whoever decides about all of them decides; none: administrators do
    number: int = 0


#: Finds the object that a body names. Raises JitError for what is not there; None: the caller's own alone is meant.
Loader = Callable[[View, Any], Object | None]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a verb: whoever has one of the roles, to the object that `loader` finds where it depends on one.

    `action` ends the refusal "cannot …".
    """

    roles: Role
    action: str = ""
    loader: Loader | None = None

    def __post_init__(self) -> None:
        """A table with a line that could not be checked, or refused in words, must not start."""
        depends = bool(self.roles & (Role.OWNER | Role.DECIDER | Role.PERSON))
        alone = self.roles in (Role.ADMIN, Role.OWNER, Role.DECIDER, Role.METRICS)
        if not self.roles or bool(self.action) != alone or bool(self.loader) != depends:
            raise ValueError(f"{self.roles} with the action {self.action!r} and the loader {self.loader}")

    def require(self, view: View, body: Any) -> None:
        """Let only those go on who have one of the roles. Raises JitError not_permitted, or what the loader raises."""
        if self.roles is Role.ADMIN:
            view.require_admin(self.action)
        if self.roles is Role.METRICS:
            view.require_metrics(self.action)
        if self.roles is Role.GATE:
            view.require_gate()
        found = self.loader(view, body) if self.loader is not None else None
        if found is None:
            return
        owns = found.owner is not None and policy.is_own(view.actor, found.owner)
        decides = all(view.decides(one) for one in found.networks) if found.networks else view.by_admin
        if not owns and not decides:
            raise found.hidden
        if (owns and Role.OWNER in self.roles) or (decides and Role.DECIDER in self.roles):
            return
        if not decides:
            for network in found.networks:
                view.require_decider(network, self.action)
        assert found.owner is not None
        raise JitError(
            "not_permitted",
            f"cannot {self.action} {found.number}: it is {found.owner.name}'s",
            "An administrator ends it with "
            + command("revoke", found.number)
            + " or "
            + command("deny", found.number),
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """What the API's table says of a verb to the engine, which runs no other one."""

    access: Access
    concerns: Concerned = NOBODY


def person(view: View, body: Any) -> None:
    """Whom a user's verb is about. Raises JitError where the caller may not act for them."""
    view.subject(body.get("user"))


def admins(action: str) -> Access:
    """Administrators only. `action` ends the sentence "cannot …"."""
    return Access(Role.ADMIN, action)


def owners(action: str, loader: Loader) -> Access:
    """Only whom it belongs to."""
    return Access(Role.OWNER, action, loader)


def deciders(action: str, loader: Loader) -> Access:
    """Only who decides about it."""
    return Access(Role.DECIDER, action, loader)


def either(loader: Loader) -> Access:
    """Whom it belongs to, and who decides about it."""
    return Access(Role.OWNER | Role.DECIDER, loader=loader)
