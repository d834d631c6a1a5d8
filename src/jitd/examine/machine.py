"""What a running jitd examines beside its own store and interfaces."""

import os
from collections.abc import Sequence
from pathlib import Path

from jitd import wire
from jitd.config import Config
from jitd.examine import door, files, settings, store, time


class Machine:
    """The machine that jitd runs on. Every method blocks for a bounded time, and may be called in any thread."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file that the configuration came from."""
        self._path = path

    def config(self, running: Config) -> list[wire.Check]:
        """The configuration on disk against what runs."""
        return settings.examine(running, self._path)

    def socket(self, running: Config) -> list[wire.Check]:
        """The socket."""
        return door.examine(running.daemon.socket, pid=os.getpid())

    def store(self, running: Config) -> list[wire.Check]:
        """The database and its disk."""
        return store.examine(running.daemon.state_dir)

    def clock(self) -> list[wire.Check]:
        """Whether the clock is kept right."""
        return time.examine()

    def files(self, running: Config) -> list[wire.Check]:
        """Who may read and write what."""
        return files.examine(running, self._path)

    def sshd(self, users: Sequence[str], *, closed: bool) -> list[wire.Check]:
        """What sshd forwards."""
        from jitd.examine import sshd

        return sshd.examine(users, closed=closed)

    def mail(self, running: Config) -> list[wire.Check]:
        """The mail server."""
        from jitd.examine import mail

        return mail.examine(running.mail)
