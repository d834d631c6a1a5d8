"""Whom a notice is for, and where they get mail."""

from collections.abc import Iterable
from dataclasses import dataclass

from jitd.core import principals, text
from jitd.core.commandline import command
from jitd.core.model import Account, Network
from jitd.core.people import Answer
from jitd.reconcile.access import People
from jitd.store import accounts, devices, networks
from jitd.store.database import Rows


@dataclass(frozen=True, slots=True)
class Deciders:
    """Administrators, or those who decide about a network: their names, and the groups of which nobody can say now who is
    in them.
    """

    names: frozenset[str]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, people: People, network: Network | None = None) -> "Deciders":
        """As the system says; root is nobody's name. Without a network, the administrators."""
        admins = cls._of_groups(people, people.admin_groups)
        named = cls.named(people, network) if network is not None else cls(frozenset(), ())
        return cls(admins.names | named.names, tuple(sorted({*admins.unknown, *named.unknown})))

    @classmethod
    def named(cls, people: People, network: Network) -> "Deciders":
        """The approvers alone. Somebody else who has the name of one by now is none."""
        found = cls._of_groups(people, principals.groups(network.approvers))
        return cls(found.names | people.named(network, "approvers") - {"root"}, found.unknown)

    @classmethod
    def _of_groups(cls, people: People, groups: Iterable[str]) -> "Deciders":
        found, unknown = set[str](), set[str]()
        for group in groups:
            members = people.directory.members(group)
            if members is None:
                unknown.add(group)
            else:
                found |= members
        return cls(frozenset(found - {"root"}), tuple(sorted(unknown)))


def decider(rows: Rows, people: People, name: str) -> tuple[bool, Account | None]:
    """(whether there is anybody of this name, their account). Who had the name before is somebody else."""
    person = people.directory.person(name)
    if person.exists is Answer.NO:
        account = accounts.registered(rows, name)
        return account is not None, account
    if person.uid is None:
        return True, accounts.of_name(rows, name)
    return True, accounts.find(rows, person.uid, name)


def all_deciders(rows: Rows, people: People) -> frozenset[str]:
    """The names of those who decide about anything, as far as they are known."""
    return frozenset().union(*(Deciders.of(people, one).names for one in [None, *networks.all_(rows)]))


def without_address(rows: Rows, people: People, domain: str) -> list[str]:
    """A line for those who would be told something, and of whom nobody knows where: device owners and deciders."""
    concerned: dict[str, Account | None] = {one.name: one for one in devices.owners(rows)}
    for name in all_deciders(rows, people):
        known, account = decider(rows, people, name)
        if known:
            concerned[name] = concerned.get(name) or account
    nowhere = sorted(
        name
        for name, account in concerned.items()
        if (account is None or account.told) and not address_of(name, account, domain)
    )
    if not nowhere:
        return []
    more = f" and {len(nowhere) - 5} more" if len(nowhere) > 5 else ""
    return [
        f"nobody knows where to send mail to {', '.join(nowhere[:5])}{more} ("
        + command("user set", nowhere[0], email="ADDRESS")
        + ", or email_domain under [mail])"
    ]


def address_of(name: str, account: Account | None, domain: str) -> str:
    """Where somebody gets mail, "" when that is not known or they do not want any."""
    if account is not None and not account.told:
        return ""
    if account is not None and account.email:
        return account.email
    # Names of directory services may hold an @ or a backslash, with which they are no addresses.
    guessed = f"{name}@{domain}" if account is None or not account.is_registered else ""
    return guessed if text.is_mail_address(guessed) else ""
