"""The status as one line for bars and prompts."""

import json

import pytest

from jitctl.render.bars import Gateway, line
from support.status_reply import HOUR, NOW, reply


def one(form: str, **network: object) -> str:
    return line([Gateway("", reply(**network), NOW)], form)


@pytest.mark.parametrize(
    ("network", "text", "kind"),
    [
        ({}, "office 1h00m", "active"),
        ({"ends": NOW + 10 * 60_000}, "office 10m", "ending"),
        ({"ends": NOW + 10 * 60_000 + 1}, "office 11m", "active"),
        ({"ends": NOW + 45_000}, "office 45s", "ending"),
        ({"ends": NOW - 1}, "office 0s", "ending"),
        ({"paused": True}, "office paused 1h00m", "paused"),
        ({"frozen": True}, "office frozen", "frozen"),
        ({"state": "pending", "ends": None}, "office pending", "pending"),
        ({"state": "request", "ends": None}, "", "idle"),
        ({"state": "standing", "ends": None}, "", "idle"),
    ],
)
def test_each_state_has_a_text_and_a_class(network: dict[str, object], text: str, kind: str) -> None:
    """The same words in every format, with a class for waybar and a colour for i3bar."""
    assert one("prompt", **network) == text
    shown = json.loads(one("waybar", **network))
    assert (shown["text"], shown["class"], shown["alt"]) == (text, kind, kind)
    block = json.loads(one("i3bar", **network))
    assert block["full_text"] == text
    assert ("color" in block) == (kind != "idle")


def test_a_gateway_that_does_not_answer_hides_no_other() -> None:
    """Several stand side by side with their names; the worst gives the class."""
    gateways = [Gateway("lab/", None, 0), Gateway("hq/", reply(), NOW)]
    assert line(gateways, "prompt") == "lab ? hq/office 1h00m"
    shown = json.loads(line(gateways, "waybar"))
    assert shown["class"] == "unreachable"
    assert shown["tooltip"] == "lab: the gateway does not answer\nhq/office: active, 1h 00m left"


def test_nothing_is_read_as_markup() -> None:
    """What a gateway says is text for Pango, and moves no terminal."""
    shown = json.loads(one("waybar", network="<b>&\x1b[31m"))
    assert shown["text"] == "?b????31m 1h00m"


def test_nothing_is_read_as_a_command() -> None:
    """Attack: zsh expands what stands in its prompt once more, and tmux what stands in its bar: a gateway's network is
    called `%F{$(id)}` or `#(id)`.
    """
    for name in ("%F{$(id)}", "#(id)", "`id`", "\\$(id)", "a\nb", "#[fg=red]"):
        for form in ("prompt", "waybar", "i3bar"):
            assert (
                not set("%#$(){}[]`\\\n")
                & set(name)
                & set(one(form, network=name).replace("{", "").replace("}", "").replace("#50fa7b", ""))
            )


def test_hours_are_told() -> None:
    """A day and more is told in hours and minutes: it is one short word."""
    assert one("prompt", ends=NOW + 26 * HOUR) == "office 26h00m"
