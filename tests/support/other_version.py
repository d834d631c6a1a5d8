"""A jitd of another version: a socket in front of a real one, that changes what goes through."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: (method, path with its query, body) of a request -> None to hand it on, or (status, answer) in place of that.
Refuse = Callable[[str, str, Any], tuple[int, dict[str, Any]] | None]
#: What comes back, changed.
Change = Callable[[Any], Any]


def as_it_is(_method: str, _path: str, _body: Any) -> None:
    """Hand every request on."""
    return


@contextmanager
def other_version(
    real: Path, at: Path, change: Change, refuse: Refuse = as_it_is, version: str = "9.9.9"
) -> Iterator[None]:
    """Listen at `at`. Each connection carries one request; streams are changed line by line."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.fspath(at))
        door.listen(50)
        thread = threading.Thread(target=_serve, args=(door, real, change, refuse, version), daemon=True)
        thread.start()
        yield
        door.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(door: socket.socket, real: Path, change: Change, refuse: Refuse, version: str) -> None:
    while True:
        try:
            line, _ = door.accept()
        except OSError:
            return  # it is over
        threading.Thread(target=_one, args=(line, real, change, refuse, version), daemon=True).start()


def _one(line: socket.socket, real: Path, change: Change, refuse: Refuse, version: str) -> None:
    with contextlib.suppress(OSError):  # whoever asked has left, or the daemon has
        _answer(line, real, change, refuse, version)


def _answer(line: socket.socket, real: Path, change: Change, refuse: Refuse, version: str) -> None:
    with line, line.makefile("rb") as asked:
        method, path, _ = asked.readline().decode().split()
        length = 0
        while header := asked.readline().strip():
            if header.lower().startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
        body = asked.read(length)
        if refused := refuse(method, path, json.loads(body) if body else None):
            status, answer = refused
            line.sendall(_head(status, version) + json.dumps(answer).encode())
            return
        with socket.socket(socket.AF_UNIX) as behind:
            behind.connect(os.fspath(real))
            behind.sendall(f"{method} {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n".encode() + body)
            with behind.makefile("rb") as said:
                status = int(said.readline().split()[1])
                while said.readline().strip():
                    pass
                line.sendall(_head(status, version))
                for one in said:  # every answer is JSON on one line
                    line.sendall(json.dumps(change(json.loads(one))).encode() + b"\n" if one.strip() else one)


def _head(status: int, version: str) -> bytes:
    return f"HTTP/1.0 {status} x\r\nServer: jitd/{version}\r\n\r\n".encode()
