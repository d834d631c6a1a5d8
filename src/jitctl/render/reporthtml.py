"""A report as one page of HTML: no scripts, nothing that is loaded from anywhere, plots as SVG inside of it.

The page around the tables is `report.html`. Everything that people typed passes `_safe`.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

from jitctl.render import times
from jitctl.render.output import clean
from jitctl.render.report import hours, length, parts, percent, period, rate, scope, wait
from jitd.core.durations import DAY

if TYPE_CHECKING:
    from jitd import wire

_WIDTH, _HEIGHT = 960, 220  # of the plot over time, in SVG's units
_LEFT, _BOTTOM, _TOP = 40, 24, 8  # what its axes need
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TITLES: Final = {"network": "By network", "user": "By user", "approver": "By who decided"}
_FIRST: Final = {"network": "network", "user": "user", "approver": "decided by"}

#: What a request became, from the bottom of a column to its top.
_KINDS: Final = (
    ("granted", "granted"),
    ("glass", "break-glass"),
    ("denied", "denied"),
    ("rest", "undecided, cancelled or lapsed"),
)


def page(reply: wire.ReportReply) -> str:
    """The whole page."""
    what = f"{period(reply)}, {scope(reply)}"
    body = [
        _cards(reply["total"]),
        *_over_time(reply),
        *_week(reply),
        *_became(reply["total"]),
    ]
    for by, table in reply["by"].items():
        body += _table(by, table)
    body += [*_emergencies(reply), *_suggestions(reply)]
    template = Template(files("jitctl.render").joinpath("report.html").read_text("utf-8"))
    return template.substitute(what=_safe(what), body="\n".join(body), now=_safe(times.local(reply["now"])))


def _safe(words: object) -> str:
    return html.escape(clean(words))


def _cards(total: wire.ReportNumbers) -> str:
    half, late = total["median"], total["p90"]
    cards = [
        (str(total["asked"]), "requests"),
        (rate(total["approval_rate"]) or "none", f"granted of {total['granted'] + total['denied']} decided"),
        (
            "none" if half is None else times.left(half),
            "half were decided within" + ("" if late is None else f"; 9 of 10 in {times.left(late)}"),
        ),
        (percent(total["used"], total["open"]) or "none", f"used of {hours(total['open'])} that were open"),
        (str(total["break_glass"]), "opened by break-glass"),
    ]
    items = "".join(f"<li><b>{_safe(number)}</b>{_safe(words)}</li>" for number, words in cards)
    return f'<ul class="cards">{items}</ul>'


def _over_time(reply: wire.ReportReply) -> list[str]:
    marks = reply["marks"]
    most = max((mark["asked"] for mark in marks), default=0)
    if not most:
        return ["<p>Nothing was asked for in this time. Every request is counted here.</p>"]
    top = _round_up(most)
    plot_width, plot_height = _WIDTH - _LEFT, _HEIGHT - _BOTTOM - _TOP
    step = plot_width / len(marks)
    shapes = []
    for share in (0, 0.5, 1):
        y = _TOP + plot_height * (1 - share)
        shapes.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if top * share == int(top * share):
            shapes.append(
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{int(top * share)}</text>'
            )
    every = max(1, -(-len(marks) // 8))
    for place, mark in enumerate(marks):
        x = _LEFT + place * step
        if place % every == 0 and x < _WIDTH - 50:
            shapes.append(
                f'<text x="{x:.1f}" y="{_HEIGHT - 6}">{_safe(_day(mark["at"], reply["mark"]))}</text>'
            )
        shapes.append(_column(mark, x, step, plot_height / top, reply["mark"]))
    legend = "".join(
        f'<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="{kind}" width="12" height="12" rx="2"/></svg>'
        f"{_safe(words)}</li>"
        for kind, words in _KINDS
    )
    return [
        f'<h2>Requests over time</h2>\n<p class="soft">A column for each {_safe(length(reply["mark"]).removeprefix("1 "))}</p>',
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Requests over time, at most {most} in'
        f' {_safe(length(reply["mark"]))}">{"".join(shapes)}</svg>',
        f'<ul class="legend">{legend}</ul>',
    ]


def _column(mark: wire.ReportMark, x: float, step: float, scale: float, size: int) -> str:
    """One part of the time, with a title that browsers show where somebody points at it."""
    if not mark["asked"]:
        return ""
    numbers = {
        "granted": mark["granted"] - mark["break_glass"],
        "glass": mark["break_glass"],
        "denied": mark["denied"],
        "rest": mark["asked"] - mark["granted"] - mark["denied"],
    }
    y: float = _HEIGHT - _BOTTOM
    shapes = []
    for kind, _ in _KINDS:
        if numbers[kind] > 0:
            high = numbers[kind] * scale
            y -= high
            shapes.append(
                f'<rect class="{kind}" x="{x + step * 0.1:.1f}" y="{y:.1f}" width="{step * 0.8:.1f}"'
                f' height="{max(0.5, high - 0.7):.1f}"/>'
            )
    told = ", ".join(f"{numbers[kind]} {words}" for kind, words in _KINDS if numbers[kind] > 0)
    return f"<g><title>{_safe(_day(mark['at'], size))}: {mark['asked']} requests, {_safe(told)}</title>{''.join(shapes)}</g>"


def _week(reply: wire.ReportReply) -> list[str]:
    """When people ask: a square for each hour of the week."""
    most = max(reply["hours"], default=0)
    if not most:
        return []
    step, high = (_WIDTH - _LEFT) / 24, 22
    shapes = [f'<text x="{_LEFT + hour * step:.1f}" y="12">{hour:02}:00</text>' for hour in range(0, 24, 3)]
    for place, number in enumerate(reply["hours"]):
        day, hour = divmod(place, 24)
        if not hour:
            shapes.append(
                f'<text x="{_LEFT - 6}" y="{18 + day * high + 15}" text-anchor="end">{_DAYS[day]}</text>'
            )
        # What is not nothing can be seen.
        shade = 0.12 + 0.88 * number / most if number else 0.04
        shapes.append(
            f'<rect class="granted" x="{_LEFT + hour * step:.1f}" y="{18 + day * high}" width="{step - 2:.1f}"'
            f' height="{high - 2}" rx="2" fill-opacity="{shade:.2f}"><title>{_DAYS[day]} {hour:02}:00: {number}'
            " requests</title></rect>"
        )
    return [
        "<h2>When people ask</h2>",
        f'<svg viewBox="0 0 {_WIDTH} {20 + 7 * high}" role="img" aria-label="Requests by hour of the week, at most {most}">'
        f"{''.join(shapes)}</svg>",
        f'<p class="soft">The strongest colour is {most} requests in that hour of the week; on the clocks of whoever made this page.</p>',
    ]


def _became(total: wire.ReportNumbers) -> list[str]:
    if not total["asked"]:
        return []
    kinds = {"granted": "granted", "by a rule": "granted", "unasked": "granted", "break-glass": "glass"}
    kinds["denied"] = "denied"
    rows = "".join(
        f'<tr><td class="text">{_safe(name)}</td><td>{number}</td>'
        f'<td class="plot">{_bar(number, total["asked"], kinds.get(name, "rest"))}</td>'
        f'<td>{percent(number, total["asked"])}</td><td class="text soft">{_safe(words)}</td></tr>'
        for name, number, words in parts(total)
        if number
    )
    unused = f"{total['unused']} of {total['grants']} grants were over without ever being used."
    return [
        "<h2>What became of them</h2>",
        f'<div class="scroll"><table>{rows}</table></div>',
        f'<p class="soft">{hours(total["given"])} of access were given, {hours(total["open"])} of that were open, and'
        f" {hours(total['used'])} used. {unused}</p>",
        '<p class="soft">The bars at the end of the tables below: how long access was open (grey), and used of that'
        " (green).</p>",
    ]


def _bar(value: float, most: float, kind: str, inner: float = 0) -> str:
    """A bar, and within it a shorter one of what was used."""
    long = 160 * value / most if most else 0
    used = f'<rect class="used" y="4" width="{160 * inner / most:.1f}" height="6"/>' if inner and most else ""
    return (
        '<svg viewBox="0 0 160 14" preserveAspectRatio="none" height="14" aria-hidden="true">'
        f'<rect class="{kind}" y="1" width="{max(long, 1 if value else 0):.1f}" height="12" rx="2"/>{used}</svg>'
    )


def _table(by: str, table: wire.ReportTable) -> list[str]:
    rows = table["rows"]
    if not rows:
        return []
    most_asked = max(one["asked"] for one in rows)
    most_open = max(one["open"] for one in rows)
    columns: list[tuple[str, Callable[[wire.ReportRow], str]]] = [
        ("decided" if by == "approver" else "requests", lambda one: f"<td>{one['asked']}</td>"),
        ("", lambda one: f'<td class="plot">{_bar(one["asked"], most_asked, "granted")}</td>'),
        ("granted", lambda one: f"<td>{rate(one['approval_rate'])}</td>"),
        ("half within", lambda one: f"<td>{wait(one['median'])}</td>"),
        ("9 of 10 within", lambda one: f"<td>{wait(one['p90'])}</td>"),
    ]
    if by == "approver":
        columns.append(("unasked", lambda one: f"<td>{one['direct'] or ''}</td>"))
    else:
        columns.append(("break-glass", lambda one: f"<td>{one['break_glass'] or ''}</td>"))
        columns.append(("lapsed", lambda one: f"<td>{one['lapsed'] or ''}</td>"))
    columns += [
        ("open", lambda one: f"<td>{hours(one['open']) if one['grants'] else ''}</td>"),
        ("used", lambda one: f"<td>{percent(one['used'], one['open'])}</td>"),
        ("", lambda one: f'<td class="plot">{_bar(one["open"], most_open, "rest", one["used"])}</td>'),
    ]
    head = f'<th scope="col" class="text">{_FIRST[by]}</th>'
    head += "".join(f'<th scope="col" class="">{title}</th>' for title, _ in columns)
    lines = [
        f'<tr><th scope="row" class="text">{_safe(one["name"])}</th>{"".join(cell(one) for _, cell in columns)}</tr>'
        for one in rows
    ]
    more = f'<p class="soft">and {table["of"] - len(rows)} more</p>' if table["of"] > len(rows) else ""
    return [
        f"<h2>{_TITLES[by]}</h2>",
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>{more}',
    ]


def _emergencies(reply: wire.ReportReply) -> list[str]:
    if not reply["emergencies"]:
        return []
    rows = "".join(
        f'<tr><td>{_safe(one["id"])}</td><td class="text">{_safe(one["user"])}</td><td class="text">{_safe(one["network"])}</td>'
        f'<td class="text">{_safe(times.local(one["at"]))}</td><td class="text">{_safe(one["reason"])}</td>'
        + (
            f'<td class="text">{_safe(one["reviewed_by"])}</td></tr>'
            if one["reviewed_by"]
            else '<td class="text alarm">nobody yet</td></tr>'
        )
        for one in reply["emergencies"]
    )
    titles = ("user", "network", "when", "reason", "looked at by")
    head = '<th scope="col">number</th>' + "".join(
        f'<th scope="col" class="text">{title}</th>' for title in titles
    )
    return [
        "<h2>Break-glass</h2>",
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>',
    ]


def _suggestions(reply: wire.ReportReply) -> list[str]:
    if not reply["suggestions"]:
        return []
    return [
        "<h2>Rules that may fit better</h2>",
        *(f"<p>{_safe(one['why'])}:</p><pre>{_safe(one['command'])}</pre>" for one in reply["suggestions"]),
    ]


def _day(at: int, size: int) -> str:
    """When a part of the time begins: its date, and the hour where parts are shorter than a day."""
    shown = times.local(at)
    return shown[5:10] if size >= DAY else shown[5:16]


def _round_up(most: int) -> int:
    """The end of an axis: an even number that is not much more."""
    size = 1
    while most > 10 * size:
        size *= 10
    return next(step * size for step in (2, 4, 6, 8, 10) if step * size >= most)
