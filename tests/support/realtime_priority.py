"""Keeps a busy machine from losing packets that a test would blame on the gateway.

Userspace WireGuard that waits for a processor lets its queues run over. So it, and the programs that send and receive,
go before everything else on this machine, and its sockets and links get room for seconds of packets. jitd does not.
"""

import contextlib
import ctypes
import os
import socket
from pathlib import Path

from support.packets import SO_RCVBUFFORCE
from support.world import World

PRIORITY = 10
ROOM = 16 << 20  # bytes of a socket's buffer
QUEUE = 10_000  # packets that a tunnel's link holds
_PIDFD_GETFD = 438  # the same number on every architecture
_libc = ctypes.CDLL(None, use_errno=True)


def first(pid: int) -> None:
    """Let all threads of a process run before those of ordinary programs. Where that is forbidden, nothing happens."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(PRIORITY))


def _widen(pid: int) -> None:
    """Enlarge the receive buffers of the UDP sockets of another process, through copies of its descriptors."""
    process = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if not entry.readlink().name.startswith("socket:"):
                    continue
                copy = _libc.syscall(_PIDFD_GETFD, process, int(entry.name), 0)
                if copy < 0:
                    raise OSError(ctypes.get_errno(), "pidfd_getfd")
                with socket.socket(fileno=copy) as found:
                    if found.type == socket.SOCK_DGRAM:
                        found.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    finally:
        os.close(process)


def realtime_priority(world: World) -> None:
    """Do all this for every wireguard-go of the world, and for the links of the tunnels."""
    here = Path(f"/proc/{world.init}/ns/pid").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (process / "comm").read_text() == "wireguard-go\n" and (process / "ns/pid").readlink() == here:
                first(int(process.name))
                _widen(int(process.name))
    spaces = [path.name for path in world.path("/run/netns").iterdir()]
    for where in ("gateway", *spaces):
        # A tunnel of wireguard-go is a tun device: its kind has no name of its own here.
        links = world.run(["ip", "-br", "link", "show", "type", "tun"], where=where).stdout.split("\n")
        for link in filter(None, links):
            world.run(["ip", "link", "set", link.split()[0], "txqueuelen", str(QUEUE)], where=where)
