"""The one place that prints. Words come from gateways, files and other people: they are cleaned here, wherever they go;
styles are added by this place too, so that words can never bring any. tests/jitctl/render/test_hostile_gateway.py holds that nothing
else prints.

Results go to standard output (`out`), what is said beside them to standard error (`say`). Where standard output does not
take what is printed, a verb that changes something goes on all the same; see `finish`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final, TextIO

from jitctl.render import progress
from jitd.core import cells, text
from jitd.core.errors import EXIT_FAILURE, JitError

BOLD: Final = "bold"
DIM: Final = "dim"
#: Styles by the names that rich gives them as well, as numbers of SGR.
_SGR: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

#: What standard output has failed with; it takes nothing any more.
_failed: OSError | None = None


class Painted(str):
    """A line that was cleaned already, with styles of this program's; made by `paint` and by tables."""

    __slots__ = ()


def paint(words: str, style: str, stream: TextIO | None = None) -> Painted:
    """Words in a style ("bold red", "" for none) where the stream, standard output by default, has colours."""
    shown = text.visible(words)
    coloured = bool(style and shown) and is_coloured(stream or sys.stdout)
    numbers = ";".join(_SGR[one] for one in style.split())
    return Painted(f"\x1b[{numbers}m{shown}\x1b[0m" if coloured else shown)


def joined(*parts: str) -> Painted:
    """A line of painted parts and of others, which are cleaned."""
    return Painted("".join(part if isinstance(part, Painted) else text.visible(part) for part in parts))


def out(*lines: str, style: str = "", flush: bool = False) -> None:
    """Print lines to standard output. Raises OSError when it takes nothing, unless something was changed before."""
    for line in lines or ("",):
        _write(f"{line if isinstance(line, Painted) else paint(line, style)}\n")
    if flush:
        out_flush()


def out_flush() -> None:
    """What was printed is to be seen now. Raises OSError as `out`."""
    _write("", flush=True)


def document(words: str) -> None:
    """Print what has lines of its own, as it is but for what a terminal acts on. Raises OSError as `out`."""
    _write(text.visible_lines(words))


def csv_line(values: list[str]) -> None:
    """Print a row of CSV, its values cleaned. Raises OSError as `out`."""
    import csv
    import io

    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow([text.visible(value) for value in values])
    _write(row.getvalue())


def control(sequence: str) -> None:
    """Have the terminal of standard output do something: never with words of others in it."""
    _write(sequence, flush=True)


def beside(sequence: str) -> None:
    """Something for the terminal of standard error that is no line: a question, a key that is shown."""
    try:
        sys.stderr.write(sequence)
        sys.stderr.flush()
    except OSError:
        return


def say(*lines: str, style: str = "") -> None:
    """A remark beside the result. Where nobody can hear it, nothing is different."""
    for line in lines:
        beside(f"{line if isinstance(line, Painted) else paint(line, style, sys.stderr)}\n")


def _write(words: str, *, flush: bool = False) -> None:
    if _failed is not None and progress.changed:
        return
    try:
        sys.stdout.write(words)
        if flush:
            sys.stdout.flush()
    except OSError as error:
        give_up(error)
        if not progress.changed:
            raise


def give_up(error: OSError) -> None:
    """Standard output takes nothing any more: what is left in its buffer must not fail again at the end."""
    global _failed  # noqa: PLW0603 - there is one standard output
    _failed = error
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


def failed() -> bool:
    """Whether standard output takes nothing any more."""
    return _failed is not None


def finish(status: int) -> int:
    """Print what is left. Returns the exit status: that of the verb, or 1 where what it was to show was not shown and
    nothing else was done.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        give_up(error)
    if _failed is None:
        return status
    if not isinstance(_failed, BrokenPipeError):  # else whoever read it has enough
        also = "; what was asked for is done" if progress.changed and not status else ""
        say(f"jitctl: cannot write to standard output: {_failed.strerror}{also}")
    return status if progress.changed else status or EXIT_FAILURE


def disagrees(waiting: str) -> None:
    """Say that a change is recorded, and what still waits for the kernel."""
    say(f"recorded, but the kernel does not agree yet: {waiting}")


def out_json(value: object, indent: int | None = None, *, flush: bool = False) -> None:
    """Print JSON in UTF-8 whose invisible characters are escaped: it says the same, and moves nobody's terminal."""
    _write(f"{dumps(value, indent)}\n", flush=flush)


def dumps(value: object, indent: int | None = None) -> str:
    """JSON as `out_json` prints it."""
    words = json.dumps(value, ensure_ascii=False, indent=indent)
    if words.isascii() and "\x7f" not in words:
        return words  # everything below a blank is escaped already
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in words)


def hang(head: str, words: str, *, beside: bool = False, style: str = "") -> None:
    """Print words behind a head; at a terminal, what does not fit goes on below the words and not below the head.

    `beside` the result, as `say` does.
    """
    stream, tell = (sys.stderr, say) if beside else (sys.stdout, out)
    head = text.visible(head)
    if not stream.isatty():
        tell(f"{head}{clean(words)}")
        return
    indent = cells.width(head)
    lines = cells.wrap(clean(words), max(columns(), indent + 20) - indent)
    for place, line in enumerate(lines):
        tell(f"{' ' * indent if place else head}{line}".rstrip(), style=style)


def columns() -> int:
    """Columns of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns


def next_step(*lines: str) -> None:
    """What to type next; for people at a terminal only."""
    if sys.stdout.isatty():
        say(*(f"  {line}" for line in lines), style=DIM)


def clean(words: object) -> str:
    """Text of other people on one line, white space folded. What is printed is cleaned without that, too."""
    return text.clean(str(words))


def show_error(error: JitError, *, as_json: bool) -> None:
    """An error: in words on standard error, and with --json as an object on standard output."""
    say(f"jitctl: {clean(error.message)}")
    for line in error.hint.split("\n") if error.hint else ():
        say(clean(line))
    if as_json:
        show_json_error(error)


def show_json_error(error: JitError) -> None:
    """An error as an object on standard output."""
    out_json({"error": error.body()})


def is_coloured(stream: TextIO) -> bool:
    """Whether colours are wanted on a stream, and can be seen there."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
