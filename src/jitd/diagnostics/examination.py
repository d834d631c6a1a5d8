"""What an examination works with: the machine, the interfaces as they were read, and the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jitd.core.configuration import Config
from jitd.diagnostics.machine import Machine
from jitd.enforce.port import EnforceError, LinkState
from jitd.verbs.context import View

#: An interface as it was read back, or why it could not be: by name.
Links = Mapping[str, LinkState | EnforceError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an examination works with, in a thread of its own."""

    view: View
    machine: Machine
    links: Links
    stepped_ms: int  # by how much the wall clock was set since jitd started


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What there is without a running jitd: its configuration, and where that was read."""

    config: Config
    path: Path
    pid: int | None  # of a running one, where there is one
