"""Somebody between jitctl and jitd, who passes everything on and may do something first."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def proxy(path: Path, real: Path, before: Callable[[str], None]) -> Iterator[Path]:
    """A socket at `path` that leads to `real`. `before` is called with the first line of each request, in the thread of
    its connection, before jitd sees any of it.
    """
    door = socket.socket(socket.AF_UNIX)
    door.bind(os.fspath(path))
    door.listen()

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=carry, args=(door.accept()[0],), daemon=True).start()

    def carry(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as daemon, suppress(OSError):
            asked = client.recv(65536)
            before(asked.partition(b"\r\n")[0].decode())
            daemon.connect(os.fspath(real))
            daemon.sendall(asked)
            back = threading.Thread(target=pump, args=(client, daemon), daemon=True)
            back.start()
            pump(daemon, client)

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield path
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
