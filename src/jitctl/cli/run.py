"""Runs a command line, and turns what happened into an exit status."""

import contextlib
import gc
import io
import os
import sys
from collections.abc import Sequence

from jitd.core.errors import EXIT_FAILURE, EXIT_INTERRUPTED, JitError
from jitd.core.release import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    if arguments is not None:
        return _ended(list(arguments), whole=False)
    # Looking for garbage while everything is being imported, and once more at the end, would take a fifth of the time that
    # most verbs take. What runs for long (watch, dashboard) still has it looked for.
    gc.set_threshold(50_000)
    try:
        return _ended(sys.argv[1:], whole=True)
    finally:
        gc.freeze()


def _ended(words: list[str], *, whole: bool) -> int:
    """Run it, however it ends: with a sentence at most, and the exit status of what became of it.

    `whole`: this is what the process is for. A gate hands over the words of somebody for whom it speaks.
    """
    from jitctl.render import progress

    progress.sent = progress.changed = progress.answered = False
    _open_streams()
    try:
        status = _run(words, whole=whole)
        if "jitctl.render.output" not in sys.modules and _is_flushed():
            return status  # a number or a name for a shell that waits: nothing more is loaded
        from jitctl.render.output import finish

        return finish(status)
    except KeyboardInterrupt:
        return _interrupted()
    except OSError:
        # Standard output takes nothing: said there.
        from jitctl.render.output import failed, finish

        if not failed():
            raise
        return finish(EXIT_FAILURE)


def _is_flushed() -> bool:
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _open_streams() -> None:
    """A stream that was closed is not there in Python, and the next file that is opened would get its number."""
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        # Nothing can be written to it, which is then told as for any other that takes nothing.
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")  # noqa: PTH123, SIM115
    # What a terminal cannot show is escaped rather than the end of the program.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupted() -> int:
    """Ctrl-C: say what that means for what was asked for."""
    import signal

    from jitctl.render import progress
    from jitctl.render.output import say

    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # this is the end: no second one in the middle of it
    if sys.stderr.isatty():
        say("")  # it stands below the ^C
    if progress.sent:
        say(
            "jitctl: interrupted before the reply arrived; it may have been carried out all the same, see "
            "jitctl list"
        )
    else:
        say("jitctl: interrupted" + ("; the steps until then were carried out" if progress.changed else ""))
    return EXIT_INTERRUPTED


def _run(words: list[str], *, whole: bool) -> int:
    if words == ["--version"]:
        return _print(f"jitctl {VERSION}\n")
    if whole and words[:1] == ["__complete"] and len(words) > 1:
        from jitctl.shell import completing

        return _print(completing.answer(words[1:]))
    # What ssh runs for jitctl --host: somebody waits for it at each login.
    if whole and words == ["dial-stdio"]:
        from jitctl.api.pump import pump
        from jitctl.api.transport import default_socket

        return pump(default_socket())
    if whole and words[:1] == ["list"] and "--count" in words:
        from jitctl.shell import quick

        counted = quick.count(words[1:])
        if counted is not None:
            return _print(f"{counted}\n")
    from typer import Abort, Exit

    from jitctl.cli import app as cli
    from jitctl.render.output import say, show_error, show_json_error

    root = cli.root()
    as_json = "--json" in words
    try:
        _readable(words)
        # As Typer's own main does, which keeps Ctrl-C and a closed pipe to itself.
        with root.make_context("jitctl", words) as context:
            status = root.invoke(context)
    except Exit as ended:
        return int(ended.exit_code)
    except JitError as error:
        show_error(error, as_json=as_json)
        return error.exit_status
    except cli.UsageError as error:
        shown = io.StringIO()
        error.show(shown)
        say(*shown.getvalue().splitlines())
        if as_json:
            show_json_error(JitError("bad_request", error.format_message()))
        return int(error.exit_code)
    except Abort:
        raise KeyboardInterrupt from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        from jitctl.render import progress

        if not progress.answered or os.environ.get("JITCTL_TRACEBACK"):
            raise
        show_error(_unreadable(error), as_json=as_json)
        return EXIT_FAILURE
    return status if isinstance(status, int) else 0


def _print(words: str) -> int:
    """Print what is known to be harmless, with nothing more loaded than it took to know it."""
    try:
        sys.stdout.write(words)
    except OSError as error:
        from jitctl.render.output import give_up

        give_up(error)
        raise
    return 0


def _unreadable(error: Exception) -> JitError:
    """An answer is not of the form that its jitd promises."""
    return JitError(
        "internal",
        f"cannot show the reply: it is not in the format that this jitctl expects ({type(error).__name__}: "
        f"{error})",
        "Run it with JITCTL_TRACEBACK=1 to see where.",
    )


def _readable(words: Sequence[str]) -> None:
    """Everything that is sent is UTF-8. Raises JitError bad_request for a word that is not."""
    for word in words:
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            raise JitError("bad_request", f"cannot read {word[:60]!r}: it is not UTF-8", "Type it in UTF-8.")
