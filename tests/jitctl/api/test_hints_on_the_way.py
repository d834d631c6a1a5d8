"""Hints between jitd and jitctl: data that jitctl quotes, and text for whoever does not ask for data."""

import json
import shlex

import pytest

from jitctl.api import answers
from jitd.core.commandline import Hint, command
from jitd.server.replies import encode

HINT = "Wait for it (" + command("show", 7) + "), or: " + command("why", "-x; reboot", "office", user="a b")


def test_a_hint_is_data_and_jitctl_writes_it() -> None:
    """Verb and args cross the socket as they are; what is shown is the command line, quoted."""
    sent = encode({"hint": HINT, "plain": "x"}, as_data=True)
    assert json.loads(sent) == {
        "hint": {
            "parts": [
                "Wait for it (",
                {"verb": ["show"], "args": ["7"]},
                "), or: ",
                {"verb": ["why"], "args": ["--user", "a b", "--", "-x; reboot", "office"]},
            ]
        },
        "plain": "x",
    }
    said = answers.decoded(sent, "1")["hint"]
    assert said == "Wait for it (jitctl show 7), or: jitctl why --user 'a b' -- '-x; reboot' office"


def test_an_older_jitctl_reads_text() -> None:
    """Whoever does not ask for data gets the same sentence, complete and quoted."""
    sent = encode({"hint": HINT, "all": [HINT]})
    assert json.loads(sent) == {"hint": str(HINT), "all": [str(HINT)]}
    assert answers.decoded(sent, "1") == answers.decoded(
        encode({"hint": HINT, "all": [HINT]}, as_data=True), "1"
    )


def test_what_is_no_hint_is_not_sent_as_text() -> None:
    """A value that the wire has no type for is a mistake, and not silently some text of it."""
    for as_data in (False, True):
        with pytest.raises(TypeError):
            encode({"path": object()}, as_data=as_data)


@pytest.mark.parametrize(
    "parts",
    [
        [{"verb": ["show; reboot"], "args": ["$(reboot)"]}],
        [{"verb": ["show", {"parts": ["`reboot`"]}], "args": [["x"], None]}],
    ],
)
def test_words_of_a_gateway_stay_words(parts: list[object]) -> None:
    """Attack: a hostile gateway sends a verb that a shell would take for another command."""
    said = answers.decoded(json.dumps({"hint": {"parts": parts}}).encode(), "1")["hint"]
    assert shlex.split(said)[0] == "jitctl"
    assert said.startswith("jitctl ")
    assert not [one for one in shlex.split(said, posix=False)[1:] if ";" in one and one[0] != "'"]


def test_text_around_a_command_keeps_it() -> None:
    """Adding text before or behind loses nothing."""
    assert isinstance(HINT, Hint)
    assert [one for one in HINT.parts if not isinstance(one, str)] == [
        (("show",), ("7",)),
        (("why",), ("--user", "a b", "--", "-x; reboot", "office")),
    ]
