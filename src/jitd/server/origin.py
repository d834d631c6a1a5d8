"""Where a process was started from, as far as /proc shows it: terminal and ssh client. Evidence only.

Nothing here decides anything, so nothing here raises: what cannot be read is left out. All of it is bounded.
"""

import os
import re
import sys
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from jitd.core import parsing

_PARENTS: Final = 32  # how far up the process tree is looked
_DESCRIPTORS: Final = 256  # how many of an sshd are looked at
_TABLE_BYTES: Final = 4 * 1024 * 1024  # of a TCP table
_FILE_BYTES: Final = 4096
_ESTABLISHED: Final = "01"
_SSHD: Final = frozenset({"sshd", "sshd-session"})
_PTS_MAJORS: Final = range(136, 144)
_TTY_MAJOR: Final = 4
_SERIAL_MINOR: Final = 64  # ttyS0; below are the virtual consoles


def describe(pid: int) -> str:
    """For example `pts/3, ssh from 192.0.2.7 port 51234`; empty when nothing is known."""
    parts = [_terminal(pid), _ssh_client(pid)]
    return ", ".join(part for part in parts if part)


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when there is no such process. Never waits."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def uids(pid: int) -> frozenset[int]:
    """Real, effective, saved and file system uid of the process; empty when there is no such process."""
    matched = re.search(rb"^Uid:((?:\s+[0-9]+){4})$", _read(f"/proc/{pid}/status", _FILE_BYTES), re.MULTILINE)
    return frozenset(int(uid) for uid in matched[1].split()) if matched else frozenset()


def _read(path: str, size: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat behind the name, which may itself hold blanks and brackets: state comes
    first.
    """
    fields = _read(f"/proc/{pid}/stat", _FILE_BYTES).rpartition(b")")[2].split()
    return fields if len(fields) > 19 else []


def _terminal(pid: int) -> str:
    fields = _stat(pid)
    number = int(fields[4]) if fields else 0
    major, minor = os.major(number), os.minor(number)
    if major in _PTS_MAJORS:
        return f"pts/{(major - _PTS_MAJORS.start) * 256 + minor}"
    if major == _TTY_MAJOR:
        return f"tty{minor}" if minor < _SERIAL_MINOR else f"ttyS{minor - _SERIAL_MINOR}"
    return f"tty {major}:{minor}" if number else ""


def _ssh_client(pid: int) -> str:
    for _ in range(_PARENTS):
        fields = _stat(pid)
        pid = int(fields[1]) if fields else 0
        if pid <= 1:
            return ""
        if _is_system_sshd(pid):
            remote = _remote_address(pid)
            if remote:
                return f"ssh from {remote}"
    return ""


def _is_system_sshd(pid: int) -> bool:
    """Whether this is root's sshd. The name that the process gives itself would prove nothing; its executable
    does.
    """
    executable = _link(f"/proc/{pid}/exe")
    # An upgrade replaces the file under a running sshd.
    name = Path(executable.removesuffix(" (deleted)")).name
    return name in _SSHD and uids(pid) == {0}


def _remote_address(pid: int) -> str:
    """The far end of the first established TCP connection that the process holds."""
    inodes = _sockets(pid)
    for table in ("tcp", "tcp6"):
        for line in (
            _read(f"/proc/{pid}/net/{table}", _TABLE_BYTES).decode("ascii", "replace").splitlines()[1:]
        ):
            fields = line.split()
            if len(fields) > 9 and fields[3] == _ESTABLISHED and fields[9] in inodes:
                return _address(fields[2])
    return ""


def _sockets(pid: int) -> set[str]:
    """Inode numbers of the sockets that the process holds."""
    found: set[str] = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for _, entry in zip(range(_DESCRIPTORS), entries, strict=False):
                target = _link(entry.path)
                if target.startswith("socket:["):
                    found.add(target[len("socket:[") : -1])
    except OSError:
        return found
    return found


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _address(text: str) -> str:
    """The kernel prints each 32-bit word of an address in hexadecimal, in the machine's own byte order."""
    host, _, port = text.partition(":")
    try:
        words = bytes.fromhex(host)
        if sys.byteorder == "little":
            words = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
        address = parsing.packed_address(words)
        number = int(port, 16)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return f"{mapped or address} port {number}"
