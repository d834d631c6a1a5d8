"""What was found about the gateway's own set-up."""

from dataclasses import dataclass
from typing import Final

BROKEN: Final = "broken"
WARNING: Final = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about this machine that somebody should know.

    `level` is "broken" (granted traffic cannot pass, or access can get around jitd) or "warning"; `what` is a
    sentence for people; `fix` is the command or line to type, "" when there is none.
    """

    level: str
    what: str
    fix: str
