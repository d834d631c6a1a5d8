"""Who is at the other end of a Unix socket: the one place where an Actor is made.

The uid is what the kernel recorded when the client connected. Everything else is read from /proc, so it has
to be made sure that the pid still is the process that connected: its start time is noted while SO_PEERPIDFD
says that this process lives, and has to be the same after everything else was read.
"""

import asyncio
import errno
import os
import select
import socket
import struct
from asyncio.trsock import TransportSocket
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jitd.core.errors import JitError
from jitd.core.model import NO_LOGIN, Actor
from jitd.core.people import Directory
from jitd.server import origin

#: Since Linux 6.5; Python's socket module has no name for it.
SO_PEERPIDFD: Final = 77
_UCRED: Final = struct.Struct("iII")  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected. `started` is its start time in clock ticks since boot, None when it was
    gone already or is hidden from us.
    """

    pid: int
    uid: int
    started: int | None


@dataclass(frozen=True, slots=True)
class _Evidence:
    login_uid: int | None
    origin: str


def peer_of(sock: socket.socket | TransportSocket) -> Peer:
    """Who connected. Quick, and never waits: it is called for every connection, wanted or not. Raises
    OSError.
    """
    pid, uid, _gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    started = origin.start_time(pid)
    if started is not None and not _still_connected_process(sock, pid, uid):
        started = None
    return Peer(pid=pid, uid=uid, started=started)


def _still_connected_process(sock: socket.socket | TransportSocket, pid: int, uid: int) -> bool:
    """Whether `pid` is, right now, the process that connected (as far as this kernel can tell)."""
    try:
        pidfd = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, 4), "little")
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            return False  # the process is gone
        # Linux before 6.5 (Debian 12): a pid that was given to somebody else meanwhile shows by its owner.
        return uid in origin.uids(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)  # readable means that it has ended
        return not poll.poll(0)
    finally:
        os.close(pidfd)


async def identify(peer: Peer, directory: Directory, executor: Executor) -> Actor:
    """The Actor for a connected process; /proc is read in `executor`, names are asked of the directory.

    Raises JitError not_permitted when the uid has no name or the process cannot be examined: an unknown
    caller has no access, and one whose login uid cannot be read could approve their own request.
    """
    evidence = await asyncio.get_running_loop().run_in_executor(executor, _evidence, peer)
    if evidence is None:
        raise JitError(
            "not_permitted",
            f"cannot tell who is asking: process {peer.pid} has ended, or is hidden from jitd",
            "Try again, and keep the connecting program running until the reply arrives.",
        )
    user = await directory.refresh_uid(peer.uid)
    if not user:
        raise JitError(
            "not_permitted",
            f"cannot tell who you are: the system has no name for uid {peer.uid}",
            "jitd identifies people by user names; see `getent passwd` on the gateway.",
        )
    login_user = None if evidence.login_uid is None else await directory.refresh_uid(evidence.login_uid)
    return Actor(
        uid=peer.uid,
        user=user,
        login_uid=evidence.login_uid,
        login_user=login_user,
        pid=peer.pid,
        origin=evidence.origin,
    )


def _evidence(peer: Peer) -> _Evidence | None:
    """What /proc says of the peer, None when it is not there any more. Reads files, so not for the loop."""
    evidence = _Evidence(_login_uid(peer.pid), origin.describe(peer.pid))
    # Read last: the same start time now means that all of the above was about the process that connected.
    same = peer.started is not None and origin.start_time(peer.pid) == peer.started
    return evidence if same else None


def _login_uid(pid: int) -> int | None:
    """The login uid, None when nobody logged in or this kernel keeps none."""
    try:
        text = Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii")
        login_uid = int(text)
    except (OSError, ValueError):
        return None
    return None if login_uid == NO_LOGIN else login_uid
