"""The agent that connect and request start in the background. Loads little: they mostly need none."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from jitctl.desktop import notifications
from jitctl.machine.profiles import Profile


def begin(profile: Profile) -> None:
    """Start an agent for this gateway, where there is a desktop that shows something and none runs."""
    if not notifications.is_likely():
        return
    from jitctl.machine import ownfiles, profiles

    if not profiles.read().notifications:
        return
    try:
        with ownfiles.locked(lock(profile)):
            pass
    except BlockingIOError:
        return  # one runs
    except OSError:
        pass  # it will say itself that it cannot
    # It has no terminal: what would be asked for there fails at once.
    environment = {**os.environ, "SSH_ASKPASS_REQUIRE": "never"}
    with contextlib.suppress(OSError):
        subprocess.Popen(  # noqa: S603 - the words are ours
            [sys.executable, "-m", "jitctl", "agent", "--while-needed", "--profile", profile.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=environment,
        )


def lock(profile: Profile) -> Path:
    """What the one agent of a gateway has locked."""
    from jitctl.machine import lately

    return lately.directory() / f"{profile.name}.agent"
