"""Secrets of the daemon, such as the mail server's password: never in the configuration, a log or an argument.

Looked for in this order: a keyring, where the configuration names its backend (to search for one could run code from
a file, and would silently take a plain one); systemd's credentials; a file that only root reads.
"""

import importlib
import os
import stat
from pathlib import Path
from typing import Any, Final

from jitd.core.commandline import shell
from jitd.core.errors import JitError

#: Under which name a keyring has them.
SERVICE: Final = "jitd"
_LONGEST: Final = 4096  # bytes


def find(name: str, *, keyring: str, directory: Path) -> str:
    """The secret of this name. Raises JitError bad_request that says where it was looked for and how to set it."""
    for one in (_from_keyring(name, keyring), _from_credentials(name), _from_file(directory / name)):
        if one:
            return one
    raise JitError(
        "bad_request",
        f"cannot find the password for {name}: it is neither in a keyring, nor in a systemd credential, nor "
        "in"
        f" {directory / name}",
        f"Store it: sudo jitd secret set {name} (or LoadCredential={name}:PATH in the unit).",
    )


def put(name: str, secret: str, *, keyring: str, directory: Path) -> str:
    """Store a secret: in the named keyring, else in a file of mode 0600. Returns where it is now.

    Raises JitError bad_request.
    """
    if not secret or len(secret.encode()) > _LONGEST or any(char in secret for char in "\0\r\n"):
        raise JitError(
            "bad_request", "cannot use this as a password: it is empty, too long or has several lines"
        )
    if keyring:
        try:
            _backend(keyring).set_password(SERVICE, name, secret)
        except JitError:
            raise
        except Exception as error:
            raise _unusable(keyring, name, error) from error
        return f"the keyring {keyring}"
    path = directory / name
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{name}.new")
        new.unlink(missing_ok=True)
        # The mode is given when it is made, so that there is no moment in which others may read it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise JitError(
            "bad_request",
            f"cannot write {path}: {error.strerror}",
            f"Run it as root: sudo jitd secret set {name}",
        ) from error
    return str(path)


def _from_keyring(name: str, keyring: str) -> str:
    if not keyring:
        return ""
    try:
        found = _backend(keyring).get_password(SERVICE, name)
    except JitError:
        raise
    except Exception as error:
        raise _unusable(keyring, name, error) from error
    return found or ""


def _unusable(keyring: str, name: str, error: Exception) -> JitError:
    """Every backend has errors of its own kind. Root's service has no session, and so no keyring daemon."""
    return JitError(
        "bad_request",
        f"cannot use the keyring {keyring}: {error}",
        f'A server usually has no keyring: set keyring = "" in [mail], and type sudo jitd secret set {name}'
        f" (or LoadCredential={name}:PATH in the unit).",
    )


def _backend(keyring: str) -> Any:
    """The keyring of this class. Its library is there only where somebody has asked for it."""
    try:
        core = importlib.import_module("keyring.core")
    except ImportError:
        raise JitError(
            "bad_request",
            "cannot use a keyring: the library is not installed",
            'Install it: pip install keyring, or set keyring = "" in [mail].',
        ) from None
    try:
        return core.load_keyring(keyring)
    except (ImportError, AttributeError, ValueError) as error:
        raise JitError(
            "bad_request",
            f"cannot use the keyring {keyring!r}: {error}",
            'Name its class, such as keyring.backends.SecretService.Keyring, or set keyring = "" in [mail].',
        ) from error


def _from_credentials(name: str) -> str:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return _read(Path(directory) / name) if directory else ""


def _from_file(path: Path) -> str:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise JitError("bad_request", f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid()):
        raise JitError(
            "bad_request",
            f"cannot use {path}: other users may read or change it",
            f"Repair it with: {shell('chown', 'root', path)} && {shell('chmod', '600', path)}",
        )
    return _read(path)


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise JitError("bad_request", f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return file.read(_LONGEST).strip("\r\n")
