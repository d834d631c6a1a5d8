"""Waiting for a fact with a deadline, in place of sleeping."""

import time
from collections.abc import Callable


def until(fact: Callable[[], object], what: str, seconds: float = 10, every: float = 0.02) -> None:
    """Ask again every `every` seconds until the fact is true. Raises AssertionError after `seconds`, naming `what`."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(every)
