"""jitctl: see `jitctl --help`."""

import sys

from jitctl.cli.run import main

if __name__ == "__main__":
    sys.exit(main())
