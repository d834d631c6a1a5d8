"""The machine's clock: grants end by it, and a gateway whose clock is wrong opens nothing after a boot."""

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core import durations
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken, ok, unknown, warning
from jitd.diagnostics.programs import ask
from jitd.store import facts

#: The wall clock against the boot clock since the start: what is less was set gently, second by second.
_STEP_MS: Final = 2000
_HIGH_WATER: Final = "wall_high_ms"
_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of <sys/timex.h>
_MARK: Final = Path("/run/systemd/timesync/synchronized")
_FIX: Final = "timedatectl set-ntp true # or install chrony; then look with: timedatectl"


class _Timex(ctypes.Structure):
    """The beginning of struct timex, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def examine() -> list[wire.Check]:
    """Whether somebody keeps the clock right."""
    synchronised = _kernel()
    if synchronised is None:
        synchronised = _others()
    if synchronised is None:
        return [unknown("this machine does not report whether its clock is synchronised", "timedatectl")]
    if synchronised:
        return [ok("the clock is synchronised")]
    return [
        warning(
            "the clock is not synchronised: after a restart of the gateway, grants end too early or too late "
            "by the error of the clock",
            _FIX,
        )
    ]


def _kernel() -> bool | None:
    """The kernel's word; None where it may not be asked, as in jitd's own unit (ProtectClock)."""
    libc = ctypes.CDLL(None, use_errno=True)
    now = _Timex()
    if libc.adjtimex(ctypes.byref(now)) < 0:
        number = ctypes.get_errno()
        if number in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            return None
        raise OSError(number, os.strerror(number))
    return not now.status & _UNSYNCHRONISED


def _others() -> bool | None:
    """What systemd says, who may ask the kernel."""
    if _MARK.exists():
        return True
    said = ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"]).text.strip()
    return {"yes": True, "no": False}.get(said)


def _behind(one: Examination) -> Iterator[wire.Check]:
    behind_ms = (facts.get(one.view.rows, _HIGH_WATER) or 0) - one.view.now.wall_ms
    if behind_ms > 0:
        yield broken(
            f"the clock is {durations.show(behind_ms)} behind its highest value: grants from before the last "
            "boot and grants made in advance stay closed until the clock is right; if it was wrong before, "
            "revoke and grant them again"
        )


def _stepped(one: Examination) -> Iterator[wire.Check]:
    if abs(one.stepped_ms) < _STEP_MS:
        yield ok("the clock was not set since jitd started")
        return
    way = "forward" if one.stepped_ms > 0 else "back"
    yield warning(
        f"the clock was set {way} by {durations.show(abs(one.stepped_ms))} since jitd started: grants end by "
        "the boot clock, but end dates of people and devices use this clock"
    )


CHECKS: Final = (
    Check(
        "clock-synchronised",
        "clock",
        "Clock synchronisation",
        "warning",
        lambda one: one.machine.bounded("clock", examine),
        alone=lambda _: examine(),
    ),
    Check(
        "clock-behind",
        "clock",
        "A clock behind its highest value",
        "broken",
        _behind,
        fix="timedatectl set-ntp true # or: date --set '…'",
    ),
    Check(
        "clock-stepped",
        "clock",
        "Clock changes since the start",
        "warning",
        _stepped,
        fix="journalctl -u systemd-timesyncd -u chrony -u ntpsec # who set it",
    ),
)
