"""`jitctl dial-stdio`, the far end of ssh: standard input and output become a connection to jitd's socket."""

from __future__ import annotations

import json
import os
import select
import socket

from jitctl.api.transport import connect, introduce
from jitd.core.errors import JitError


def pump(path: str, speaking_for: str = "") -> int:
    """Carry bytes both ways until either side ends. Returns the exit status.

    With `speaking_for` jitd is told first who that is.
    """
    try:
        channel = connect(path)
        if speaking_for:
            introduce(channel, speaking_for)
    except JitError as error:
        # In the words of the protocol: whoever reads it is another jitctl, which knows what to do with them.
        os.write(1, _refusal(error))
        return error.exit_status
    channel.settimeout(None)
    incoming, outgoing = 0, 1
    sources = [incoming, channel.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if incoming in ready:
            data = os.read(incoming, 65536)
            try:
                if data:
                    channel.sendall(data)
                else:
                    # The other side has said all it had to say; the answer may still be on its way.
                    sources.remove(incoming)
                    channel.shutdown(socket.SHUT_WR)
            except OSError:
                # jitd listens no more, but may have answered before.
                sources = [channel.fileno()]
        if channel.fileno() in ready:
            try:
                data = channel.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                channel.close()
                return 0
            while data:
                data = data[os.write(outgoing, data) :]


def _refusal(error: JitError) -> bytes:
    """An answer of HTTP that says why there is none of jitd's. It names this machine, which its reader is not on."""
    message, hint = error.message, error.hint
    if error.code == "unreachable":
        message = message.replace("reach jitd", f"reach jitd on {socket.gethostname()}", 1)
        hint = "An administrator of that machine can start it: systemctl start jitd"
    body = json.dumps({"code": error.code, "message": message, "hint": hint}).encode() + b"\n"
    head = (
        f"HTTP/1.1 {error.http_status} {error.code}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
