"""Private keys of this machine's devices: in the system's keyring, else in a file that only their user reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jitctl import keyrings, profiles
from jitd.core.errors import JitError


def find(profile: str, device: str) -> str | None:
    """The private key of a device, None when there is none here.

    Raises JitError bad_request for one others can read, and KeyringError where the keyring does not say.
    """
    # There is a file only where the keyring could not be used.
    return _from_file(_file(profile, device)) or keyrings.get(_name(profile, device))


def keep(profile: str, device: str, private_key: str) -> str:
    """Keep a private key. Returns in words where it is now. Raises JitError bad_request."""
    why_not = keyrings.put(_name(profile, device), private_key)
    if not why_not:
        return "in your keyring"
    file = _file(profile, device)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The mode is given when it is made, so that there is no moment in which others may read it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="ascii") as written:
            written.write(f"{private_key}\n")
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        raise JitError("bad_request", f"cannot write {file}: {error.strerror}") from error
    return f"in {file}, which only you can read: {why_not}"


def _name(profile: str, device: str) -> str:
    return f"{profile}/{device}"


def _file(profile: str, device: str) -> Path:
    return profiles.directory() / "keys" / f"{profile}.{device}.key"


def _from_file(file: Path) -> str | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JitError("bad_request", f"cannot read {file}: {error.strerror}") from error
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as kept:
        status = os.fstat(kept.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.geteuid():
            raise JitError(
                "bad_request",
                f"cannot use {file}: others may read or change it",
                f"Its key may be known to others: jitctl device remove, take the file away, and set up again;"
                f" or, where you are sure: chmod 600 {file}",
            )
        return kept.read(200).strip() or None
