"""The history behind a request, in sentences, for the people who decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jitctl.render import sentences, times
from jitctl.render.output import clean
from jitctl.render.report import length, percent
from jitd.core import durations
from jitd.core.cells import cut

if TYPE_CHECKING:
    from jitd import wire

_INDENT = 11


def lines(reply: wire.HistoryReply, *, short: bool = False, past_cells: int | None = None) -> list[str]:
    """Facts with their names, as `show` has them; nothing in them is markup or moves a terminal. `short` leaves the single
    requests of before away; `past_cells` is how many cells each of them may take.
    """
    one, now = reply["request"], reply["now"]
    facts = [("asked", asked(reply))]
    if reply["last_grant"] is not None:
        facts.append(("last grant", grant(reply["last_grant"], now)))
    last = reply["last"] if not short else []
    for place, one_before in enumerate(last):
        told = clean(past(one_before, now))
        facts.append(("before" if not place else "", told if past_cells is None else cut(told, past_cells)))
    for place, each in enumerate(reply["open"]):
        left = times.left((each["ends"] or now) - now)
        facts.append(("open now" if not place else "", f"{each['network']} for {left}, grant {each['id']}"))
    facts.append(("rule", reply["rule"]))
    if one["status"] == "pending":
        facts.append(("a yes", yes(reply)))
    return [f"{name:<{_INDENT}}{clean(told)}" for name, told in facts]


def asked(reply: wire.HistoryReply) -> str:
    """`12 times for office in 30 days before this, 11 granted`."""
    number, network = reply["asked_before"], reply["request"]["network"]
    period = length(reply["counted"])
    if not number:
        return f"for the first time in {period} for {network}"
    often = {1: "once", 2: "twice"}.get(number, f"{number} times")
    return f"{often} for {network} in {period} before this, {reply['granted_before']} granted"


def grant(one: wire.PastRequest, now: int) -> str:
    """`11, 2 days ago: used for 40m 00s of 2h 00m (33%), 12 MB from the device and 96 MB to it`."""
    number, when = one["request"]["id"], times.ago(one["request"]["starts"] or now, now)
    return f"{number}, {when}: {used(one)}"


def used(one: wire.PastRequest) -> str:
    """How much of a grant was really used; "" of what was none."""
    if one["lasted"] is None:
        return ""
    found = one["usage"]
    if found is None:
        return f"open for {times.left(one['lasted'])}, never used"
    spent = min(found["used"], one["lasted"])
    return (
        f"used for {times.left(spent)} of {times.left(one['lasted'])} ({percent(spent, one['lasted']) or '0%'}),"
        f" {sentences.size(found['rx_bytes'])} from the device and {sentences.size(found['tx_bytes'])} to it"
    )


def past(one: wire.PastRequest, now: int) -> str:
    """`11 office - expired, 2 days ago, 2h: ticket 41`."""
    each = one["request"]
    by = f" by {each['managed_by']}" if each["status"] in ("denied", "revoked") and each["managed_by"] else ""
    return (
        f"{each['id']} {each['network']} {sentences.status(each)}{by}, {times.ago(each['requested'], now)},"
        f" {sentences.granted(each) or sentences.wants(each)}: {each['reason'] or 'no reason given'}"
    )


def yes(reply: wire.HistoryReply) -> str:
    """`gives 2h, until 18:00:00 CET: the shift ends then`; or why there can be none."""
    if reply["refused"]:
        return f"is not possible: {reply['refused']}{'. ' + reply['hint'] if reply['hint'] else ''}"
    starts, ends = reply["starts"], reply["ends"]
    if starts is None or ends is None:
        return ""
    now, extends = reply["now"], reply["request"]["extends"]
    cap = f" ({reply['cap']})" if reply["cap"] else ""
    until = f"until {times.local(ends, now)}{cap}; at most {durations.show(reply['max_duration'])}"
    if extends is not None:
        return f"lengthens grant {extends} {until}"
    later = f"from {times.local(starts, now)} " if starts > now else ""
    return f"gives {durations.show(ends - starts)}, {later}{until}"
