"""The pip that tests install with."""

import subprocess
import sys


def pip_of() -> list[str]:
    """A pip: this environment's, or the system's, which may have made this one."""
    for python in (sys.executable, "/usr/bin/python3", "python3"):
        if (
            subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return [python, "-m", "pip"]
    raise AssertionError("there is no pip")
