"""Events as lines: of a request's history, and of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jitctl.render import times, words
from jitctl.render.output import clean, hang, out, out_flush

if TYPE_CHECKING:
    from jitd import wire


def print_history(reply: wire.ShowReply) -> None:
    """Print the history of one request. Where it is long, jitd has left events out in the middle of it."""
    events, left_out, number = reply["events"], reply.get("left_out", 0), reply["request"]["id"]
    gap = max(range(1, len(events)), key=lambda at: events[at]["seq"] - events[at - 1]["seq"], default=0)
    for at, event in enumerate(events):
        if left_out and at == gap:
            out(f"… {left_out} events are left out here: jitctl events --id {number} --all")
        when, told = line(event).split("  ", 1)
        hang(f"{when}  ", told)


def line(event: wire.EventView) -> str:
    """An event of one request as a line of its history: when, by whom, what, from where."""
    return _line(event, "")


def entry(event: wire.EventView) -> str:
    """An event as a line among those of others: as `line`, with the request that it is about and whose that is."""
    about = f", {event['id']}" if event["id"] else ""
    if about and event["user"] and event["user"] != words.by(event):
        about += f" of {clean(event['user'])}"
    return _line(event, about)


def _line(event: wire.EventView, about: str) -> str:
    origin = f" [{clean(event['actor']['origin'])}]" if event["actor"] and event["actor"]["origin"] else ""
    return f"{times.local(event['at'])}  {words.by(event)}{about}: {words.sentence(event)}{origin}"


def print_event(event: wire.EventView, *, flush: bool = False) -> None:
    """Print an event behind its number, in colour where somebody has to notice it."""
    at, told = entry(event).split("  ", 1)
    hang(f"{event['seq']:>6}  {at}  ", told, style=words.colour(event))
    if flush:
        out_flush()
