"""why: which rules apply, which decided, and what would change that."""

from typing import Annotated

import typer

from jitctl.cli import settings
from jitctl.commands.shared import usage
from jitctl.output import answer, clean, next_step
from jitctl.render import times, words
from jitd import wire

#: Where the answers begin, and the rules below them.
_INDENT = 34
_ANSWER = 11


def why(
    context: typer.Context,
    about: Annotated[
        list[str], typer.Argument(metavar="NETWORK | USER NETWORK | ID", help="What to explain.")
    ],
) -> int:
    """Explain which rules apply to somebody on a network, which decided, and what would change that.

    Example: jitctl why office

    About somebody else: jitctl why alice office

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
                "cannot explain so much at once", "Type jitctl why NETWORK, or jitctl why USER NETWORK."
            )
    return answer(context, reply, lambda: _show(reply))


def _show(reply: wire.WhyReply) -> None:
    made = reply["request"]
    if made is not None:
        print(words.outcome(made, reply["now"]))
        for event in reply["events"]:
            print(f"  {times.local(event['at'])}  {words.by(event)}: {words.sentence(event)}")
        print()
    print(clean(f"{reply['user']} on {reply['network']}, by the rules of now:"))
    for line in reply["lines"]:
        question, said = f"  {line['question']}?", clean(line["answer"])
        # What is long stands below, so that the answers stay in a column at 80 characters.
        if len(said) < _ANSWER:
            print(f"{question:<{_INDENT}}{said:<{_ANSWER}}{clean(line['because'])}")
        else:
            print(f"{question:<{_INDENT}}{said}")
            print(f"{'':<{_INDENT + _ANSWER}}{clean(line['because'])}")
        if line["change"]:
            print(f"{'':<{_INDENT + _ANSWER}}{clean(line['change'])}")
    next_step(f'jitctl request {reply["network"]} --reason "…" --dry-run')
