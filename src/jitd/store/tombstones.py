"""What was closed and could not be recorded: a small file beside the database, for when that cannot be written.

The file has its full size from the beginning and is overwritten in place, so that a full disk does not matter to it.
"""

import errno
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from jitd.core.model import Actor, Ending, Freeze, Status

FILE_NAME: Final = "tombstones"
#: Room for about 150 of them. What does not fit is held in memory only.
BYTES: Final = 65536

log = logging.getLogger("jitd.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """The end of a grant that stands in no table yet. Its access stays out.

    `cut_ms` is when the kernel was seen to agree, None when it did not at once.
    """

    request_id: int
    ending: Ending
    actor: Actor
    cut_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LostDevice:
    """A device that was reported lost, which stands in no table yet. It gets no access."""

    device_id: int
    networks: list[str]  # that it had open
    at_ms: int
    actor: Actor


@dataclass(slots=True)
class Held:
    """All that is not recorded yet."""

    endings: list[Tombstone] = field(default_factory=list)
    lost: list[LostDevice] = field(default_factory=list)
    freeze: Freeze | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.endings or self.lost or self.freeze)


class TombstoneFile:
    """Belongs to the worker thread."""

    def __init__(self, path: Path) -> None:
        """Make the file when it is not there. A disk that is full today is told of, and stops nothing."""
        self._path = path
        self._file: int | None = None
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags, 0o600)
            if os.fstat(self._file).st_size < BYTES:
                self._write(b"")
        except OSError as error:
            log.error("cannot keep %s: %s", path, error.strerror)  # noqa: TRY400

    def load(self) -> Held:
        """What was not recorded when jitd last ran."""
        if self._file is None:
            return Held()
        text = os.pread(self._file, BYTES, 0).strip(b" \0\n")
        try:
            if not text:
                return Held()
            found = json.loads(text)
            frozen = found["freeze"]
            return Held(
                [_read(one) for one in found["endings"]],
                [LostDevice(**{**one, "actor": Actor(**one["actor"])}) for one in found.get("lost", [])],
                Freeze(**frozen) if frozen else None,
            )
        except (ValueError, KeyError, TypeError) as error:
            log.error("cannot understand %s, which is left as it is: %s", self._path, error)  # noqa: TRY400
            return Held()

    def save(self, held: Held) -> None:
        """Write all of it. What cannot be written is held in memory, and told of."""
        text = json.dumps(asdict(held), ensure_ascii=True).encode() if held else b""
        try:
            self._write(text)
        except OSError as error:
            log.error("cannot write %s, held in memory only: %s", self._path, error.strerror)  # noqa: TRY400

    def _write(self, text: bytes) -> None:
        if self._file is None:
            raise OSError(errno.EBADF, "it could not be opened")
        if len(text) > BYTES:
            raise OSError(errno.EFBIG, f"they do not fit into {BYTES} bytes")
        # In one go: what is read after a crash is the old one or the new one, or cannot be understood.
        os.pwrite(self._file, text.ljust(BYTES, b" "), 0)
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _read(one: dict[str, Any]) -> Tombstone:
    ending = {**one["ending"], "how": Status(one["ending"]["how"])}
    return Tombstone(
        request_id=one["request_id"],
        ending=Ending(**ending),
        actor=Actor(**one["actor"]),
        cut_ms=one.get("cut_ms"),
    )
