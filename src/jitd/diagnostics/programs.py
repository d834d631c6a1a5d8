"""Asking other programs of the machine, each within seconds."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SECONDS: Final = 5.0
_SAID_LENGTH: Final = 300  # characters


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program printed, or why it could not be asked: one of the two is empty."""

    text: str = ""
    trouble: str = ""


def ask(argv: Sequence[str], seconds: float = SECONDS) -> Answer:
    """Run a program without input. One that fails, hangs or is missing gives an answer with `trouble`."""
    name = argv[0].rpartition("/")[2]
    try:
        done = subprocess.run(  # noqa: S603 - the argument lists are fixed, and names in them come from the system
            argv,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(trouble=f"{name} did not answer within {seconds:.0f} s")
    except OSError as error:
        return Answer(trouble=f"{name} cannot be run: {error.strerror or error}")
    if done.returncode:
        said = " ".join(done.stderr.split())[:_SAID_LENGTH]
        return Answer(trouble=f"{name} failed: {said or f'exit status {done.returncode}'}")
    return Answer(text=done.stdout)
