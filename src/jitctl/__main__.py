"""jitctl: runs a command line, and turns what happened into an exit status."""

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
        return _run(list(arguments), whole=False)
    # Looking for garbage while everything is being imported, and once more at the end, would take a fifth of the time that
    # most verbs take. What runs for long (watch, dashboard) still has it looked for.
    gc.set_threshold(50_000)
    try:
        return _run(sys.argv[1:], whole=True)
    finally:
        gc.freeze()


def _run(words: list[str], *, whole: bool) -> int:
    """`whole`: this is what the process is for. A gate hands over the words of somebody for whom it speaks."""
    # What a terminal cannot show is escaped rather than the end of the program.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if words == ["--version"]:
        print(f"jitctl {VERSION}")
        return 0
    if whole and words[:1] == ["__complete"] and len(words) == 2:
        from jitctl import completing

        return completing.main(words[1])
    # What ssh runs for jitctl --host: somebody waits for it at each login.
    if whole and words == ["dial-stdio"]:
        from jitctl.pump import pump
        from jitctl.transport import default_socket

        return pump(default_socket())
    if whole and words[:1] == ["list"] and "--count" in words:
        from jitctl import quick

        counted = quick.count(words[1:])
        if counted is not None:
            print(counted)
            return 0
    from typer import Abort
    from typer._click.exceptions import UsageError

    from jitctl import cli
    from jitctl.output import show_error, show_json_error

    root = cli.root()
    as_json = "--json" in words
    try:
        _readable(words)
        status = root.main(words, prog_name="jitctl", standalone_mode=False)
        sys.stdout.flush()
        if status == EXIT_INTERRUPTED:
            print(file=sys.stderr)  # what comes next stands below the ^C
    except JitError as error:
        show_error(error, as_json=as_json)
        return error.exit_status
    except UsageError as error:
        error.show()
        if as_json:
            show_json_error(JitError("bad_request", error.format_message()))
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough. What is left in the buffer must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    return status if isinstance(status, int) else 0


def _readable(words: Sequence[str]) -> None:
    """Everything that is sent is UTF-8. Raises JitError bad_request for a word that is not."""
    for word in words:
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            raise JitError("bad_request", f"cannot read {word[:60]!r}: it is not UTF-8", "Type it in UTF-8.")


if __name__ == "__main__":
    sys.exit(main())
