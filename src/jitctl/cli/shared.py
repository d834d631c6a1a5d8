"""What several verbs need: options, questions at the terminal, plans that are shown before something is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, TypeVar

import typer

from jitctl.cli.app import settings
from jitctl.render import sentences
from jitctl.render.output import clean, disagrees, out, out_json, say
from jitd.core import durations
from jitd.core.commandline import command
from jitd.core.errors import JitError, exit_status

if TYPE_CHECKING:
    from jitctl.machine.profiles import Profile
    from jitd import wire

R = TypeVar("R", bound=Mapping[str, Any])
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="WHEN",
        help='The end, in place of --duration: 18:00, tomorrow or "2026-12-01 09:00", in local time; a date '
        "alone means the end of that day.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Why = Annotated[
    str | None,
    typer.Option("--reason", "-r", metavar="TEXT", help="The reason; all administrators are notified."),
]
User = Annotated[
    str | None, typer.Option("--user", "-u", metavar="NAME", help="Act for this user (administrators only).")
]

OnlyNetwork = Annotated[
    str | None, typer.Argument(metavar="[NETWORK]", help="The network; may be omitted if there is only one.")
]
RequestReason = Annotated[
    str | None, typer.Option("--reason", "-r", metavar="TEXT", help="The reason, if access is requested.")
]
RequestDuration = Annotated[
    str | None, typer.Option("--duration", "-d", metavar="TIME", help="The duration, for example 90m or 8h.")
]
Again = Annotated[bool, typer.Option("--again", help="Use the reason of your last request.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only from then on: a duration (2h), or a date and time."),
]
UntilThen = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        help="Only until then, as --since; a date alone means the end of that day.",
    ),
]

Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the decision, and print the outcome.")]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="The longest time to wait, for example 10m; the request stands."
    ),
]
OfUser = Annotated[
    str | None, typer.Option("--user", "-u", metavar="NAME", help="Only requests of this user.")
]
ForNetwork = Annotated[
    str | None, typer.Option("--network", "-n", metavar="NAME", help="Only requests for this network.")
]
AboutUser = Annotated[
    str | None, typer.Option("--user", "-u", metavar="NAME", help="Only events about this user.")
]
AboutNetwork = Annotated[
    str | None, typer.Option("--network", "-n", metavar="NAME", help="Only events about this network.")
]
AboutRequest = Annotated[
    int | None, typer.Option("--id", metavar="ID", help="Only events about this request.")
]
OfKind = Annotated[
    str | None, typer.Option("--kind", metavar="KIND", help="Only events of this kind, for example granted.")
]


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def duration_ms(typed: str | None) -> int | None:
    """A duration as typed, in milliseconds; None stays None. Raises JitError bad_request."""
    return None if typed is None else durations.parse(typed)


class Wish(TypedDict):
    """How long, as a body says it: milliseconds, or until when (milliseconds UTC)."""

    duration: int | None
    until: int | None


def wish(duration: str | None, until: str | None) -> Wish:
    """How long, as body fields: a duration, or until when on the caller's clocks. Raises JitError bad_request."""
    if duration is not None and until is not None:
        raise usage("cannot use --duration together with --until", "Use only one of them.")
    if until is None:
        return {"duration": duration_ms(duration), "until": None}
    from jitctl.cli.moments import end_of

    return {"duration": None, "until": end_of(until)}


def moment_ms(typed: str | None) -> int | None:
    """A moment on the caller's clocks, milliseconds UTC; None stays None. Raises JitError bad_request."""
    if typed is None:
        return None
    from jitctl.cli.moments import moment

    return moment(typed)


def patience_ms(wait: bool, timeout: str | None) -> int | None:
    """What --timeout says, in milliseconds; None: for ever. Raises JitError bad_request."""
    if timeout is not None and not wait:
        raise usage("cannot use --timeout without --wait", "Add --wait.")
    return duration_ms(timeout)


def interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def usage(message: str, hint: str) -> JitError:
    """An error of usage."""
    return JitError("bad_request", message, hint)


def ask(question: str) -> str:
    """Ask at the terminal; the answer is stripped."""
    from jitctl.cli.terminal import line

    return line(question)


