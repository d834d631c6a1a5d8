"""How large a run is, where it works, and where it says how far it is."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """`directory` is on the filesystem where the stores are; `real` allows namespaces and packets.

    `firewall` is the layer that jitd uses where there are packets: "nftables" or "none".
    """

    directory: Path
    quick: bool = False
    real: bool = True
    firewall: str = "nftables"
    begun: float = field(default_factory=time.monotonic)

    def choose(self, whole: int, quick: int) -> int:
        """The one number in a whole run, the other in a quick one."""
        return quick if self.quick else whole

    def place(self, name: str) -> Path:
        """A new directory for one part of the run."""
        made = self.directory / name
        made.mkdir()
        return made

    def say(self, text: str) -> None:
        """Progress, for whoever waits."""
        sys.stderr.write(f"[{time.monotonic() - self.begun:5.0f} s] {text}\n")
        sys.stderr.flush()
