"""Whom the rules of networks name: that (uid, name), and nobody who has the name later."""

from typing import NamedTuple

from jitd.core import principals, settings
from jitd.core.commandline import command
from jitd.core.model import REGISTERED, Network
from jitd.core.people import Answer
from jitd.reconcile.access import People
from jitd.store import accounts, networks
from jitd.store.database import Rows


class Stale(NamedTuple):
    """An entry of a rule that names nobody who is there, why, and the command that takes it away."""

    network: str
    key: str
    name: str
    why: str
    command: str


def users(rows: Rows) -> frozenset[str]:
    """The names of all users whom a rule names."""
    named = frozenset[str]().union(*(one.principals for one in networks.all_(rows)))
    return frozenset(principals.users(named))


def bind(rows: Rows, people: People) -> None:
    """Give a uid to each user whom a rule of an older jitd names: the one who was known here last by the name, else who
    has it now. Nobody is meant before that.
    """

    def uid_of(name: str) -> int | None:
        known = accounts.of_name(rows, name)
        if known is not None:
            return known.uid
        person = people.directory.person(name)
        return person.uid if person.exists is Answer.YES else None

    for network in networks.all_(rows):
        missing = network.unbound()
        found = [(where, name, uid) for where, name in missing if (uid := uid_of(name)) is not None]
        if found:
            networks.keep_bound(rows, network.id, [*network.bound, *found])


def stale(rows: Rows, people: People) -> list[Stale]:
    """The entries of rules that mean nobody any more, for sure."""
    fields = {one.field: one.key for one in settings.SETTINGS}
    found = []
    for network in networks.all_(rows):
        for where, name, uid in network.bound:
            why = _gone(rows, people, name, uid)
            if why:
                key = fields[where]
                found.append(Stale(network.name, key, name, why, _without(network, where, key, name)))
        for where, name in network.unbound():
            key, why = fields[where], "the uid of this user is not known yet"
            found.append(Stale(network.name, key, name, why, _without(network, where, key, name)))
    return found


def _without(network: Network, where: str, key: str, name: str) -> str:
    """The command that takes a name out of a rule; an automatic approval as a whole."""
    change = f"{key}-={principals.as_value(name)}"
    if where == "jit_auto_approve":
        rules = [str(rule) for rule in network.jit_auto_approve if principals.of_user(name) in rule.who]
        change = f"{key}-={';'.join(rules)}"
    return command("network set", network.name, change)


def _gone(rows: Rows, people: People, name: str, uid: int) -> str:
    if uid <= REGISTERED:
        now = accounts.registered(rows, name)
        return "" if now is not None and now.uid == uid else "another person is registered with this name now"
    person = people.directory.person(name)
    if person.exists is Answer.NO:
        return "this user no longer exists"
    if person.uid is not None and person.uid != uid:
        return f"uid {uid} had this name, and now uid {person.uid} has it"
    return ""
