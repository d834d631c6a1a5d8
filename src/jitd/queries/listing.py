"""list: pages and counts of requests, and which of them somebody may see."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from jitd import wire
from jitd.core import text
from jitd.core.choices import TAB_OF, Status, Tab, TabName
from jitd.core.errors import JitError
from jitd.core.model import Request
from jitd.store import accounts, networks
from jitd.store import listing as store
from jitd.verbs import changes, views
from jitd.verbs.context import View

LONGEST_PAGE: Final = 500
_LIVE: Final = (Status.ACTIVE, Status.SCHEDULED)


def list_(view: View, query: wire.ListQuery) -> wire.ListReply:
    """A page of requests. Administrators see all, others their own and those that they decide about."""
    wanted = _statuses(query)
    order = query.get("sort", "default")
    limit = query.get("limit", 50)
    if not 1 <= limit <= LONGEST_PAGE:
        raise JitError(
            "bad_request",
            f"cannot list {limit} requests at once",
            f"Use --limit with a number from 1 to {LONGEST_PAGE}.",
        )
    whose = whose_requests(view)
    filters = _filter(view, query, wanted, whose)
    if query.get("count"):
        number = 0 if wanted == frozenset() else store.count(view.rows, filters)
        return {
            "now": view.now.wall_ms,
            "requests": [],
            "next": "",
            "counts": {},
            "decides": _decides(whose),
            "count": number,
            "not_searched": not_searched(query.get("search") or ""),
        }
    found = store.Page([], "")
    if wanted != frozenset():
        found = store.page(
            view.rows,
            filters,
            order=order,
            after=query.get("after", ""),
            limit=limit,
            keep=_keeps(view, wanted),
        )
    known = networks.ever(view.rows)
    return {
        "now": view.now.wall_ms,
        "requests": [views.request_view(view, one, known[one.network_id]) for one in found.requests],
        "next": found.next,
        "counts": _counts(view, whose),
        "decides": _decides(whose),
        "changes": changes.number_waiting(view) if _decides(whose) else 0,
        "not_searched": not_searched(query.get("search") or ""),
    }


def not_searched(search: str) -> list[str]:
    """The words of a search that are not looked for as they are typed: the index has letters and digits alone, and emoji
    and signs of money and mathematics separate words in it. What people put between words (`OPS-12`) goes without saying.
    """
    return [
        text.clean(word)
        for word in dict.fromkeys(search.split())
        if not any(char.isalnum() for char in word)
        or any(unicodedata.category(char).startswith("S") for char in word)
    ]


def _decides(whose: store.Whose | None) -> bool:
    return whose is None or bool(whose.network_ids)


def whose_requests(view: View) -> store.Whose | None:
    """What the caller may see; None: everything."""
    if view.by_admin:
        return None
    account = accounts.find(view.rows, view.actor.uid, view.actor.user)
    return store.Whose(account.id if account else 0, view.decidable())


def _filter(
    view: View, query: wire.ListQuery, wanted: frozenset[Status] | None, whose: store.Whose | None
) -> store.Filter:
    # The store knows what happened; that a granted one is scheduled, active or over now is known only here.
    states = frozenset("granted" if one in _LIVE else str(one) for one in wanted or ())
    if wanted is not None and Status.EXPIRED in wanted:
        states |= {"granted"}
    if wanted is not None and Status.LAPSED in wanted:
        states |= {"pending"}
    filters = store.Filter(
        states=states,
        whose=whose,
        account_ids=_accounts(view, query),
        network_ids=_networks(view, query),
        manager=query.get("managed_by"),
        since_ms=query.get("since"),
        until_ms=query.get("until"),
        search=query.get("search"),
        statuses=wanted,
        now=view.now,
    )
    if query.get("decidable"):
        uid, name = view.person_behind
        own = accounts.find(view.rows, uid, name)
        among = view.decidable()
        filters = replace(
            filters,
            # Whatever else was asked for: only what waits can be decided, and by nobody who asked for it.
            states=frozenset({"pending"}) if not states or "pending" in states else frozenset({"none"}),
            not_account_id=own.id if own else None,
            network_ids=among if filters.network_ids is None else filters.network_ids & among,
        )
    return filters


def _accounts(view: View, query: wire.ListQuery) -> frozenset[int] | None:
    """The accounts that are asked for, by all that names them; None: everybody's."""
    found: frozenset[int] | None = None

    def narrow(ids: frozenset[int]) -> None:
        nonlocal found
        found = ids if found is None else found & ids

    if "user" in query:
        narrow(accounts.ids_of_names(view.rows, {query["user"]}))
    if query.get("mine"):
        uid, name = view.person_behind
        own = accounts.find(view.rows, uid, name)
        narrow(frozenset({own.id} if own else ()))
    if "group" in query:
        view.require_admin("list by group")
        members = view.people.directory.members(query["group"])
        if members is None:
            raise JitError(
                "busy",
                f"cannot list by the group {text.clean(query['group'])[:40]!r}: its members cannot be looked up now",
                "Try again when getent group shows them.",
            )
        narrow(accounts.ids_of_names(view.rows, members))
    return found


def _networks(view: View, query: wire.ListQuery) -> frozenset[int] | None:
    if "network" not in query:
        return None
    return networks.ids_ever_named(view.rows, query["network"])


def _statuses(query: wire.ListQuery) -> frozenset[Status] | None:
    """The statuses to list: those that are named, and of them those on the named tabs; None: all."""
    named, tabs = frozenset(map(Status, query.get("status", []))), query.get("tab", [])
    on_tabs = frozenset(status for status, where in TAB_OF.items() if where in tabs)
    if named and tabs:
        return named & on_tabs
    return named or on_tabs or None


def _keeps(view: View, wanted: frozenset[Status] | None) -> Callable[[Request], bool]:
    if wanted is None:
        return lambda _: True
    return lambda request: request.status(view.now) in wanted


def _counts(view: View, whose: store.Whose | None) -> dict[TabName, int]:
    """Requests by tab."""
    totals: dict[TabName, int] = {tab.value: 0 for tab in Tab}
    for state, number in store.counts(view.rows, whose).items():
        tab = Tab.APPROVED if state == "granted" else TAB_OF[Status(state)]
        totals[tab.value] += number
    return totals
