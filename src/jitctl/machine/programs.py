"""Programs of this machine that are run for what they print."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Sequence


def find(name: str) -> str | None:
    """Where a program is, also one for root, which an ordinary user's path leaves out on Debian."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin")


def run(
    words: Sequence[str], *, seconds: float, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program; `given` goes to its standard input. Raises OSError, also where it takes longer than that."""
    try:
        return subprocess.run(  # noqa: S603 - the words are ours, or those with which users have named their ssh
            words,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(errno.ETIMEDOUT, f"it did not end within {seconds:.0f} s") from None
