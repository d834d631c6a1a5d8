"""why: which rules apply, which decided, and what would change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import answer, usage
from jitctl.render import sentences
from jitctl.render.output import clean, hang, next_step, out
from jitd.core.commandline import command

if TYPE_CHECKING:
    from jitd import wire

#: Where the answers begin, and the rules below them.
_INDENT = 35
_ANSWER = 12


def why(
    context: typer.Context,
    about: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK | USER NETWORK | ID",
            help="The network, a user and a network, or the number of a request.",
        ),
    ],
) -> int:
    """Explain which rules apply to a user on a network, which of them decided, and how to change the outcome.

    Example: jitctl why office

    About another user: jitctl why alice office

    Example: jitctl why 12
    """
    client = settings(context).client()
    match about:
        case [one] if one.isascii() and one.isdigit():
            reply = client.why(id=int(one))
        case [network]:
            reply = client.why(network=network)
        case [user, network]:
            reply = client.why(user=user, network=network)
        case _:
            raise usage(
                "cannot explain: too many arguments", "Type jitctl why NETWORK, or jitctl why USER NETWORK."
            )
    return answer(context, reply, lambda: _show(reply, of_other=len(about) > 1))


def _show(reply: wire.WhyReply, *, of_other: bool) -> None:
    made = reply["request"]
    if made is not None:
        out(sentences.outcome(made, reply["now"]))
        _print_lines(reply.get("outcome", []))
        out()
    out(clean(f"{reply['user']} on {reply['network']}, by the current rules:"))
    _print_lines(reply["lines"])
    if made is not None:
        next_step(f"jitctl show {made['id']}")
    elif of_other:
        next_step(command("list", user=reply["user"], network=reply["network"]))
    else:
        next_step(f'{command("request", reply["network"])} --reason "…" --dry-run')


def _print_lines(lines: list[wire.WhyLine]) -> None:
    """Questions with their answers, the rules, and what would change them."""
    for line in lines:
        question, said = f"  {line['question']}?", clean(line["answer"])
        # What is long stands below, so that the answers stay in a column at 80 characters.
        if len(said) < _ANSWER:
            _print(f"{question:<{_INDENT}}{said:<{_ANSWER}}", clean(line["because"]))
        else:
            _print(f"{question:<{_INDENT}}", said)
            _print(" " * (_INDENT + _ANSWER), clean(line["because"]))
        if line["change"]:
            # To be typed: never broken.
            out(f"{'':<{_INDENT}}> {clean(line['change'])}")


def _print(before: str, words: str) -> None:
    """Words behind something, on a terminal broken to its width; uncut where there is none."""
    hang(before, words)
