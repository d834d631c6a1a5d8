"""jitd: see `jitd --help`."""

import sys
from collections.abc import Sequence

from jitd.core.errors import EXIT_FAILURE, JitError

#: Libraries with an extra of their own, by the name that is imported: what they are for, and the extra.
_EXTRAS = {"daemon": ("run in the background: the library python-daemon", "detach")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    try:
        from jitd.cli.arguments import parser

        asked = parser().parse_args(arguments)
        status: int = asked.act(asked)
    except JitError as error:
        print(f"jitd: {error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return error.exit_status
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in ("jitd", "jitctl"):
            raise
        # A laptop's installation has the command of the daemon, too.
        what, extra = _EXTRAS.get(name, (f"run: the daemon's library {error.name}", "daemon"))
        print(f"jitd: cannot {what} is not installed", file=sys.stderr)
        print(f"Install it on the gateway: pip install 'jitctl[{extra}]'", file=sys.stderr)
        return EXIT_FAILURE
    return status


if __name__ == "__main__":
    sys.exit(main())
