"""One HTTP exchange over the Unix socket in the name of any user, from one process that is root."""

import os
import socket
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Final

#: Seconds that an answer may take, whatever was sent.
PATIENCE: Final = 40.0


class NoAnswerError(Exception):
    """The connection ended without an answer; the text says how."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    kind: str
    body: bytes


def send(socket_path: str, raw: bytes, uid: int, gid: int) -> Answer:
    """Send bytes as a user of this machine and read the answer. Raises NoAnswerError.

    The kernel notes who connects at the moment of connect(), by the effective uid.
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        os.setegid(gid)
        os.seteuid(uid)
        try:
            line.connect(socket_path)
        finally:
            os.seteuid(0)
            os.setegid(0)
        try:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all of it was taken: the answer says so
        response = HTTPResponse(line)
        try:
            response.begin()
            return Answer(response.status, response.headers.get("Content-Type", ""), response.read())
        except (OSError, HTTPException) as error:
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