@contextmanager
def keeping(verb: str, *operands: object, **options: object) -> Iterator[None]:
    """What somebody has typed in answer to a question is not lost where it is refused: the error says it, in a command to
    go on from. What is None is left out.
    """
    try:
        yield
    except JitError as error:
        if not interactive():
            raise
        again = command(verb, *(one for one in operands if one is not None), **options)
        raise error.adding(f"\nThe command was: {again}") from error


def required(typed: str | None, question: str, *refusal: str) -> str:
    """What was typed as an option, else asked for. Raises JitError bad_request, the refusal and its hint, without a terminal."""
    if typed is None and not interactive():
        raise usage(*refusal)
    return ask(question) if typed is None else typed


def confirm(
    question: str,
    refusal: str = "cannot continue without confirmation",
    hint: str = "Add --yes to confirm it.",
) -> None:
    """Go on only after a yes; else nothing is changed, and the verb ends. Raises JitError bad_request without a terminal."""
    if not interactive():
        raise usage(refusal, hint)
    if ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
        say("nothing was changed")
        raise typer.Exit(1)


def planned(do: Callable[..., R], body: Mapping[str, object], *, yes: bool, question: str) -> R:
    """Ask for the plan of a change, show who gains and loses access, ask, and do just that.

    Nobody affected, and nothing that ends with it: no question. Nobody to ask and no --yes: a usage error, and nothing
    is done.
    """
    plan: wire.Plan = do(**body, plan=True)["plan"]
    warn(plan["warnings"])
    affected = plan["gains"] or plan["loses"] or plan.get("reaches") or plan.get("also")
    show_plan(plan)
    if affected and not yes:
        confirm(question, "cannot continue without confirmation of the plan above; nothing was changed")
    return do(**body, confirm=plan["token"])


def show_plan(plan: wire.Plan) -> None:
    """Who would gain and who would lose access right now, who would reach more or less, and what else would end; on
    standard error.
    """
    for title, sign, lines in (
        ("gains access now", "+", plan["gains"]),
        ("loses access now", "-", plan["loses"]),
    ):
        for line in lines:
            who = (
                f"{line['user']}/{line['device']}" if line["user"] else f"unmanaged peer {line['public_key']}"
            )
            where = f" to {line['network']}" if line["network"] else ""
            say(clean(f"{sign} {who} {title}{where} ({line['why']})"))
    for reach in plan.get("reaches", ()):
        for sign, title, what in (("+", "more", reach["more"]), ("-", "less", reach["less"])):
            if what:
                head = f"{sign} {reach['user']} reaches {title} of {reach['network']} now"
                say(clean(f"{head}: {', '.join(what)} ({reach['why']})"))
    for sentence in plan.get("also", ()):
        say(clean(f"! {sentence}"))


def warn(warnings: Sequence[str]) -> None:
    """What is worth knowing beside what was done; on standard error."""
    for one in warnings:
        say(f"warning: {clean(one)}")


def target(typed: str | None) -> wire.IdBody:
    """An id or the name of a network, as body fields."""
    if typed is None:
        return {}
    return {"id": int(typed)} if typed.isascii() and typed.isdigit() else {"network": typed}


def device_profile(context: typer.Context, verb: str) -> Profile:
    """The gateway that is meant, for which this machine was set up. Raises JitError bad_request."""
    profile = settings(context).profile_meant()
    if profile is None or not profile.device:
        raise JitError(
            "bad_request",
            f"cannot {verb}: no gateway was set up on this machine",
            "Run: jitctl setup ssh://you@gateway (and no --host, --socket, JITCTL_HOST or JITCTL_SOCKET)",
        )
    return profile


def show_outcome(reply: wire.RequestReply) -> None:
    """Say what a verb has done with a request, and what jitd notes about it."""
    out(sentences.done(reply))
    if reply["note"]:
        out(clean(reply["note"]))


def answer(context: typer.Context, reply: Mapping[str, Any], tell: Callable[[], None]) -> int:
    """Show a reply: as it is with --json, else in words. Returns the exit status.

    A change that the kernel does not agree with yet is told on standard error.
    """
    if settings(context).json:
        out_json(reply, indent=2 if sys.stdout.isatty() else None)
    else:
        tell()
    if not reply.get("agrees", True):
        disagrees(str(reply.get("waiting", "")))
        say("jitd tries again by itself; see jitctl status")
        return exit_status("disagrees")
    return 0
