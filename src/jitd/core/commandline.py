"""What people are told to type: made from words, so that it does what it says when it is pasted into a shell.

jitd's own sentences hold their commands as data (`Hint`), which jitctl writes as command lines where it shows them.
"""

import shlex
from collections.abc import Iterable
from typing import NamedTuple, Self


class Command(NamedTuple):
    """A command of jitctl: its verb as on the command line ("network", "set"), and the words behind that."""

    verb: tuple[str, ...]
    args: tuple[str, ...]


class Hint(str):
    """A sentence for people whose `parts` are text and commands.

    As a str it is the same with the commands written out, for logs and whoever reads plain text: an older jitctl, curl.
    Added to text it stays a hint; in an f-string it would become plain text.
    """

    __slots__ = ("parts",)
    parts: tuple[str | Command, ...]

    def __new__(cls, *parts: str | Command) -> Self:
        """Of these parts."""
        made = super().__new__(
            cls, "".join(written(*one) if isinstance(one, Command) else one for one in parts)
        )
        made.parts = parts
        return made

    def __add__(self, other: str) -> "Hint":
        """With more behind it."""
        return Hint(*self.parts, *parts_of(other))

    def __radd__(self, other: str) -> "Hint":
        """With text before it."""
        return Hint(other, *self.parts)


def parts_of(text: str) -> tuple[str | Command, ...]:
    """The parts of a hint; of plain text the one."""
    return text.parts if isinstance(text, Hint) else (text,)


def command(verb: str, *operands: object, **options: object) -> Hint:
    """A command with these operands and options, each word quoted for a shell where it needs to be.

    `True` is an option without a value; a list, one for each value; with None or False it is left out. Options stand
    behind the operands; before them where an operand begins with a dash, as names of users may.
    """
    named = [str(one) for one in operands]
    given = []
    for name, values in options.items():
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value is not False:
                given += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    args = [*given, "--", *named] if any(one.startswith("-") for one in named) else [*named, *given]
    return Hint(Command(tuple(verb.split()), tuple(args)))


def written(verb: Iterable[str], args: Iterable[str]) -> str:
    """A command as it is typed."""
    return shell("jitctl", *verb, *args).replace("'…'", '"…"')


def shell(*words: object) -> str:
    """A command line of these words."""
    return shlex.join(str(word) for word in words)
