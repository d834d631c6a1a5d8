"""The dashboard's keyboard: a key counts only when it came alone.

What a terminal sends by itself (a late answer about its colours, a report of its cursor), an Alt-key and a paste without
brackets come as several characters at once. Textual hands those on as keys, one by one, and one of them might decide
something.
"""

from __future__ import annotations

import threading
from typing import Final

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from jitctl.cli.keys import ALONE_SECONDS

#: How an answer of a terminal begins that Textual does not know: it gives the escape character as ^.
_ANSWERS: Final = ("^]", "^P", "^_", "^X", "^^", "^[")


class Keyboard(LinuxDriver):
    """Holds each key that could decide something until it is clear that no other came with it. Keys that came together
    are text: they go where a paste goes, and nowhere else.
    """

    # What it uses is made at the first key: Textual makes drivers in its own way.
    _held: tuple[events.Key, ...] = ()
    _timer: threading.Timer | None = None

    def process_message(self, message: Message) -> None:
        """From the thread that reads the terminal: what came next."""
        if not isinstance(message, events.Key) or not _decides(message):
            super().process_message(message)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._held = (*self._held, message)
        self._timer = threading.Timer(ALONE_SECONDS, self._release, [self._held])
        self._timer.daemon = True
        self._timer.start()

    def _release(self, held: tuple[events.Key, ...]) -> None:
        if held is not self._held:
            return  # another one came just now
        self._held = ()
        if len(held) == 1:
            super().process_message(held[0])
            return
        text = "".join(key.character if key.is_printable and key.character else " " for key in held).strip()
        if text and not text.startswith(_ANSWERS):
            super().process_message(events.Paste(text))


def _decides(key: events.Key) -> bool:
    """Whether more could hang on a key than where the cursor is."""
    return key.is_printable or key.key in ("enter", "space", "tab", "escape", "ctrl+j", "ctrl+m")
