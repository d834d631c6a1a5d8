"""Telling systemd how it goes: sd_notify(3), which is one datagram."""

import logging
import os
import socket
import time
from typing import Final

log = logging.getLogger("jitd")

#: Seconds that a message about the start, a reload and the end may take.
_PATIENCE: Final = 1.0
#: What is sent again and again: nobody waits for it when whoever started us does not read.
_OFTEN: Final = ("WATCHDOG=", "STATUS=")


def notify(*assignments: str) -> None:
    """Send assignments such as `READY=1` to whoever started us, if they asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An address that begins with @ is in the abstract namespace.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.settimeout(0 if assignments[0].startswith(_OFTEN) else _PATIENCE)
        try:
            channel.sendto("\n".join(assignments).encode(), target)
        except OSError as error:
            log.warning("cannot tell systemd %s: %s", assignments[0], error)


def reloading() -> None:
    """Say that a reload begins, with the time that Type=notify-reload wants (CLOCK_MONOTONIC, microseconds)."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of life, in seconds (half of its limit); None when it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 2_000_000 if microseconds.isdigit() and mine else None
