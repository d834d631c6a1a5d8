"""The last answer about each gateway, for prompts: to ask one over ssh takes longer than a prompt may."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jitctl.machine import ownfiles

if TYPE_CHECKING:
    from jitd import wire


def keep(profile: str, reply: wire.StatusReply) -> None:
    """Keep an answer that has just come. What cannot be kept is asked for again."""
    with contextlib.suppress(OSError):
        ownfiles.write(_file(profile), json.dumps({"at": time.time(), "reply": reply}), lasting=False)


def find(profile: str, seconds: float) -> tuple[wire.StatusReply, int] | None:
    """(the last answer, the gateway's time now in milliseconds UTC), if it is no older than that."""
    try:
        kept = json.loads(_file(profile).read_text("utf-8"))
        passed, reply = time.time() - kept["at"], kept["reply"]
        now = reply["now"] + int(passed * 1000)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (reply, now) if 0 <= passed <= seconds else None


def directory() -> Path:
    """Where things are that nobody misses. It is gone with the login, where there is such a place (XDG Base Directory
    Specification).
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".cache") / "jitctl"


def _file(profile: str) -> Path:
    return directory() / f"{profile}.status.json"
