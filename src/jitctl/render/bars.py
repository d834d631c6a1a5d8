"""The status as one line for a bar or a prompt: i3bar, waybar, plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jitctl.render import times
from jitctl.render.statuses import STATE
from jitd.core.durations import MINUTE

if TYPE_CHECKING:
    from jitd import wire

#: What --output takes beside table and json.
FORMATS: Final = ("i3bar", "waybar", "prompt")
#: What the protocol of i3bar begins with, before the first line (i3bar-protocol).
I3BAR_BEGINS: Final = ('{"version":1}', "[")
#: From here on it is told that the end is near.
_SOON_MS: Final = 10 * MINUTE
#: Styles as bars are told them.
_HEX: Final = {
    "red": "#ff5555",
    "orange": "#ffb86c",
    "yellow": "#f1fa8c",
    "green": "#50fa7b",
    "cyan": "#8be9fd",
}
#: What is more urgent comes first: it gives the whole line its colour.
_COLOURS: Final = {
    "unreachable": _HEX["red"],
    "ending": _HEX["orange"],
    "frozen": _HEX[STATE["frozen"][1]],
    "pending": _HEX[STATE["pending"][1]],
    "active": _HEX[STATE["active"][1]],
    "paused": _HEX["cyan"],  # nobody has to do anything
    "scheduled": _HEX[STATE["scheduled"][1]],
}


class Gateway(NamedTuple):
    """What is known of one gateway: `reply` is None where it does not answer. `prefix` stands before its networks."""

    prefix: str
    reply: wire.StatusReply | None
    now: int


class _Item(NamedTuple):
    kind: str  # one of _COLOURS
    short: str
    long: str


def line(gateways: Sequence[Gateway], form: str) -> str:
    """One line in one of FORMATS; empty for a prompt when there is nothing to tell."""
    items = [item for one in gateways for item in _items(one)]
    kinds = [kind for kind in _COLOURS if any(item.kind == kind for item in items)]
    kind = kinds[0] if kinds else "idle"
    text = " ".join(item.short for item in items)
    match form:
        case "i3bar":
            return json.dumps(_block(text, kind), ensure_ascii=False)
        case "waybar":
            # Both are read as markup of Pango's.
            tooltip = "\n".join(_escaped(item.long) for item in items) or "nothing is open or asked for"
            told = {"text": _escaped(text), "alt": kind, "class": kind, "tooltip": tooltip}
            return json.dumps(told, ensure_ascii=False)
        case _:
            return text


def _block(text: str, kind: str) -> dict[str, Any]:
    block = {"name": "jitctl", "full_text": text}
    return {**block, "color": _COLOURS[kind]} if kind in _COLOURS else block


def _items(gateway: Gateway) -> list[_Item]:
    if gateway.reply is None:
        name = gateway.prefix.rstrip("/") or "jitctl"
        return [_Item("unreachable", f"{name} ?", f"{name}: the gateway does not answer")]
    found = (_item(one, gateway) for one in gateway.reply["networks"])
    return [item for item in found if item is not None]


def _item(network: wire.NetworkStatus, gateway: Gateway) -> _Item | None:
    name, now = f"{gateway.prefix}{_plain(network['network'])}", gateway.now
    left_ms = (network["ends"] or now) - now
    match network["state"]:
        case "active" | "standing" if network.get("frozen"):
            return _Item("frozen", f"{name} frozen", f"{name}: frozen by an administrator")
        case "active":
            left, long = _brief(left_ms), times.left(left_ms)
            if network["paused"]:
                return _Item("paused", f"{name} paused {left}", f"{name}: paused, {long} left")
            kind = "ending" if left_ms <= _SOON_MS else "active"
            return _Item(kind, f"{name} {left}", f"{name}: active, {long} left")
        case "pending":
            return _Item("pending", f"{name} pending", f"{name}: access request pending")
        case "scheduled":
            at = times.local(network["starts"] or now, now)
            return _Item("scheduled", f"{name} at {at}", f"{name}: opens at {at}")
        case _:
            return None


def _plain(name: str) -> str:
    """The name of a network. Prompts and bars act on what they are given (zsh's `%`, tmux' `#`): it has none of that."""
    return re.sub(r"[^A-Za-z0-9._-]", "?", name)


def _brief(ms: int) -> str:
    """Time left without what changes all the time: `1h59m`, `14m`, and `45s` only in the last minute."""
    minutes = max(0, -(-ms // MINUTE))
    if ms < MINUTE:
        return times.left(ms)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes >= 60 else f"{minutes}m"


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
