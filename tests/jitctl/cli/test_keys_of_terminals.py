"""Which of what comes through a terminal is a key."""

import pytest

from jitctl.cli.keys import ALONE_SECONDS, REST_SECONDS, Keys


@pytest.mark.parametrize("key", ["g", "\n", "\x04", "é", "日"])
def test_a_key_that_came_alone(key: str) -> None:
    """Counts, also when its bytes came one by one."""
    keys = Keys()
    for byte in key.encode():
        keys.feed(bytes([byte]))
    assert keys.end() == key
    assert keys.feed(b"") == ""
    assert keys.end() == ""


@pytest.mark.parametrize(
    "sent",
    [
        "\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
        "\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
        "\x9d11;rgb:1e1e\x9c",
        "\x1bP1$r0m\x1b\\",
        "\x1b_Gi=1;OK\x1b\\",
        "\x1b[?62;22c",
        "\x9b24;80R",
        "\x1b[I",
        "\x1bOD",
        "\x1bg",
        "\x1b\x1bg",
        "\x1b",
    ],
)
def test_what_a_terminal_sends_is_nothing(sent: str) -> None:
    """However it is cut into pieces: no character of it is text, and none is a key; what comes after it is one again."""
    for at in range(len(sent)):
        keys = Keys()
        said = "".join(keys.feed(piece.encode()) for piece in (sent[:at], sent[at:]))
        assert (said, keys.end()) == ("", "")
        keys.feed(b"g")
        assert keys.end() == "g"


def test_an_answer_that_comes_in_pieces_is_waited_for() -> None:
    """In the middle of an escape sequence what follows belongs to it, so it is waited for longer."""
    keys = Keys()
    keys.feed(b"\x1b]11;r")
    assert keys.wait == REST_SECONDS
    assert keys.feed(b"g") == ""
    assert keys.feed(b"b:1/1/1\x1b\\") == ""
    assert keys.wait == ALONE_SECONDS
    assert keys.end() == ""


def test_a_paste_is_text() -> None:
    """With brackets and without; a paste of one character is no key, either."""
    keys = Keys()
    assert keys.feed(b"\x1b[200~g\x1b[201~") == "g"
    assert keys.end() == ""
    assert keys.feed(b"yes\n") == "yes\n"
    assert keys.end() == ""
    keys.feed(b"\x1b[200~")
    assert keys.wait == REST_SECONDS
