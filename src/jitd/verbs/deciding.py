"""Whether enough people are left who may decide: a group becomes empty later, an account ends, a rule stays as it was."""

import logging

from jitd.core import principals
from jitd.core.choices import Status
from jitd.core.events import Comment, EventKind
from jitd.core.model import Network, Now, Request
from jitd.core.people import Answer
from jitd.notify.recipients import Deciders, decider
from jitd.reconcile.access import People
from jitd.store import networks
from jitd.store.database import Rows
from jitd.store.events import Recorder

log = logging.getLogger("jitd.service")


def shortage(rows: Rows, people: People, network: Network, asker: str = "") -> str | None:
    """Why a request of somebody (of anybody, where nobody is named) cannot be granted by those who are there; "": it can.

    None: nobody can say now. Root counts as who is behind it; where it is the only one left, that is told too.
    """
    found = Deciders.of(people, network)
    there = sorted(name for name in found.names - {asker} if _is_there(rows, people, name))
    by_root_alone = not network.approvers and not people.admin_groups
    if len(there) >= network.approvals or (by_root_alone and network.approvals <= 1):
        return ""
    if found.unknown:
        return None
    needed = f"{network.approvals} different approvers are needed, and " if network.approvals > 1 else ""
    who = ", ".join(there) or "root"
    missing = [*_missing(people, network), *([f"{asker} asks"] if asker in found.names else [])]
    why = f" ({'; '.join(missing)})" if missing else ""
    return f"{needed}only {who} may decide about {network.name}{why}"


def of_request(rows: Rows, people: People, request: Request, network: Network, now: Now) -> str:
    """Why a request that waits cannot be granted by those who are there; "": it can, it does not wait, or nobody knows."""
    if request.status(now) is not Status.PENDING:
        return ""
    return shortage(rows, people, network, request.account.name) or ""


def _is_there(rows: Rows, people: People, name: str) -> bool:
    known, _ = decider(rows, people, name)
    return known and people.directory.person(name).can_log_in


def _missing(people: People, network: Network) -> list[str]:
    """The groups of deciders that are not there, or empty."""
    found = []
    for group in dict.fromkeys([*principals.groups(network.approvers), *people.admin_groups]):
        if people.directory.group_exists(group) is Answer.NO:
            found.append(f"there is no group {group}")
        elif people.directory.members(group) == frozenset():
            found.append(f"{group} has no members")
    return found


def check(rows: Rows, people: People, now: Now) -> None:
    """Record where too few are left since the last check, and where enough are there again."""
    told = networks.shortages(rows)
    for network in networks.all_(rows):
        why = shortage(rows, people, network)
        if why is None or why == told[network.id]:
            continue
        networks.keep_shortage(rows, network.id, why)
        record = Recorder(rows, now.wall_ms)
        if not why:
            record(EventKind.DECIDABLE, network=network.name)
        else:
            record(EventKind.UNDECIDABLE, Comment(comment=why), network=network.name)
            log.warning("%s", why)
