"""What was closed and could not be recorded: a small file beside the database, for when that cannot be written.

The file has its full size from the beginning and is overwritten in place, so that a full disk does not matter to it.
"""

import errno
import json
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from jitd.core.choices import Status
from jitd.core.model import Actor, Freeze

FILE_NAME: Final = "tombstones"
#: Room for about 120 of them. What does not fit is held in memory only.
BYTES: Final = 65536

log = logging.getLogger("jitd.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A closing that stands in no table yet: the verb that is to be recorded, and what it keeps closed until then.

    Ids of grants, devices, accounts and networks. `cut_ms` is when the kernel was seen to agree, None when it did not at
    once.
    """

    id: str
    verb: str
    actor: Actor
    body: Mapping[str, Any]
    at_ms: int
    said: str  # what was closed, for people
    grants: tuple[int, ...] = ()
    paused: tuple[int, ...] = ()  # grants
    devices: tuple[int, ...] = ()
    accounts: tuple[int, ...] = ()
    networks: tuple[int, ...] = ()
    freeze: Freeze | None = None
    cut_ms: int | None = None


class TombstoneFile:
    """To be used by one thread at a time. Writing may hang as the disk does."""

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

    def load(self) -> list[Tombstone]:
        """What was not recorded when jitd last ran."""
        if self._file is None:
            return []
        text = os.pread(self._file, BYTES, 0).strip(b" \0\n")
        try:
            if not text:
                return []
            found = json.loads(text)
            return [_read(one) for one in found["closings"]] if "closings" in found else _first(found)
        except (ValueError, KeyError, TypeError) as error:
            log.error("cannot understand %s, which is left as it is: %s", self._path, error)  # noqa: TRY400
            return []

    def save(self, tombstones: Collection[Tombstone]) -> None:
        """Write all of it. What cannot be written is held in memory, and told of."""
        held = {"closings": [asdict(one) for one in tombstones]}
        text = json.dumps(held, ensure_ascii=True).encode() if tombstones else b""
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
    freeze = one["freeze"]
    ids = {name: tuple(one[name]) for name in ("grants", "paused", "devices", "accounts", "networks")}
    return Tombstone(
        **{**one, **ids, "actor": Actor(**one["actor"]), "freeze": Freeze(**freeze) if freeze else None}
    )


def _first(found: dict[str, Any]) -> list[Tombstone]:
    """What the first jitd kept: ends of grants, lost devices, a freeze."""
    tombstones = []
    for one in found["endings"]:
        ending, number = one["ending"], one["request_id"]
        tombstones.append(
            Tombstone(
                id=f"grant {number}",
                verb="revoke" if ending["how"] == Status.REVOKED else "release",
                actor=Actor(**one["actor"]),
                body={"id": number, "comment": ending["comment"]},
                at_ms=ending["at_ms"],
                said=f"the end of {number}",
                grants=(number,),
                cut_ms=one.get("cut_ms"),
            )
        )
    tombstones += [
        Tombstone(
            id=f"device {one['device_id']}",
            verb="device_remove",
            actor=Actor(**one["actor"]),
            body={"lost": True},
            at_ms=one["at_ms"],
            said="a lost device",
            devices=(one["device_id"],),
        )
        for one in found.get("lost", [])
    ]
    if found["freeze"]:
        freeze = Freeze(**found["freeze"])
        tombstones.append(
            Tombstone(
                id="freeze",
                verb="freeze",
                actor=Actor(uid=0, user=freeze.by),
                body={"reason": freeze.reason},
                at_ms=freeze.since_ms,
                said="a freeze",
                freeze=freeze,
            )
        )
    return tombstones
