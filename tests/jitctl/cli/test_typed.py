"""What is typed, and what is printed for other programs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitctl.api.client import _query
from jitctl.cli.moments import past_ms
from jitctl.cli.shared import target
from jitctl.commands.devices import owners
from jitctl.render import sheet
from jitctl.render.output import dumps
from jitd.core.commandline import command
from jitd.core.errors import JitError


def test_a_map_of_owners() -> None:
    """Public key, user and device a line; comments and empty lines are passed over."""
    assert owners("# staff\n\nKEY1= alice laptop\n  KEY2=\tbob  phone # old\n", "map") == [
        {"public_key": "KEY1=", "user": "alice", "name": "laptop"},
        {"public_key": "KEY2=", "user": "bob", "name": "phone"},
    ]


def test_a_map_names_the_line_that_is_wrong() -> None:
    """The line's number and what is wrong with it; a map that names nobody is an error too."""
    with pytest.raises(JitError, match=r"cannot read line 3 of map: it has 2 words, not 3"):
        owners("# staff\nKEY1= alice laptop\nKEY2= bob\n", "map")
    with pytest.raises(JitError, match="cannot import from map: it has no lines"):
        owners("# nobody yet\n", "map")


def test_a_number_is_an_id_and_a_word_a_network() -> None:
    """ID|NETWORK as body fields; digits of other scripts are no number."""
    assert target(None) == {}
    assert target("12") == {"id": 12}
    assert target("office") == {"network": "office"}
    assert target("\u0663") == {"network": "\u0663"}


def test_a_query_repeats_lists_and_leaves_away_what_was_not_said() -> None:
    """Repeated keys for lists, true and false, and everything else quoted."""
    assert _query({"status": ["pending", "active"], "user": None, "follow": True, "search": "a&b=c d"}) == (
        "?status=pending&status=active&follow=true&search=a%26b%3Dc+d"
    )
    assert _query({"user": None}) == ""


def test_a_moment_is_a_date_or_a_duration_ago() -> None:
    """A date and time with its zone is taken as it is; nonsense says what to type."""
    assert past_ms(None) is None
    assert past_ms("2026-09-21T14:13:20+00:00") == 1_790_000_000_000
    two_hours_ago, now = past_ms("2h"), past_ms("1s")
    assert two_hours_ago is not None
    assert now is not None
    assert 7_199_000 - 1000 < now - two_hours_ago < 7_199_000 + 1000
    with pytest.raises(JitError, match="cannot read the time 'yesterday'"):
        past_ms("yesterday")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49", "'+49"),
        ("-x", "'-x"),
        ("\t=1", "'=1"),
        ("1-1", "1-1"),
        (-5, "-5"),
        (None, ""),
        (["a", "b"], "a b"),
        (["=a"], "'=a"),
        (["a\x1b[2J\n"], "a[2J"),
    ],
)
def test_a_cell_is_no_formula(value: object, cell: str) -> None:
    """What a spreadsheet would run is guarded, numbers are not, and no control character is left."""
    assert sheet.cell(value) == cell


def test_the_next_page_is_a_command_that_can_be_pasted() -> None:
    """Filters are kept, repeated and quoted for a shell."""
    filters = {"status": ["pending", "active"], "user": None, "mine": False, "search": "a b; reboot"}
    assert command("list", **filters, after="d2") == (
        "jitctl list --status pending --status active --search 'a b; reboot' --after d2"
    )


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_the_same_and_shows_nothing_invisible(value: object) -> None:
    """Whatever it holds: it reads back as it was, and what reaches a terminal can be seen."""
    for indent in (None, 2):
        shown = dumps(value, indent)
        assert json.loads(shown) == value
        assert shown.replace("\n", "").isprintable()


def test_json_keeps_letters_of_all_languages() -> None:
    """Only what cannot be seen is escaped."""
    assert dumps({"reason": "Z\u00fcrich \u6771\u4eac \x9b\u202e\x1b"}) == (
        '{"reason": "Z\u00fcrich \u6771\u4eac \\u009b\\u202e\\u001b"}'
    )
