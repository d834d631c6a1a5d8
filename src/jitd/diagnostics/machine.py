"""The machine that a running jitd examines: what its checks may ask beside the store and the interfaces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core.configuration import Config
from jitd.core.firewall import Rules
from jitd.core.model import IPNetwork
from jitd.diagnostics import firewall
from jitd.diagnostics.bounded import Bounded
from jitd.enforce.finding import Finding

#: How long a check may take in seconds, where it has no limit of its own; and how much longer one that has.
SECONDS: Final = 8.0
_MORE: Final = 2.0


class Machine:
    """The machine that jitd runs on. Every method blocks for a bounded time, and may be called in any thread."""

    def __init__(self, path: Path | None, load: Callable[[Path], Config]) -> None:
        """`path` is the file that the configuration came from, and `load` reads it."""
        self.path = path
        self.load = load
        self._bounded = Bounded()

    def bounded(
        self, part: str, ask: Callable[[], list[wire.Check]], seconds: float = SECONDS - _MORE
    ) -> list[wire.Check]:
        """What `ask` finds, which may hang: it is given up a little after its own limit in seconds."""
        return self._bounded.run(part, seconds + _MORE, ask)

    def firewall(
        self, rules: Rules, pools: Mapping[str, Sequence[IPNetwork]], ports: Mapping[str, int]
    ) -> list[Finding]:
        """What in this machine's own set-up would drop what the rules let through, or get around them.

        `pools` are the interfaces' address pools by name, `ports` the UDP ports that they listen on. Takes up to some
        seconds. Raises EnforceError.
        """
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
