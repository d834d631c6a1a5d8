"""The system's users and groups through libc, with three answers: found, not there, and could not be asked.

Python's `pwd` and `grp` raise KeyError for the last two alike, which is no base for a decision.
"""

import ctypes
import errno
import os
from dataclasses import dataclass
from typing import Any, Final

#: What glibc returns when every source has said that there is no such entry. POSIX also allows ENOENT and others for
#: that, but glibc returns those only when the last source failed: ENOENT is what the modules of sssd and nslcd give
#: while their daemon is down. An account that is wrongly taken for gone would lose its grants.
_NOT_THERE: Final = 0
_LARGEST_BUFFER: Final = 16 * 1024 * 1024  # bytes; a group of a hundred thousand members fits


class _Passwd(ctypes.Structure):
    _fields_ = (
        ("pw_name", ctypes.c_char_p),
        ("pw_passwd", ctypes.c_char_p),
        ("pw_uid", ctypes.c_uint32),
        ("pw_gid", ctypes.c_uint32),
        ("pw_gecos", ctypes.c_char_p),
        ("pw_dir", ctypes.c_char_p),
        ("pw_shell", ctypes.c_char_p),
    )


class _Group(ctypes.Structure):
    _fields_ = (
        ("gr_name", ctypes.c_char_p),
        ("gr_passwd", ctypes.c_char_p),
        ("gr_gid", ctypes.c_uint32),
        ("gr_mem", ctypes.POINTER(ctypes.c_char_p)),
    )


class _Shadow(ctypes.Structure):
    _fields_ = (
        ("sp_namp", ctypes.c_char_p),
        ("sp_pwdp", ctypes.c_char_p),
        ("sp_lstchg", ctypes.c_long),
        ("sp_min", ctypes.c_long),
        ("sp_max", ctypes.c_long),
        ("sp_warn", ctypes.c_long),
        ("sp_inact", ctypes.c_long),
        ("sp_expire", ctypes.c_long),
        ("sp_flag", ctypes.c_ulong),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """The source could not be asked."""


@dataclass(frozen=True, slots=True)
class User:
    """An entry of the user database."""

    name: str
    uid: int
    gid: int
    shell: str


@dataclass(frozen=True, slots=True)
class Group:
    """An entry of the group database."""

    name: str
    gid: int
    members: frozenset[str]


def user_by_name(name: str) -> User | None:
    """The user of this name, None when there is none. Raises Unavailable."""
    entry = _Passwd()
    found = _ask_by_name("getpwnam_r", name, entry)
    return _user(entry) if found else None


def user_by_uid(uid: int) -> User | None:
    """The user with this uid, None when there is none. Raises Unavailable."""
    entry = _Passwd()
    found = _ask("getpwuid_r", ctypes.c_uint32(uid), entry)
    return _user(entry) if found else None


def group_by_name(name: str) -> Group | None:
    """The group of this name, None when there is none. Raises Unavailable."""
    entry = _Group()
    buffer = _ask_by_name("getgrnam_r", name, entry)
    if not buffer:
        return None
    members = set()
    index = 0
    while (member := entry.gr_mem[index]) is not None:
        members.add(os.fsdecode(member))
        index += 1
    return Group(os.fsdecode(entry.gr_name), entry.gr_gid, frozenset(members))


def gids_of(user: User) -> frozenset[int]:
    """The gids that the system would give the user at login. Those of a source that is down are silently missing."""
    count = 64
    while True:
        gids = (ctypes.c_uint32 * count)()
        size = ctypes.c_int(count)
        if (
            _libc.getgrouplist(os.fsencode(user.name), ctypes.c_uint32(user.gid), gids, ctypes.byref(size))
            >= 0
        ):
            return frozenset(gids[: size.value])
        count = max(count * 2, size.value)


def expires_day(name: str) -> int | None:
    """The day (since 1970) from which the account has expired, None when it never does or that is not for us to see.

    Needs root. A locked password says nothing: accounts that log in by key have one.
    """
    entry = _Shadow()
    try:
        found = _ask_by_name("getspnam_r", name, entry)
    except Unavailable:
        return None
    return entry.sp_expire if found and entry.sp_expire >= 0 else None


def _user(entry: _Passwd) -> User:
    return User(os.fsdecode(entry.pw_name), entry.pw_uid, entry.pw_gid, os.fsdecode(entry.pw_shell or b""))


def _ask_by_name(function: str, name: str, entry: ctypes.Structure) -> ctypes.Array[ctypes.c_char] | None:
    try:
        key = os.fsencode(name)
    except UnicodeEncodeError:
        return None  # no name of the system can hold half a character
    # libc would read only what comes before a zero, and find somebody else.
    return None if b"\0" in key else _ask(function, key, entry)


def _ask(function: str, key: Any, entry: ctypes.Structure) -> ctypes.Array[ctypes.c_char] | None:
    """Call one of the get…_r functions. Returns the buffer that the entry points into, None for no entry."""
    size = 4096
    while True:
        buffer = ctypes.create_string_buffer(size)
        result = ctypes.c_void_p()
        code = getattr(_libc, function)(
            key, ctypes.byref(entry), buffer, ctypes.c_size_t(size), ctypes.byref(result)
        )
        if code == errno.ERANGE and size < _LARGEST_BUFFER:
            size *= 4
            continue
        if result.value:
            return buffer
        if code == _NOT_THERE:
            return None
        raise Unavailable(f"{function}: {os.strerror(code)}")
