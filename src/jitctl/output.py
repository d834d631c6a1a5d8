"""What every verb does with its answer: JSON or words to standard output, the rest to standard error."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import typer

from jitctl.cli import settings
from jitd.core import text
from jitd.core.errors import JitError, exit_status


def answer(context: typer.Context, reply: Mapping[str, Any], words: Callable[[], None]) -> int:
    """Show a reply: as it is with --json, else in words. Returns the exit status.

    A change that the kernel does not agree with yet is told on standard error.
    """
    if settings(context).json:
        print(dumps(reply, indent=2 if sys.stdout.isatty() else None))
    else:
        words()
    if not reply.get("agrees", True):
        say(f"recorded, but the kernel does not agree yet: {clean(reply.get('waiting', ''))}")
        say("jitd goes on trying; see jitctl status")
        return exit_status("disagrees")
    return 0


def dumps(value: object, indent: int | None = None) -> str:
    """JSON in UTF-8 whose invisible characters are escaped: it says the same, and moves nobody's terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def say(line: str) -> None:
    """A remark beside the result."""
    print(line, file=sys.stderr)


def hang(head: str, words: str, *, beside: bool = False) -> None:
    """Print words behind a head; at a terminal, what does not fit goes on below the words and not below the head.

    `beside` the result, as `say` does.
    """
    stream = sys.stderr if beside else sys.stdout
    if not stream.isatty():
        print(f"{head}{clean(words)}", file=stream)
        return
    import shutil
    import textwrap

    width = max(shutil.get_terminal_size().columns, len(head) + 20)
    print(
        textwrap.fill(clean(words), width, initial_indent=head, subsequent_indent=" " * len(head))
        or head.rstrip(),
        file=stream,
    )


def next_step(*lines: str) -> None:
    """What to type next; for people at a terminal only."""
    if not sys.stdout.isatty():
        return
    dim = is_coloured(sys.stderr)
    for line in lines:
        say(f"\x1b[2m  {line}\x1b[0m" if dim else f"  {line}")


def clean(words: object) -> str:
    """Text of other people, made harmless once more before it is shown."""
    return text.clean(str(words))


def show_error(error: JitError, *, as_json: bool) -> None:
    """An error: in words on standard error, and with --json as an object on standard output."""
    say(f"jitctl: {clean(error.message)}")
    for line in error.hint.splitlines():
        say(clean(line))
    if as_json:
        show_json_error(error)


def show_json_error(error: JitError) -> None:
    """An error as an object on standard output."""
    print(dumps({"error": {"code": error.code, "message": error.message, "hint": error.hint}}))


def is_coloured(stream: TextIO) -> bool:
    """Whether colours are wanted on a stream, and can be seen there."""
    import os

    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
