"""What people type, made harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import text
from jitd.core.errors import JitError


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ticket 42\n\tlogs", "ticket 42 logs"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\u202eb\u2066c", "abc"),
        ("bell\x07 \x9b31m", "bell 31m"),
        ("[/foo] [bold]x", "[/foo] [bold]x"),
        ("naïve 工程 שלום", "naïve 工程 שלום"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
    ],
)
def test_cleans_what_moves_a_terminal(typed: str, kept: str) -> None:
    """Control, escape and bidi characters go; words stay."""
    assert text.clean(typed) == kept


@given(st.text())
def test_nothing_hostile_is_left(typed: str) -> None:
    """No text leaves a control, format, surrogate or separator character behind."""
    kept = text.clean(typed)
    assert all(
        char in "\u200c\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        for char in kept
    )
    assert text.clean(kept) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\x1b", "x" * 1001, "x" * 10_240])
def test_refuses_no_reason_and_a_book(typed: str) -> None:
    """An empty reason and one of more than 1000 characters are refused."""
    with pytest.raises(JitError) as caught:
        text.reason(typed)
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize("typed", ["", "-x", ".x", "Office", "a b", "a/b", "x" * 33, "a\n", "ä"])
def test_refuses_unsafe_names(typed: str) -> None:
    """A name is lower-case ASCII that a shell, a file name and an option parser read as one word."""
    with pytest.raises(JitError):
        text.name(typed, "network")


@pytest.mark.parametrize("typed", ["", "..", "wg 0", "a/b", "x" * 16, "-wg", "wg0\n"])
def test_refuses_interface_names_that_the_kernel_refuses(typed: str) -> None:
    """An interface name has at most 15 safe characters."""
    with pytest.raises(JitError):
        text.interface_name(typed)
