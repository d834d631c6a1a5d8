"""Values that an attacker would set or send, and the check that nothing of them is in a file that root reads."""

import re
import socket
import threading
from abc import ABC, abstractmethod
from pathlib import Path

from hypothesis import strategies as st

KEY = "mDrIFJvLLi3GuTRdlQkUPYhTrzpMcFc1Sz8vrqMoH0Y="
#: Every line that can be there. `\d` and the like are ASCII, and `$` is never used: it matches before a line break.
_IP = r"[0-9a-f:.]{2,45}/[0-9]{1,3}"
_HOST = r"[0-9a-z.:-]{1,253}"
_LINE = re.compile(
    r"|\[Interface\]|\[Peer\]"
    r"|# [^\n\r\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}"
    r"|PrivateKey = (REPLACE_WITH_PRIVATE_KEY|[A-Za-z0-9+/]{43}=)"
    r"|PostUp = wg set %i private-key /dev/stdin"
    rf"|(Address|AllowedIPs) = {_IP}(, {_IP})*"
    rf"|DNS = {_HOST}(, {_HOST})*"
    r"|(MTU|PersistentKeepalive) = [0-9]{1,5}"
    r"|PublicKey = [A-Za-z0-9+/]{43}="
    rf"|Endpoint = (\[[0-9a-f:.]+\]|[0-9a-z.-]{{1,253}}):[0-9]{{1,5}}",
    re.ASCII,
)

VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "fe80::5%$(id)",
            "fe80::5%x\nPostUp = id",
            "fd00::%x\n[Interface]\nPreUp = id\n#x/64",
            "10.0.0.1\r\nPostUp = id",
            "vpn.example.org:51820",
            "10.9.0.2/32",
            "fd00::2/128",
            "10.0.0.0/8",
            "corp.example",
            "1420",
            KEY,
            "[fe80::1%$(id)]:1",
            "0.0.0.0/0, ::/0",
            "# PostUp = id",
        ]
    ),
)


def check_lines(file: str, *, hook: bool) -> None:
    """Every line is one that may be there, and no shell line but ours."""
    # As bash reads it (line feeds) and as anything that breaks lines elsewhere would.
    for line in {*file.split("\n"), *file.splitlines()}:
        assert _LINE.fullmatch(line), line
    assert file.count("PostUp") == int(hook)


class FakeGateway(ABC):
    """Answers on a Unix socket as a jitd would, until it is closed; what it says is for each test to decide."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @abstractmethod
    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        """The HTTP status and the body for a request; `path` comes without its query."""

    def _serve(self) -> None:
        while True:
            try:
                channel, _ = self._socket.accept()
            except OSError:
                return
            with channel, channel.makefile("rb") as asked:
                method, path, _ = asked.readline().decode().split()
                length = 0
                while line := asked.readline().strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                asked.read(length)
                status, body = self.answer(method, path.partition("?")[0])
                head = f"HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
                channel.sendall(head.encode() + body)
