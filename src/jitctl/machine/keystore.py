"""Private keys of this machine's devices: in the system's keyring, else in a file that only their user reads.

While a key is rotated there are two: the one that was registered, and the next one. Both stay until the gateway has said
which of them counts, so that whatever is interrupted, the registered one is here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from jitctl.machine import keyrings, ownfiles, profiles
from jitd.core import text
from jitd.core.commandline import shell
from jitd.core.errors import JitError

#: The key of a device, and the one that is to follow it.
_KEY: Final = "key"
_NEXT: Final = "next"


@contextmanager
def locked() -> Iterator[None]:
    """Nobody else changes keys meanwhile. Raises JitError busy while another jitctl does."""
    file = _directory() / ".lock"
    with ExitStack() as held:
        try:
            held.enter_context(ownfiles.locked(file))
        except BlockingIOError:
            raise JitError(
                "busy", "cannot change keys now: another jitctl does", "Try again when it has ended."
            ) from None
        except OSError as error:
            raise JitError("bad_request", f"cannot write {file}: {error.strerror}") from error
        yield


def find(profile: str, device: str) -> str | None:
    """The private key of a device, None when there is none here.

    Raises JitError bad_request for one others can read, and KeyringError where the keyring does not say.
    """
    # There is a file only where the keyring could not be used when a key was kept last: it is the newer one.
    return _from_file(_file(profile, device, _KEY)) or keyrings.get(_name(profile, device, _KEY))


def missing() -> str:
    """What to say of a key that was not found: that it is not here, or that nobody can know."""
    if keyrings.is_there():
        return "is not on this machine"
    return "is in no file of this machine, and no keyring can be reached from here"


def advice(otherwise: str) -> str:
    """What to type where a key was not found: where a keyring may have it, first of all the same where it can be reached."""
    if keyrings.is_there():
        return otherwise
    return f"If your keyring has it, type the same where you are logged in to your desktop. Else: {otherwise}"


def find_next(profile: str, device: str) -> str | None:
    """The key that is to follow, of a rotation that was interrupted; None when there is none. Raises as `find`."""
    found = _from_file(_file(profile, device, _NEXT))
    if found is None and not _file(profile, device, _KEY).exists():
        # A keyring that keeps no key of this device is not asked whether it is unlocked.
        found = keyrings.get(_name(profile, device, _NEXT))
    return found


def matching(profile: str, device: str, is_it: Callable[[str], bool]) -> str | None:
    """The private key of a device that counts, as the gateway knows, among all that are here. Raises as `find`."""
    for slot in (_KEY, _NEXT):
        found = _from_file(_file(profile, device, slot))
        if found is not None and is_it(found):
            return found
    for slot in (_KEY, _NEXT):
        found = keyrings.get(_name(profile, device, slot))
        if found is not None and is_it(found):
            return found
    return None


def keep(profile: str, device: str, private_key: str) -> str:
    """Keep a private key as the one of the device, in the place of any other. Returns in words where it is now.

    Raises JitError bad_request; the one before is still there then.
    """
    where = _keep(profile, device, _KEY, private_key)
    _drop(profile, device, _NEXT)
    return where


def settle(profile: str, device: str, private_key: str) -> str:
    """The same for one that is here already. Raises as `keep`."""
    with suppress(keyrings.KeyringError):
        if find(profile, device) == private_key and find_next(profile, device) is None:
            return "as it was"
    return keep(profile, device, private_key)


def keep_next(profile: str, device: str, private_key: str) -> None:
    """Keep a private key beside the one of the device, until `keep`. Raises JitError bad_request."""
    _keep(profile, device, _NEXT, private_key)


def drop_next(profile: str, device: str) -> None:
    """Forget the key that was to follow. Raises nothing."""
    _drop(profile, device, _NEXT)


def drop(profile: str, device: str) -> bool:
    """Forget every key of a device. Returns whether there was one. Raises nothing."""
    gone = [_drop(profile, device, slot) for slot in (_NEXT, _KEY)]
    return any(gone)


def _keep(profile: str, device: str, slot: str, private_key: str) -> str:
    file = _file(profile, device, slot)
    why_not = keyrings.put(_name(profile, device, slot), private_key)
    if not why_not:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        return "in your keyring"
    _write(file, private_key)
    return f"in {file}, which only you can read: {why_not}"


def _write(file: Path, private_key: str) -> None:
    """Put it there in one step, and on the disk."""
    new = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        # The mode is given when it is made, so that there is no moment in which others may read it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, 0o600), "w", encoding="ascii") as written:
            written.write(f"{private_key}\n")
            written.flush()
            os.fsync(written.fileno())
        new.replace(file)
        directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise JitError("bad_request", f"cannot write {file}: {error.strerror}") from error


def _drop(profile: str, device: str, slot: str) -> bool:
    file, dropped = _file(profile, device, slot), False
    for one in (file, file.with_name(f"{file.name}.new")):
        with suppress(OSError):
            one.unlink()
            dropped = True
    return keyrings.drop(_name(profile, device, slot)) or dropped


def _name(profile: str, device: str, slot: str) -> str:
    return f"{profile}/{device}" if slot == _KEY else f"{profile}/{device} {slot}"


def _directory() -> Path:
    return profiles.directory() / "keys"


def _file(profile: str, device: str, slot: str) -> Path:
    return _directory() / f"{profile}.{text.name(device, 'device')}.{slot}"


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
                f"cannot use {file}: other users may read or change it",
                f"Its key may be known to others: jitctl device remove, take the file away, and set up again;"
                f" or, where you are sure: {shell('chmod', '600', file)}",
            )
        return kept.read(200).strip() or None
