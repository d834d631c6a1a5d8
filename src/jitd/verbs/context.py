"""One call of a verb: who asks, when, and what the verb may use. Verbs are plain functions of (call, body)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jitd import wire
from jitd.core import principals, text
from jitd.core.commandline import command
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.firewall import IPAddress, Rules
from jitd.core.model import REGISTERED, Account, Actor, Interface, Network, Now, Request
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict
from jitd.enforce.firewallport import Firewall
from jitd.enforce.hostport import HostReader
from jitd.enforce.owner import Owner
from jitd.enforce.port import LinkSpec, WireGuard
from jitd.reconcile.access import People
from jitd.reconcile.changeset import ChangeSet
from jitd.reconcile.drift import Drift
from jitd.store import accounts, networks
from jitd.store.database import Rows
from jitd.store.events import Recorder

Body = Mapping[str, Any]
Reply = Mapping[str, object]
T = TypeVar("T")
R = TypeVar("R", bound=Reply)


@dataclass(slots=True, kw_only=True)
class View:
    """What a reply or a query is rendered from. Used by changes and by queries alike."""

    rows: Rows
    actor: Actor
    now: Now
    people: People
    config: Config
    drift: Drift
    backend: str
    firewall: Firewall  # only to be asked what it is, and to look around
    rules: Callable[[Rows], Rules]
    gateway: Callable[
        [int], tuple[IPAddress, ...]
    ]  # the gateway's own addresses on an interface, as last read back
    started_ms: int
    owner_of: Callable[[str], Owner]  # who makes an interface that is adopted
    #: Of a reader: the SEQ up to which the kernel was compared with what was recorded; None: nothing is on its way.
    settled: int | None = None
    #: Of a change that several have agreed to: its number. It is made by whoever was the last of them.
    agreed: int | None = None

    def person(self, name: str) -> Person:
        """What the system says of a user name."""
        return self.people.directory.person(name)

    def admin(self, name: str, uid: int) -> Verdict:
        """Whether a user administers this gateway."""
        return self.people.admin(name, uid)

    @property
    def by_admin(self) -> bool:
        """Whether the caller administers this gateway, for sure."""
        return bool(self.admin(self.actor.user, self.actor.uid))

    def require_admin(self, what: str) -> None:
        """Let only administrators go on, or what several have agreed to. `what` ends the sentence "cannot …"."""
        if self.agreed is not None:
            return
        verdict = self.admin(self.actor.user, self.actor.uid)
        if not verdict:
            raise JitError(
                "not_permitted",
                f"cannot {what} as {self.actor.user}: {verdict.why}",
                f"Ask {self.administrators}, or use sudo.",
            )

    def require_metrics(self, what: str) -> None:
        """Let only those go on who may read metrics. `what` ends the sentence "cannot …"."""
        if self.by_admin:
            return
        group, actor = self.config.metrics.group, self.actor
        member = self.people.person(actor.uid, actor.user).in_group(group) if group else Answer.NO
        if member is Answer.YES:
            return
        why = (
            f"only members of the group {group} and administrators may"
            if group
            else "only administrators may"
        )
        unknown = ", and who is a member cannot be looked up now" if member is Answer.UNAVAILABLE else ""
        raise JitError(
            "not_permitted",
            f"cannot {what} as {actor.user}: {why}{unknown}",
            f"Ask {self.administrators}, or use sudo. [metrics] group in jitd.toml names the group of those who may.",
        )

    def require_gate(self) -> None:
        """Let only shared accounts go on that the configuration trusts to say whom they speak for."""
        actor = self.actor
        if actor.uid <= REGISTERED or actor.user not in self.config.daemon.gate_users or self.by_admin:
            raise JitError(
                "not_permitted",
                f"cannot act for another user as {actor.user}: the configuration does not allow it for this "
                "account",
                "An administrator adds the shared account, which must not be an administrator, to [daemon] "
                "gate_users in jitd.toml.",
            )

    def decides(self, network: Network) -> bool:
        """Whether the caller decides about requests for the network, for sure."""
        return bool(self.people.may_decide(network, self.actor.uid, self.actor.user))

    def decidable(self) -> frozenset[int]:
        """The ids of the networks that the caller decides about."""
        return frozenset(network.id for network in networks.all_(self.rows) if self.decides(network))

    def require_decider(self, network: Network, what: str) -> None:
        """Let only those go on who decide about the network. `what` ends the sentence "cannot …"."""
        verdict = self.people.may_decide(network, self.actor.uid, self.actor.user)
        if not verdict:
            raise JitError(
                "not_permitted",
                f"cannot {what} as {self.actor.user}: {verdict.why}",
                f"Ask {self.deciders(network)}, or use sudo. Permanent approvers are set with "
                + command("network set", network.name, f"approvers+={principals.as_value(self.actor.user)}"),
            )

    @property
    def administrators(self) -> str:
        """Whom to ask for what only administrators may."""
        groups = self.config.daemon.admin_groups
        return f"an administrator (group {' or '.join(groups)})" if groups else "root"

    def deciders(self, network: Network) -> str:
        """Whom to ask for a decision about the network."""
        return " or ".join([*network.approvers, self.administrators])

    @property
    def person_behind(self) -> tuple[int, str]:
        """(uid, name) of the caller; of who logged in, where that one has become root."""
        if self.actor.uid == 0 and self.actor.login_uid and self.actor.login_user:
            return self.actor.login_uid, self.actor.login_user
        return self.actor.uid, self.actor.user

    def subject(self, user: str | None = None) -> tuple[int, str]:
        """(uid, name) of whom a user's verb is about: the caller, who logged in behind root, or a named user.

        Only administrators may name someone else. Raises JitError not_permitted or not_found.
        """
        if user is not None and user != self.actor.user:
            if not self.by_admin:
                raise JitError(
                    "not_permitted",
                    f"cannot act for {user} as {self.actor.user}: only administrators may act for other "
                    "users",
                    f"Omit --user, or ask {self.administrators}.",
                )
            return self.somebody(user)
        uid, name = self.person_behind
        if uid > REGISTERED and name in self.config.daemon.gate_users:
            raise JitError(
                "not_permitted",
                f"cannot do this as {name}: several people share this account",
                "Its authorized_keys has to identify you; see " + command("gate", help=True),
            )
        if not self._may_own(uid):
            raise JitError(
                "not_permitted",
                f"cannot do this as {name}: root and system accounts have no devices and no requests",
                "Run it as that user, or name the user with --user.",
            )
        return uid, name

    def somebody(self, typed: str) -> tuple[int, str]:
        """(uid, name) of whom an administrator names: as NAME who is there, else who was known here by it last; as
        NAME:UID one of several who had the name.

        Whoever is gone can still be named, to see and to remove what is stored of them. Raises JitError not_found, refused or
        busy.
        """
        name, colon, number = typed.rpartition(":")
        if colon:
            uid = int(number) if re.fullmatch(r"-?[0-9]{1,10}", number, re.ASCII) else None
            if uid is None or accounts.find(self.rows, uid, name) is None:
                raise JitError(
                    "not_found",
                    f"cannot find {text.clean(typed)[:40]!r}: no user with this name and uid is known here",
                    "See " + command("user list"),
                )
            return uid, name
        try:
            return self.existing_user(typed), typed
        except JitError as error:
            known = accounts.of_name(self.rows, typed)
            if known is None or error.code not in ("not_found", "busy"):
                raise
            return known.uid, known.name

    def label(self, account: Account) -> str:
        """What an administrator types for an account: its name, or NAME:UID where the name means somebody else by now."""
        try:
            means = self.somebody(account.name)
        except JitError:
            return f"{account.name}:{account.uid}"
        return account.name if means == (account.uid, account.name) else f"{account.name}:{account.uid}"

    def existing_user(self, name: str) -> int:
        """The uid of somebody who may own devices: registered here, or a user of the system.

        Raises JitError not_found, refused or busy.
        """
        known = accounts.registered(self.rows, name)
        if known is not None:
            return known.uid
        person = self.person(name)
        if person.exists is Answer.UNAVAILABLE:
            raise JitError(
                "busy",
                f"cannot look up the user {name[:40]!r} now: the system's user database does not answer",
                "Try again when getent passwd answers.",
            )
        if person.exists is Answer.NO or person.uid is None:
            raise JitError(
                "not_found",
                f"cannot find a user {name[:40]!r} on this system",
                "getent passwd lists the users.",
            )
        if not self._may_own(person.uid):
            raise JitError(
                "refused", f"cannot use {name}: root and system accounts have no devices and no requests"
            )
        return person.uid

    def _may_own(self, uid: int) -> bool:
        """Whether a uid may own devices: people may, root and system accounts may not.

        An ordinary user who runs jitd for themselves is a person, whatever the uid.
        """
        if uid == self.people.daemon_uid:
            return uid != 0
        if uid <= REGISTERED:
            return True
        return uid != 0 and not self.people.directory.is_system(uid)

    def account(self, user: str | None = None) -> Account | None:
        """The account of the subject, None when it has never owned a device or asked."""
        return accounts.find(self.rows, *self.subject(user))


@dataclass(slots=True, kw_only=True)
class Call(View):
    """A verb that changes something, inside its transaction."""

    wireguard: WireGuard
    host: HostReader
    link_spec: Callable[[Interface], LinkSpec]
    forget_interface: Callable[[int], None]  # after a removal: nothing of it is retried any more
    touched: ChangeSet = field(default_factory=ChangeSet)
    ended: list[Request] = field(default_factory=list)  # grants that end here, as they were before
    undo: list[Callable[[], None]] = field(default_factory=list)  # run when the transaction fails
    recorded_later: bool = False  # it was done when it could not be recorded
    agrees: bool = True  # whether the kernel does, where the reply is rendered
    waiting: str = ""  # for what it does not

    def change_reply(self) -> wire.ChangeReply:
        """What is in every reply to a verb that changes something; of a plan, that nothing waits."""
        return {"now": self.now.wall_ms, "agrees": self.agrees, "waiting": self.waiting}

    def own_account(self, user: str | None = None) -> Account:
        """The account of the subject, made when it is new."""
        return accounts.ensure(self.rows, *self.subject(user), self.now.wall_ms)

    @property
    def event(self) -> Recorder:
        """Records what happened, in the transaction of what happened, as done by the caller."""
        return Recorder(self.rows, self.now.wall_ms, self.actor, later=self.recorded_later)


class PlanOnly(Exception):
    """Ends a transaction without its changes and gives the reply that says what they would have been."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("plan")
        self.reply = reply


Render = Callable[[Call], R]
ChangeVerb = Callable[[Call, Any], Render[Reply]]
QueryVerb = Callable[[View, Any], T]
#: Reads the interfaces too, and so runs in the worker; changes nothing.
PeekVerb = Callable[[Call, Any], T]
