"""jitctl: see `jitctl --help`."""

import sys

from jitctl.running import main

if __name__ == "__main__":
    sys.exit(main())
