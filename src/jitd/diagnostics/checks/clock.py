"""The machine's clock: grants end by it, and a gateway whose clock is wrong opens nothing after a boot."""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.diagnostics.checks.lines import ok, unknown, warning
from jitd.diagnostics.checks.programs import ask

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
        return [unknown("nobody here can tell whether the clock is kept right", "timedatectl")]
    if synchronised:
        return [ok("the clock is synchronised")]
    return [
        warning(
            "nobody synchronises the clock: grants that end by the date, and those of a gateway that was"
            " started again, end as early or late as it is wrong",
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
