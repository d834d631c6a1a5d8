"""What a running jitd examines beside its own store and interfaces."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core.configuration import Config
from jitd.core.firewall import Rules
from jitd.core.model import IPNetwork
from jitd.diagnostics import firewall
from jitd.diagnostics.checks import clock, door, files, settings, store
from jitd.diagnostics.checks.bounded import Bounded
from jitd.enforce.finding import Finding

#: How long a part may take in seconds, where it has no limit of its own or that one may not hold.
SECONDS: Final = 8.0
_MORE: Final = 2.0


class Machine:
    """The machine that jitd runs on. Every method blocks for a bounded time, and may be called in any thread."""

    def __init__(self, path: Path | None, load: Callable[[Path], Config]) -> None:
        """`path` is the file that the configuration came from, and `load` reads it."""
        self._path = path
        self._load = load
        self._bounded = Bounded()

    def config(self, running: Config) -> list[wire.Check]:
        """The configuration on disk against what runs."""
        return self._bounded.run("config", SECONDS, lambda: settings.examine(running, self._path, self._load))

    def socket(self, running: Config) -> list[wire.Check]:
        """The socket."""
        return self._bounded.run(
            "socket", SECONDS, lambda: door.examine(running.daemon.socket, pid=os.getpid())
        )

    def store(self, running: Config) -> list[wire.Check]:
        """The database and its disk."""
        return self._bounded.run(
            "store", store.SECONDS + _MORE, lambda: store.examine(running.daemon.state_dir)
        )

    def clock(self) -> list[wire.Check]:
        """Whether the clock is kept right."""
        return self._bounded.run("clock", SECONDS, clock.examine)

    def files(self, running: Config) -> list[wire.Check]:
        """Who may read and write what."""
        return self._bounded.run("files", SECONDS, lambda: files.examine(running, self._path))

    def sshd(self, users: Sequence[str], *, closed: bool) -> list[wire.Check]:
        """What sshd forwards."""
        from jitd.diagnostics.checks import sshd

        return self._bounded.run("sshd", sshd.SECONDS + _MORE, lambda: sshd.examine(users, closed=closed))

    def firewall(
        self, rules: Rules, pools: Mapping[str, Sequence[IPNetwork]], ports: Mapping[str, int]
    ) -> list[Finding]:
        """Sysctls, routes and all of netfilter's tables, against the rules; see `firewall.look`. Raises EnforceError."""
        # The machine's own rules know an interface by the name that it has now.
        called = {one.name: one.called or one.name for one in rules.interfaces}
        now = replace(
            rules, interfaces=tuple(replace(one, name=called[one.name]) for one in rules.interfaces)
        )
        return firewall.look(
            now,
            pools={called.get(name, name): pool for name, pool in pools.items()},
            ports={called.get(name, name): port for name, port in ports.items()},
        )

    def mail(self, running: Config) -> list[wire.Check]:
        """The mail server."""
        from jitd.diagnostics.checks import mail

        return self._bounded.run("mail", mail.SECONDS + _MORE, lambda: mail.examine(running.mail))
