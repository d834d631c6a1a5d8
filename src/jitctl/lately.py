"""The last answer about each gateway, for prompts: to ask one over ssh takes longer than a prompt may."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from jitd import wire


def keep(profile: str, reply: wire.StatusReply) -> None:
    """Keep an answer that has just come. What cannot be kept is asked for again."""
    file = _file(profile)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, 0o600), "w", encoding="utf-8") as written:
            json.dump({"at": time.time(), "reply": reply}, written)
        new.replace(file)


def find(profile: str, seconds: float) -> tuple[wire.StatusReply, int] | None:
    """(the last answer, the gateway's time now in milliseconds UTC), if it is no older than that."""
    try:
        kept = json.loads(_file(profile).read_text("utf-8"))
        passed, reply = time.time() - kept["at"], kept["reply"]
        now = reply["now"] + int(passed * 1000)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (cast("wire.StatusReply", reply), now) if 0 <= passed <= seconds else None


def directory() -> Path:
    """Where things are that nobody misses. It is gone with the login, where there is such a place (XDG Base Directory
    Specification).
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".cache") / "jitctl"


def _file(profile: str) -> Path:
    return directory() / f"{profile}.status.json"
