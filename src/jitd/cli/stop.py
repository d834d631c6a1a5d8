"""`jitd stop`: end the running daemon and wait until it is gone."""

import contextlib
import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError
from jitd.runtime import lock

#: How long a daemon may take to finish what it has accepted. systemd waits as long (TimeoutStopSec).
SECONDS: Final = 30.0
#: systemd's service: it would be started again at once.
UNIT: Final = "jitd.service"
_LOOK_SECONDS: Final = 0.1


def stop(state_dir: Path, *, hint: str, seconds: float = SECONDS) -> int | None:
    """End the jitd that works in `state_dir`, with SIGTERM; returns its pid, or None when none runs.

    Waits at most so many seconds until its lock is free. Raises JitError: refused for systemd's service, with `hint`
    for what to type instead; not_permitted; busy when it does not end.
    """
    path = state_dir / lock.FILE_NAME
    until = time.monotonic() + seconds
    ended: int | None = None
    while _is_locked(path):
        pid = _holder(path)
        with _process(pid) as process:
            if process is not None and pid != ended and _has_open(pid, path):
                refuse_service(pid, hint)
                _terminate(process, pid)
                ended = pid
            _wait(process)
        if time.monotonic() > until:
            raise _unending(path, ended)
    return ended


def running(state_dir: Path) -> int | None:
    """The pid of the jitd that works in `state_dir`; None when none runs. Raises JitError not_permitted."""
    path = state_dir / lock.FILE_NAME
    return _holder(path) if _is_locked(path) else None


def refuse_service(pid: int, hint: str) -> None:
    """Raise JitError refused when the process is systemd's service."""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return  # it ends just now
    if any(UNIT in line.rpartition(":")[2].split("/") for line in groups.splitlines()):
        raise JitError("refused", f"cannot stop jitd (pid {pid}): systemd would start it again at once", hint)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JitError("not_permitted", f"cannot open {path}: {error.strerror}", "Run it as root.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holder(path: Path) -> int:
    """The pid in the lock's file; 0 for none."""
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text("ascii"))
    return 0


@contextlib.contextmanager
def _process(pid: int) -> Iterator[int | None]:
    """A descriptor that stays with this process whatever becomes of its number; None when there is none."""
    try:
        descriptor = os.pidfd_open(pid) if pid > 0 else None
    except OSError:
        descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _has_open(pid: int, path: Path) -> bool:
    """Whether the process has this file open: the pid in it may be an old one, which another program has now."""
    try:
        wanted = path.stat()
        return any(_is_file(one, wanted) for one in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError as error:
        raise _not_ours(pid) from error
    except OSError:
        return False


def _is_file(one: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(one.stat(), wanted)
    except FileNotFoundError:
        return False  # closed meanwhile


def _terminate(process: int, pid: int) -> None:
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise _not_ours(pid) from error


def _wait(process: int | None) -> None:
    """Until the process is gone, at most a moment."""
    if process is None:
        # Somebody holds the lock who has not said yet who it is, or who never will.
        time.sleep(_LOOK_SECONDS)
        return
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.poll(_LOOK_SECONDS * 1000)


def _not_ours(pid: int) -> JitError:
    return JitError(
        "not_permitted", f"cannot stop jitd (pid {pid}): it belongs to another user", "Run it as root."
    )


def _unending(path: Path, pid: int | None) -> JitError:
    if pid is None:
        return JitError(
            "busy", f"cannot stop jitd: the process that holds {path} is unknown", f"See: fuser -v {path}"
        )
    return JitError(
        "busy",
        f"cannot stop jitd (pid {pid}): it did not stop in time",
        f"Stop it with: kill -KILL {pid}",
    )
