"""What a command that somebody typed has said."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class CommandResult:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


RunCommand = Callable[..., CommandResult]
