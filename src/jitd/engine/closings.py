"""Verbs that close: which they are, and what each of them takes away, known without the store.

While the store can be neither written nor, perhaps, read, what the worker last worked out to be open says what is
meant, and who may close it is asked of the same policy. What cannot be told like this is left to the verb itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jitd.core import policy, text
from jitd.core.model import Account, Actor, Device, Freeze, Now
from jitd.reconcile.access import Held, People
from jitd.reconcile.applied import AppliedAccess
from jitd.store.tombstones import Tombstone
from jitd.verbs import freezing, grants, holding, networks, policies, removal, users
from jitd.verbs.context import Body, ChangeVerb


@dataclass(frozen=True, slots=True)
class Known:
    """What is known without the store."""

    applied: AppliedAccess
    people: People
    actor: Actor
    body: Body
    now: Now

    @property
    def is_admin(self) -> bool:
        """Whether the caller administers this gateway, for sure."""
        return bool(self.people.admin(self.actor.user, self.actor.uid))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a closing takes away. `what` is told to whoever closed it, `said` to everybody else."""

    held: Held
    what: str
    said: str
    body: Body


def _revoke(known: Known) -> Scope | None:
    asked = known.body.get("id")
    for one in known.applied.all():
        for reason in one.access.reasons:
            if asked is None or reason.request_id != asked:
                continue
            network = known.applied.behind(one).get(reason.network_id or 0)
            actor, people = known.actor, known.people
            may = (
                bool(people.may_decide(network, actor.uid, actor.user))
                if network is not None
                else known.is_admin
            )
            return _grant(known, asked, one.access.tunnel.account) if may else None
    return None


def _release(known: Known) -> Scope | None:
    found = _own_grant(known)
    return None if found is None else _grant(known, *found)


def _pause(known: Known) -> Scope | None:
    found = _own_grant(known)
    if found is None:
        return None
    number, account = found
    held = Held(paused=frozenset({number}))
    return Scope(held, f"{number}, of {account.name}", f"the pause of {number}", {"id": number})


def _grant(known: Known, number: int, account: Account) -> Scope:
    body = {"id": number, "comment": text.comment(known.body.get("comment"))}
    return Scope(
        Held(grants=frozenset({number})), f"{number}, of {account.name}", f"the end of {number}", body
    )


def _own_grant(known: Known) -> tuple[int, Account] | None:
    """The caller's grant that is meant, and open; None when it cannot be told."""
    asked, network = known.body.get("id"), known.body.get("network")
    own = {
        reason.request_id: one.access.tunnel.account
        for one in known.applied.all()
        for reason in one.access.reasons
        if reason.request_id is not None
        and policy.is_own(known.actor, one.access.tunnel.account)
        and network in (None, reason.network)
        and asked in (None, reason.request_id)
    }
    return next(iter(own.items())) if len(own) == 1 else None


def _freeze(known: Known) -> Scope | None:
    if not known.is_admin:
        return None
    reason = text.reason(known.body["reason"])
    freeze = Freeze(since_ms=known.now.wall_ms, by=known.actor.user, reason=reason)
    return Scope(Held(freeze=freeze), "everything", "a freeze", {"reason": reason})


def _device_remove(known: Known) -> Scope | None:
    user, name = known.body.get("user"), known.body.get("name")
    found: dict[int, tuple[Account, Device]] = {}
    for one in known.applied.all():
        account, device = one.access.tunnel.account, one.access.tunnel.device
        is_own = policy.is_own(known.actor, account) and user in (None, account.name)
        if name in (None, device.name) and (is_own or (user == account.name and known.is_admin)):
            found[device.id] = (account, device)
    if len(found) != 1:
        return None
    ((account, device),) = found.values()
    lost = bool(known.body.get("lost"))
    what = f"{account.name}'s {device.name}"
    said = f"the loss of {what}" if lost else f"the removal of {what}"
    body = {"name": device.name, "user": known.body.get("user"), "lost": lost}
    return Scope(Held(devices=frozenset({device.id})), what, said, body)


def _user_disable(known: Known) -> Scope | None:
    if not known.is_admin:
        return None
    found = {
        one.access.tunnel.account.id
        for one in known.applied.all()
        if one.access.tunnel.account.name == known.body["user"]
    }
    if not found:
        return None
    body = {"user": known.body["user"], "reason": text.reason(known.body["reason"])}
    return Scope(Held(accounts=frozenset(found)), known.body["user"], f"disabling {known.body['user']}", body)


def _network_remove(known: Known) -> Scope | None:
    network = known.applied.network(known.body["name"])
    if network is None or not known.is_admin:
        return None
    held = Held(networks=frozenset({network.id}))
    return Scope(held, network.name, f"the removal of {network.name}", {"name": network.name})


#: The verbs that close, by the names that they are kept under.
CLOSING: Final[Mapping[ChangeVerb, tuple[str, Callable[[Known], Scope | None]]]] = {
    grants.revoke: ("revoke", _revoke),
    holding.release: ("release", _release),
    holding.pause: ("pause", _pause),
    freezing.freeze: ("freeze", _freeze),
    removal.remove: ("device_remove", _device_remove),
    users.disable: ("user_disable", _user_disable),
    networks.remove: ("network_remove", _network_remove),
}
VERBS: Final[Mapping[str, ChangeVerb]] = {name: verb for verb, (name, _) in CLOSING.items()}
#: What the token of a plan begins with that was made without the store.
MADE_BESIDE: Final = "beside-"
#: And those that may narrow what is open: what they take away is cut before it is recorded, too.
NARROWING: Final[frozenset[ChangeVerb]] = frozenset({networks.set_, networks.jit, policies.apply, users.set_})


@dataclass(slots=True, kw_only=True)
class Closing:
    """One closing on its way: cut by whoever is first, and then recorded by the worker.

    `has_cut` is called, in any thread, when both layers have been told to close.
    """

    verb: ChangeVerb
    actor: Actor
    body: Body
    has_cut: Callable[[], None] = field(default=lambda: None)
    #: What it takes away, and what is held for that, once it is.
    scope: Scope | None = None
    tombstone: Tombstone | None = None
    #: The worker is at it; is done with it.
    begun: bool = False
    settled: bool = False
    #: The caller has been told that it is not recorded yet; then the worker is to leave it to the record of what is held.
    is_late: bool = False
    left_to_record: bool = False

    def look(self, applied: AppliedAccess, people: People, now: Now) -> Scope | None:
        """What it takes away; None when that cannot be told without the store, or the caller may not."""
        _, known = CLOSING[self.verb]
        return known(Known(applied, people, self.actor, self.body, now))


def held(tombstone: Tombstone) -> Held:
    """What a tombstone keeps closed."""
    return Held(
        grants=frozenset(tombstone.grants),
        paused=frozenset(tombstone.paused),
        devices=frozenset(tombstone.devices),
        accounts=frozenset(tombstone.accounts),
        networks=frozenset(tombstone.networks),
        freeze=tombstone.freeze,
    )
