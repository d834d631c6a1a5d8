"""Packets with a number and the time of their sending: a program of its own, run inside namespaces.

packets.py send ADDRESS PORT RATE FILE   UDP packets, RATE a second, until standard input ends
packets.py receive PORT FILE             those that arrive, until standard input ends
packets.py talk ADDRESS PORT RATE FILE   the same over one TCP connection to an echo server, and what comes back
packets.py serve PORT                    an echo server over TCP
packets.py connect ADDRESS PORT SECONDS  whether a TCP connection opens and echoes: exit 0 or 1

Files hold records of three 64-bit numbers: number, sent, received (0 in a sender's own file), times in nanoseconds
of CLOCK_MONOTONIC, which all namespaces of a machine share. The first record is written when the first packet is.
"""

import contextlib
import os
import selectors
import socket
import struct
import sys
import threading
import time
from pathlib import Path

RECORD = struct.Struct("!QQQ")
PACKET = struct.Struct("!QQ")
FLUSH_SECONDS = 0.01
SO_RCVBUFFORCE = 33  # Python has no name for it


class Log:
    """The file of records, written every few milliseconds: a thousand writes a second would slow the machine."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb", buffering=0)
        self._kept = bytearray()
        self._written = 0.0

    def add(self, number: int, sent: int, received: int) -> None:
        """Keep a record."""
        self._kept += RECORD.pack(number, sent, received)
        if time.monotonic() - self._written > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was kept."""
        if self._kept:
            self._file.write(self._kept)
            self._kept.clear()
        self._written = time.monotonic()


def _end() -> threading.Event:
    """Set when standard input has ended."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def send(address: str, port: int, rate: int, file: Path) -> None:
    """Send on a fixed beat, so that a late packet is not followed by a slower stream."""
    ended, log = _end(), Log(file)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        start, number = time.monotonic(), 0
        while not ended.is_set():
            time.sleep(max(start + number / rate - time.monotonic(), 0))
            now = time.monotonic_ns()
            # Without a route or a key the system refuses: to the stream that is a packet that was lost.
            with contextlib.suppress(OSError):
                out.sendto(PACKET.pack(number, now), (address, port))
            log.add(number, now, 0)
            number += 1
    log.flush()


def receive(port: int, file: Path) -> None:
    """Write down what arrives. The buffer is large: a packet lost in here would be blamed on the gateway."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inward:
        inward.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        inward.bind(("0.0.0.0", port))
        inward.settimeout(FLUSH_SECONDS)
        # The file is there when the socket is.
        ended, log = _end(), Log(file)
        while not ended.is_set():
            try:
                packet = inward.recv(2048)
            except TimeoutError:
                log.flush()
            else:
                number, sent = PACKET.unpack(packet)
                log.add(number, sent, time.monotonic_ns())
    log.flush()


def talk(address: str, port: int, rate: int, file: Path) -> None:
    """Keep one connection busy: what is written is numbered, what comes back is written down."""
    with socket.create_connection((address, port), 10) as line, file.open("wb", buffering=0) as log:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setblocking(False)
        start, number, pending = time.monotonic(), 0, b""
        with selectors.DefaultSelector() as waiting:
            waiting.register(sys.stdin, selectors.EVENT_READ)
            waiting.register(line, selectors.EVENT_READ)
            while True:
                ready = [
                    key.fileobj for key, _ in waiting.select(max(start + number / rate - time.monotonic(), 0))
                ]
                if sys.stdin in ready:
                    return
                if line in ready:
                    pending += line.recv(65536)
                    while len(pending) >= PACKET.size:
                        log.write(RECORD.pack(*PACKET.unpack(pending[: PACKET.size]), time.monotonic_ns()))
                        pending = pending[PACKET.size :]
                if time.monotonic() >= start + number / rate:
                    # A full buffer is what a connection that is cut looks like from its end.
                    with contextlib.suppress(BlockingIOError):
                        line.send(PACKET.pack(number, time.monotonic_ns()))
                    number += 1


def serve(port: int) -> None:
    """Echo what comes over any number of connections, for ever."""
    with socket.create_server(("0.0.0.0", port)) as door, selectors.DefaultSelector() as waiting:
        waiting.register(door, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is door:
                    line, _ = door.accept()
                    waiting.register(line, selectors.EVENT_READ)
                    continue
                line = key.fileobj  # type: ignore[assignment]  # registered above, with sockets
                with contextlib.suppress(OSError):
                    if data := line.recv(65536):
                        line.sendall(data)
                        continue
                waiting.unregister(line)
                line.close()


def connect(address: str, port: int, seconds: float) -> None:
    """Exit 0 when a word comes back within the time."""
    try:
        with socket.create_connection((address, port), seconds) as line:
            line.settimeout(seconds)
            line.sendall(b"word")
            sys.exit(line.recv(16) != b"word")
    except OSError:
        sys.exit(1)


if __name__ == "__main__":
    # Before ordinary programs: a sender or receiver that waits for a processor looks like a lossy gateway.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    match sys.argv[1:]:
        case ["send", address, port, rate, file]:
            send(address, int(port), int(rate), Path(file))
        case ["receive", port, file]:
            receive(int(port), Path(file))
        case ["talk", address, port, rate, file]:
            talk(address, int(port), int(rate), Path(file))
        case ["serve", port]:
            serve(int(port))
        case ["connect", address, port, seconds]:
            connect(address, int(port), float(seconds))
        case _:
            sys.exit(__doc__)
