"""events: the audit log, in pages. Nothing here changes anything."""

from typing import Final, NotRequired, TypedDict

from jitd import wire
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.store import events, networks
from jitd.verbs import views
from jitd.verbs.context import View

EVENT_PAGE: Final = 500
#: `last` may ask for so many events, which are held until the first of them is known.
LONGEST_LAST: Final = 10_000


class Page(TypedDict):
    """Some events. `next` is the SEQ behind which there may be more; `before` that below which there are more, None: none are."""

    events: list[wire.EventView]
    next: int
    before: NotRequired[int | None]


def events_(view: View, query: wire.EventsQuery) -> Page:
    """Events after a SEQ, or with `last` the newest below one; oldest first, at most EVENT_PAGE. Users see those that
    concern them.
    """
    last = query.get("last")
    if last is not None and not 1 <= last <= LONGEST_LAST:
        raise JitError(
            "bad_request",
            f"cannot show the last {last} events",
            f"Use a number from 1 to {LONGEST_LAST}, or none for all.",
        )
    if "before" in query and last is None:
        raise JitError("bad_request", "cannot use before without last", "Say how many: last=100.")
    if last is not None and "after" in query:
        raise JitError("bad_request", "cannot use last and after together", "Use one of them.")
    concerns: events.Concerns | None = None
    if not view.by_admin:
        decided = view.decidable()
        user = query.get("user")
        if user is not None and user != view.actor.user and not decided:
            raise JitError(
                "not_permitted",
                f"cannot show the events of {user} to {view.actor.user}",
                "To see your own events: "
                + command("events")
                + f". For other users, ask {view.administrators}.",
            )
        names = {number: networks.by_id(view.rows, number).name for number in decided}
        concerns = events.Concerns(view.actor.user, view.actor.uid, names)
    wanted = events.Filter(
        since_ms=query.get("since"),
        until_ms=query.get("until"),
        user=query.get("user"),
        concerns=concerns,
        network=query.get("network"),
        request_id=query.get("id"),
        kind=query.get("kind"),
    )
    if "last" in query:
        newest = events.last_seq(view.rows)
        limit = min(query["last"], EVENT_PAGE)
        back = events.page_back(view.rows, wanted, before=query.get("before"), limit=limit)
        return {
            "events": [views.event_view(event) for event in back.events],
            "next": newest,
            "before": back.reached,
        }
    found = events.page(view.rows, wanted, after=query.get("after", 0), limit=EVENT_PAGE)
    # `next` moves past what a filter hid, so that a watcher does not read the same again and again.
    return {"events": [views.event_view(event) for event in found.events], "next": found.reached}
