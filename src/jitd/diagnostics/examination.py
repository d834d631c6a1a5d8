"""What an examination works with: the machine, the interfaces as they were read, and the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jitd import wire
from jitd.core.configuration import Config
from jitd.core.firewall import Rules
from jitd.core.model import IPNetwork
from jitd.enforce.finding import Finding
from jitd.enforce.port import EnforceError, LinkState
from jitd.verbs.context import View

#: An interface as it was read back, or why it could not be: by name.
Links = Mapping[str, LinkState | EnforceError]


class Machine(Protocol):
    """What is examined beside the store and the interfaces. `jitd.diagnostics.checks.machine` is the real one."""

    def config(self, running: Config) -> list[wire.Check]:
        """The configuration on disk against what runs."""
        ...

    def socket(self, running: Config) -> list[wire.Check]:
        """The socket."""
        ...

    def store(self, running: Config) -> list[wire.Check]:
        """The database and its disk."""
        ...

    def clock(self) -> list[wire.Check]:
        """Whether the clock is kept right."""
        ...

    def files(self, running: Config) -> list[wire.Check]:
        """Who may read and write what."""
        ...

    def sshd(self, users: Sequence[str], *, closed: bool) -> list[wire.Check]:
        """What sshd forwards."""
        ...

    def firewall(
        self, rules: Rules, pools: Mapping[str, Sequence[IPNetwork]], ports: Mapping[str, int]
    ) -> list[Finding]:
        """What in this machine's own set-up would drop what the rules let through, or get around them.

        `pools` are the interfaces' address pools by name, `ports` the UDP ports that they listen on. Takes up to some
        seconds. Raises EnforceError.
        """
        ...

    def mail(self, running: Config) -> list[wire.Check]:
        """The mail server."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an examination works with, in a thread of its own."""

    view: View
    machine: Machine
    links: Links
    stepped_ms: int  # by how much the wall clock was set since jitd started
