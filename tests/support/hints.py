"""The commands in what people are told, read as a shell and as jitctl read them."""

import re
import shlex
from typing import Any

from jitctl.cli import app as cli

#: Where a command ends and the sentence around it goes on.
_BEHIND = re.compile(r", |; |\. |\.$|\)| \(| # | \| | && |  | or |: |\n")


def commands(said: str, name: str) -> list[list[str]]:
    """The words of every `jitctl …` in a text that names somebody, without that first one.

    Fails where a command is not what a shell and jitctl can read, or where the name is not one word of it, or the end of
    one: a name with a blank that is not quoted, for example.
    """
    found = []
    for place in re.finditer(r"\bjitctl (?=[a-z-])", said):
        typed, words = _words(said[place.end() :])
        if name in typed or any(name in word for word in words):
            assert any(name in word for word in words), f"{name} is torn apart: {typed}"
            _parse(words)
            found.append(words)
    return found


def _words(rest: str) -> tuple[str, list[str]]:
    """A command up to its end, however the quotes in it are nested, and its words."""
    ends = [*(one.start() for one in _BEHIND.finditer(rest)), len(rest)]
    for end in ends:
        try:
            return rest[:end], shlex.split(rest[:end])
        except ValueError:  # within quotes
            continue
    raise AssertionError(f"a quote is not closed: {rest}")


def _parse(words: list[str]) -> None:
    """As jitctl reads them, without doing anything. Raises UsageError."""
    command: Any = cli.root()
    context = command.make_context("jitctl", list(words))
    rest = list(words)
    while isinstance(command, cli.VerbGroup):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)
