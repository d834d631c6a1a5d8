"""Keys of a terminal, told apart from what else comes through it: pure, the clock is the caller's.

A terminal sends more than keys: answers about its colours and its cursor, that it got the focus, what somebody pastes.
None of that may decide anything. So a key counts only when it came alone; what came together is text at most, and what
belongs to an escape sequence is nothing.
"""

from __future__ import annotations

import codecs
from typing import Final

#: Seconds without another character before and behind one that counts as a key. Nobody types two keys faster, and what
#: a terminal or a paste sends comes closer together, over ssh too.
ALONE_SECONDS: Final = 0.05
#: Seconds that the rest of an escape sequence is waited for.
REST_SECONDS: Final = 1.0

_ESC, _BELL, _CANCEL = "\x1b", "\x07", "\x18"
#: What introduces a string that goes on to its end mark, behind an escape or as a character of its own.
_STRINGS: Final = frozenset("]P_^X")
_STRINGS_C1: Final = frozenset("\x90\x98\x9d\x9e\x9f")
_PASTE, _PASTED = "200~", "201~"


class Keys:
    """What came through a terminal, piece by piece, until nothing comes for `wait` seconds."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._begin()

    def _begin(self) -> None:
        self._state = ""  # "" between characters; esc, csi, ss3, string, string-esc
        self._sequence = ""
        self._pasting = False
        self._came: list[str] = []  # what is no escape sequence
        self._alone = True

    def feed(self, data: bytes) -> str:
        """Take what was read. Returns what of it is no part of an escape sequence."""
        before = len(self._came)
        for char in self._decode(data):
            self._take(char)
        return "".join(self._came[before:])

    @property
    def wait(self) -> float:
        """Seconds without anything more after which it is complete."""
        return REST_SECONDS if self._state or self._pasting else ALONE_SECONDS

    def end(self) -> str:
        """Nothing more came: the key, if it is one that came alone, else "". Begins anew."""
        key = self._came[0] if self._alone and len(self._came) == 1 and not self._state else ""
        self._begin()
        return key

    def _take(self, char: str) -> None:
        state = self._state
        if state == "" and char == _ESC:
            self._state, self._alone = "esc", False
        elif state == "" and char == "\x9b":
            self._state, self._sequence, self._alone = "csi", "", False
        elif state == "" and char in _STRINGS_C1:
            self._state, self._alone = "string", False
        elif state == "":
            self._alone &= not self._pasting
            self._came.append(char)
        elif state == "esc":
            self._after_escape(char)
        elif state == "csi":
            self._in_csi(char)
        elif state == "ss3":
            self._state = ""
        elif state == "string":
            if char == _ESC:
                self._state = "string-esc"
            elif char in (_BELL, _CANCEL, "\x9c"):
                self._state = ""
        elif (
            char != _ESC
        ):  # string-esc: with a backslash it is the end mark, with anything else the string is over, too
            self._state = ""

    def _after_escape(self, char: str) -> None:
        if char == "[":
            self._state, self._sequence = "csi", ""
        elif char == "O":
            self._state = "ss3"
        elif char in _STRINGS:
            self._state = "string"
        elif char != _ESC:
            self._state = ""  # a key with Alt

    def _in_csi(self, char: str) -> None:
        if char == _ESC:
            self._state = "esc"
            return
        self._sequence += char
        if "@" <= char <= "~":
            self._state = ""
            self._pasting = self._sequence == _PASTE or (self._pasting and self._sequence != _PASTED)
