"""The system's users where they are plain files: everyone at once, and whether anything has changed since.

To ask libc for ten thousand users reads /etc/passwd ten thousand times. Where nsswitch.conf(5) names no other source,
one look at the files answers for all, and their inodes and times tell that nothing has to be asked again. Where it
names another one (LDAP, sssd, systemd-homed), nothing here is used.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Sources that are files. nss-systemd adds users of running services, and those of `_USER_RECORDS`.
_FILES: Final = frozenset({"files", "systemd"})
_USER_RECORDS: Final = ("etc/userdb", "run/userdb", "run/host/userdb", "usr/lib/userdb")
_HOMED: Final = "run/systemd/userdb/io.systemd.Home"
_READ: Final = ("etc/passwd", "etc/group", "etc/shadow", "etc/nsswitch.conf")
#: Where a change of them shows, for whoever waits for one.
DIRECTORY: Final = Path("/etc")
NAMES: Final = tuple(name.removeprefix("etc/") for name in _READ)
_SECONDS_OF_A_DAY: Final = 86_400

#: Changes when one of the files does, and once a day, because accounts expire.
Signature = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A line of passwd(5), with all groups and what shadow(5) says of its end."""

    uid: int
    gids: frozenset[int]
    shell: str
    expires_day: int | None  # since 1970


class LocalFiles:
    """`root` is where the files are found; tests give another one."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def signature(self) -> Signature | None:
        """What the files are now; None where users come from elsewhere, too."""
        try:
            if not self._only_files():
                return None
            stats = [(self._root / name).stat() for name in _READ]
        except OSError:
            return None
        day = int(time.time()) // _SECONDS_OF_A_DAY
        return (day, *((one.st_ino, one.st_mtime_ns, one.st_size) for one in stats))

    def users(self) -> Mapping[str, LocalUser]:
        """Everyone. Raises OSError and ValueError when the files cannot be read or hold something odd."""
        member_of: dict[str, set[int]] = {}
        for _, _, gid, members in self._lines("etc/group", 4):
            for name in filter(None, members.split(",")):
                member_of.setdefault(name, set()).add(int(gid))
        ends = {fields[0]: int(fields[7]) for fields in self._lines("etc/shadow", 9) if fields[7]}
        found: dict[str, LocalUser] = {}
        for name, _, uid, gid, _, _, shell in self._lines("etc/passwd", 7):
            end = ends.get(name, -1)
            user = LocalUser(
                int(uid),
                frozenset({int(gid), *member_of.get(name, ())}),
                shell,
                end if end >= 0 else None,
            )
            found.setdefault(name, user)  # as libc does: the first line counts
        return found

    def _only_files(self) -> bool:
        text = (self._root / "etc/nsswitch.conf").read_text("utf-8", "replace")
        named: dict[str, set[str]] = {}
        for line in text.splitlines():
            found = re.match(r"\s*(passwd|group|shadow|initgroups)\s*:([^#]*)", line)
            if found:
                named.setdefault(found[1], set()).update(found[2].split())
        if not {"passwd", "group", "shadow"} <= named.keys():
            return False
        if not all(sources <= _FILES and "files" in sources for sources in named.values()):
            return False
        records = (self._root / one for one in _USER_RECORDS)
        return not (self._root / _HOMED).exists() and not any(
            any(one.iterdir()) for one in records if one.is_dir()
        )

    def _lines(self, name: str, fields: int) -> list[list[str]]:
        text = (self._root / name).read_bytes().decode("utf-8", "surrogateescape")
        # "+" and "-" belong to NIS; where the source is the files alone, libc finds nobody of such a name.
        found = [
            line.split(":")
            for line in text.splitlines()
            if line.strip() and not line.startswith(("#", "+", "-"))
        ]
        for line in found:
            if len(line) != fields:
                raise ValueError(f"{name} has a line that is not understood: {line[0][:40]}")
        return found
