"""Runs inside a world and takes the times there: calls over jitd's socket, WireGuard's own socket, programs.

Reads one JSON object per line, answers each with one. Standard library only. `do` is one of
  call     METHOD and PATH with an optional BODY over SOCKET, on a connection of its own as jitctl makes it
  uapi     OPERATION to the userspace WireGuard that carries INTERFACE; with `at_ns` it sleeps to that wall clock time first
  run      a program, ARGV, with GIVEN on standard input
  look_up  the NAMES of users, one after the other, with the groups of each
Every answer has `begun` and `ended`, nanoseconds of CLOCK_MONOTONIC.
"""

import json
import os
import pwd
import socket
import subprocess
import sys
import time
from typing import Any


def _exchange(path: str, payload: bytes, end: bytes) -> bytes:
    """Send and read to `end`, or to the end of the connection."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(120)
        line.connect(path)
        line.sendall(payload)
        reply = bytearray()
        while not (end and reply.endswith(end)) and (part := line.recv(1 << 20)):
            reply += part
    return bytes(reply)


def call(path_of_socket: str, method: str, path: str, body: object = None) -> tuple[int, str]:
    """(status, text) of one HTTP request. Raises OSError."""
    payload = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    head_bytes, _, rest = _exchange(path_of_socket, head.encode() + payload, b"").partition(b"\r\n\r\n")
    if not head_bytes:
        raise ConnectionResetError(f"{path}: closed without an answer")
    return int(head_bytes.split()[1]), rest.decode()


def uapi(interface: str, operation: str) -> tuple[int, int]:
    """(errno, number of peers in the reply) of one operation on WireGuard's own socket. Raises OSError."""
    reply = _exchange(f"/var/run/wireguard/{interface}.sock", f"{operation}\n\n".encode(), b"\n\n")
    return int(reply.rpartition(b"errno=")[2]), reply.count(b"public_key=")


def _do(asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if at_ns := asked.get("at_ns"):
        time.sleep(max(at_ns - time.time_ns(), 0) / 1e9)
    begun = time.monotonic_ns()
    match asked["do"]:
        case "call":
            status, text = call(asked["socket"], asked["method"], asked["path"], asked.get("body"))
            ended = time.monotonic_ns()
            answer = {"status": status, "text": text}
        case "uapi":
            number, peers = uapi(asked["interface"], asked["operation"])
            ended = time.monotonic_ns()
            answer = {"errno": number, "peers": peers}
            if at_ns:
                # By the wall clock, as the deadline is.
                answer["late_ns"] = time.time_ns() - at_ns
        case "run":
            done = subprocess.run(
                asked["argv"], input=asked.get("given", ""), capture_output=True, text=True, check=False
            )
            ended = time.monotonic_ns()
            answer = {"status": done.returncode, "text": done.stdout, "error": done.stderr}
        case "look_up":
            for name in asked["names"]:
                os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
            ended = time.monotonic_ns()
        case other:
            raise ValueError(other)
    return {**answer, "begun": begun, "ended": ended}


if __name__ == "__main__":
    for line in sys.stdin:
        try:
            print(json.dumps(_do(json.loads(line))), flush=True)
        except (OSError, ValueError, KeyError) as error:
            print(json.dumps({"failed": f"{type(error).__name__}: {error}"}), flush=True)
