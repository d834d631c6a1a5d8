"""jitctl: runs a command line, and turns what happened into an exit status."""

import os
import sys
from collections.abc import Sequence

from jitd.core.errors import EXIT_FAILURE, EXIT_INTERRUPTED, JitError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        from importlib.metadata import version

        print(f"jitctl {version('jitctl')}")
        return 0
    from typer import Abort
    from typer._click.exceptions import UsageError

    from jitctl import cli
    from jitctl.output import show_error

    root = cli.root()
    try:
        status = root.main(words, prog_name="jitctl", standalone_mode=False)
        sys.stdout.flush()
    except JitError as error:
        show_error(error, as_json="--json" in words)
        return error.exit_status
    except UsageError as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough. What is left in the buffer must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
