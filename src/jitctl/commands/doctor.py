"""doctor: what keeps access from working, or lets somebody around it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.cli import settings
from jitctl.output import answer, clean
from jitd.core.errors import EXIT_FAILURE

if TYPE_CHECKING:
    from jitd import wire

_MARKS: Final = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}


def doctor(
    context: typer.Context,
    part: Annotated[str, typer.Argument(metavar="PART", help="What to examine: firewall.")] = "firewall",
) -> int:
    """Look at the gateway just now, and say what is wrong with the command that mends it. Exit 1 if something is broken.

    Example: sudo jitctl doctor firewall
    """
    reply = settings(context).client().doctor(part)
    status = answer(context, reply, lambda: _show(reply["checks"]))
    return EXIT_FAILURE if any(check["level"] == "broken" for check in reply["checks"]) else status


def _show(checks: list[wire.Check]) -> None:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for check in checks:
        mark = _MARKS.get(check["level"], check["level"])
        _print(f"{mark}  ", check["what"], columns)
        if check["fix"]:
            _print("         -> ", check["fix"], columns)


def _print(head: str, words: str, columns: int) -> None:
    rest = " " * len(head)
    print(
        "\n".join(textwrap.wrap(clean(words), columns, initial_indent=head, subsequent_indent=rest) or [head])
    )
