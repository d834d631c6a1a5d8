"""Whether a uid has a name at all: asked of everyone who connects, before anything else is done for them.

Anybody can connect with uids that nobody has (a user namespace has thousands of them), so that these questions have threads
of their own, and local users are looked up where no directory service can hold them up.
"""

import os
from pathlib import Path
from typing import Final

from jitd.core.people import Answer
from jitd.identity import nss
from jitd.identity.questions import Questions, Unanswered

_PASSWD: Final = Path("/etc/passwd")
#: Threads that ask all sources, and seconds that one answer may take.
_THREADS: Final = 2
_SECONDS: Final = 2.0


class UidNames:
    """Answers from passwd(5), and from all of the system's sources where it has no such uid."""

    def __init__(self, passwd: Path = _PASSWD) -> None:
        self._passwd = passwd
        self._file = Questions(1, _SECONDS)
        self._all = Questions(_THREADS, _SECONDS)
        self._local: frozenset[int] = frozenset()
        self._read: tuple[int, int, int] | None = None  # what the file was when `_local` was read

    async def has_name(self, uid: int) -> Answer:
        """Whether there is a name for this uid; UNAVAILABLE where nobody answers in time."""
        try:
            if await self._file.ask(uid, lambda: uid in self._local_uids()):
                return Answer.YES
        except (OSError, Unanswered):
            pass  # the other sources may know
        try:
            found = await self._all.ask(uid, lambda: nss.user_by_uid(uid))
        except (nss.Unavailable, Unanswered):
            return Answer.UNAVAILABLE
        return Answer.YES if found else Answer.NO

    async def local_uids(self) -> frozenset[int]:
        """The uids of passwd(5); none where it cannot be read in time."""
        try:
            return await self._file.ask("all", self._local_uids)
        except (OSError, Unanswered):
            return frozenset()

    def close(self) -> None:
        """End the threads."""
        self._file.close()
        self._all.close()

    def _local_uids(self) -> frozenset[int]:
        with self._passwd.open("rb") as file:
            status = os.fstat(file.fileno())
            now = (status.st_ino, status.st_mtime_ns, status.st_size)
            if now != self._read:
                fields = (line.split(b":") for line in file)
                self._local = frozenset(int(one[2]) for one in fields if len(one) > 2 and one[2].isdigit())
                self._read = now
        return self._local
