"""The socket: whether everyone reaches it, and who answers there."""

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core.commandline import shell
from jitd.diagnostics.check import Check
from jitd.diagnostics.lines import broken, ok, unknown, warning

_START = "systemctl start jitd # or: jitd run; why it ended: journalctl -u jitd"


def examine(path: Path, *, pid: int | None) -> list[wire.Check]:
    """The socket of a jitd whose process is `pid`; None: nobody knows of a running one."""
    try:
        status = path.lstat()
    except OSError as error:
        if pid is not None:
            return [
                broken(
                    f"{path} does not exist ({error.strerror}), although jitd runs (process {pid})",
                    "systemctl restart jitd",
                )
            ]
        return [unknown(f"jitd does not run: the socket {path} does not exist", _START)]
    if not stat.S_ISSOCK(status.st_mode):
        return [
            broken(
                f"{path} is not a socket", f"{shell('mv', path, f'{path}.away')} && systemctl restart jitd"
            )
        ]
    found = list(_modes(path, status))
    answering = _who(path)
    match answering:
        case int() if pid is None or answering == pid:
            found.append(ok(f"process {answering} listens on {path}"))
        case int():
            found.append(
                broken(
                    f"another process listens on {path}: process {answering}, while jitd is process {pid}",
                    f"ps -fp {answering} # end it, then: systemctl restart jitd",
                )
            )
        case _ if pid is None:
            found.append(unknown(f"jitd does not run: no process answers on {path} ({answering})", _START))
        case _:
            found.append(broken(f"no process answers on {path}: {answering}", "systemctl restart jitd"))
    return found


def _modes(path: Path, status: os.stat_result) -> list[wire.Check]:
    mode = stat.S_IMODE(status.st_mode)
    found = []
    if mode & 0o666 != 0o666:
        found.append(
            broken(
                f"{path} has the mode {mode:04o}: some users cannot reach jitd",
                shell("chmod", "0666", path),
            )
        )
    if status.st_uid not in (0, os.geteuid()):
        found.append(
            broken(f"{path} belongs to another user (uid {status.st_uid})", "systemctl restart jitd")
        )
    for parent in path.parents:
        try:
            there = parent.stat()
        except OSError as error:
            found.append(broken(f"{parent} cannot be examined: {error.strerror}"))
            continue
        if not there.st_mode & stat.S_IXOTH:
            # Somebody who runs jitd for himself may well want to be alone.
            found.append(
                (broken if os.geteuid() == 0 else warning)(
                    f"{parent} has the mode {stat.S_IMODE(there.st_mode):04o}: users cannot reach the socket "
                    "in it",
                    shell("chmod", "o+x", parent),
                )
            )
        if there.st_mode & stat.S_IWOTH and not there.st_mode & stat.S_ISVTX:
            found.append(
                broken(
                    f"every user may write to {parent} and replace the socket of jitd",
                    shell("chmod", "o-w", parent),
                )
            )
    return found or [ok(f"all users can reach {path} (mode {mode:04o})")]


def _who(path: Path) -> int | str:
    """The process that listens there, or why none can be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(1)
        try:
            line.connect(str(path))
            found = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except TimeoutError:
            return "it accepts no connection"
        except OSError as error:
            return error.strerror or str(error)
    pid: int = struct.unpack("3i", found)[0]
    return pid


CHECKS: Final = (
    Check(
        "socket",
        "socket",
        "The API socket",
        "broken",
        lambda one: one.machine.bounded(
            "socket", lambda: examine(one.view.config.daemon.socket, pid=os.getpid())
        ),
        alone=lambda one: examine(one.config.daemon.socket, pid=one.pid),
    ),
)
