"""Uids that are known to be administrators': what a full server lets in all the same."""

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Final

log = logging.getLogger("jitd.server")

FILE_NAME: Final = "administrators"
#: So many are remembered; those longest ago are forgotten.
_MOST: Final = 1000
_LARGEST_BYTES: Final = 65_536


class Administrators:
    """Being one here gives a place to be heard, and no rights. Root and the daemon's own user always count; others are
    learned from the service's answers, since looking up groups can wait for a directory, and stay known over restarts.
    """

    def __init__(self, own_uid: int, state_dir: Path) -> None:
        self._always = frozenset({0, own_uid})
        self._path = state_dir / FILE_NAME
        self._learned: dict[int, None] = dict.fromkeys(self._load())

    def __contains__(self, uid: int) -> bool:
        return uid in self._always or uid in self._learned

    def learn(self, uid: int, *, admin: bool) -> bool:
        """Remember what the service said of this uid. Returns whether that is news."""
        if uid in self._always or admin == (uid in self._learned):
            return False
        if admin:
            self._learned[uid] = None
            if len(self._learned) > _MOST:
                del self._learned[next(iter(self._learned))]
        else:
            del self._learned[uid]
        return True

    def save(self) -> None:
        """Write them down for the next start. Waits for the disk, so not for the loop."""
        text = json.dumps(list(self._learned))
        beside = self._path.with_name(f"{FILE_NAME}.new")
        try:
            descriptor = os.open(
                beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
            beside.rename(self._path)
        except OSError as error:
            log.warning("cannot remember who is an administrator: %s", error.strerror)
            with contextlib.suppress(OSError):
                beside.unlink()

    def _load(self) -> list[int]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                found = json.loads(file.read(_LARGEST_BYTES))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            log.warning("cannot read %s: %s", self._path, error)
            return []
        return [uid for uid in found if type(uid) is int][:_MOST] if isinstance(found, list) else []
