"""A real Secret Service (gnome-keyring) on a session bus of its own, for a user without a desktop."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
#: Unlocks the keyring with a password, or makes it; the password comes from standard input.
UNLOCKED = 'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"'
#: Nobody has typed the password in this session.
LOCKED = 'gnome-keyring-daemon --start --components=secrets >/dev/null </dev/null && exec "$@"'
#: What would ask for the password, and never does: a window that nobody sees.
PROMPTER = "[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sh -c 'exec sleep 20 >/dev/null 2>&1'\n"


def lacking() -> str:
    """What this machine lacks for it, as a sentence; empty when nothing is lacking."""
    programs = [name for name in NEEDED if shutil.which(name) is None]
    return f"these programs are not installed: {' '.join(programs)}" if programs else ""


def command(words: Sequence[str], *, unlocked: bool) -> list[str]:
    """The words that run these in a session with a keyring. Its files are in the user's home."""
    return ["dbus-run-session", "--", "sh", "-c", UNLOCKED if unlocked else LOCKED, "sh", *words]


def environment(home: Path) -> dict[str, str]:
    """A user without a screen, whose home this is."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    gone = {"DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "PYTHON_KEYRING_BACKEND"}
    kept = {
        name: value for name, value in os.environ.items() if name not in gone and not name.startswith("XDG_")
    }
    return {**kept, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}


def nobody_answers(home: Path) -> None:
    """From now on the question for the password is shown where nobody sees it."""
    services = home / "run" / "dbus-1" / "services"
    services.mkdir(parents=True, exist_ok=True)
    (services / "org.gnome.keyring.SystemPrompter.service").write_text(PROMPTER)


def run(
    home: Path, words: Sequence[str], *, unlocked: bool = True, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in such a session."""
    return subprocess.run(
        command(words, unlocked=unlocked),
        env={**environment(home), **more},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
    )
