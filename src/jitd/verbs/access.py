"""Who may call a verb. The API's table says it for each of them, and the engine asks it before the verb runs."""

from dataclasses import dataclass
from enum import Flag, auto

from jitd.verbs.context import View


class Role(Flag):
    """What a caller is to a verb, or to the object that it is about."""

    ADMIN = auto()  # administers this gateway
    DECIDER = auto()  # decides about requests for the network; administrators decide about every network
    OWNER = auto()  # whom the request, the grant or the device belongs to
    PERSON = auto()  # anybody for themselves, but root, system accounts and shared accounts
    GATE = auto()  # a shared account, which says whom it speaks for
    ANY = auto()  # everybody; what they see depends on who they are


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a verb: whoever has one of the roles.

    Administrators alone are checked here, which needs no object; `action` ends the refusal "cannot …". Every other role
    depends on the object, which the verb finds and checks (verbs/lookup.py).
    """

    roles: Role
    action: str = ""

    def __post_init__(self) -> None:
        """A table with a line that could not be refused in words must not start."""
        if not self.roles or bool(self.action) != (self.roles is Role.ADMIN):
            raise ValueError(f"{self.roles} with the action {self.action!r}")

    def require(self, view: View) -> None:
        """Raise JitError not_permitted where only administrators may go on, and the caller is none."""
        if self.roles is Role.ADMIN:
            view.require_admin(self.action)


def admins(action: str) -> Access:
    """Administrators only. `action` ends the sentence "cannot …"."""
    return Access(Role.ADMIN, action)
