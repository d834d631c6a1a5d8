"""Reaching the jitd of another machine: `ssh … jitctl dial-stdio`, whose pipes are the connection."""

import os
import re
import select
import shlex
import socket
import subprocess
from typing import Final

from jitctl.transport import Channel, connect, introduce
from jitd.core.errors import JitError

#: How ssh itself ends when it could not do what it was told (ssh(1), EXIT STATUS).
SSH_FAILED: Final = 255
#: How a shell ends that does not find the program (POSIX, 2.8.2).
NOT_FOUND: Final = 127

_HOST: Final = re.compile(
    r"(?:ssh://)?(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.@-]*)@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII,
)


def command(host: str) -> list[str]:
    """The program and arguments that reach `ssh://user@host:port`. Raises JitError bad_request.

    The program is `ssh`, or what $JITCTL_SSH says (with its own options).
    """
    matched = _HOST.fullmatch(host)
    if matched is None:
        raise JitError(
            "bad_request",
            f"cannot read the host {host[:60]!r}",
            "Type it as ssh://user@gateway or ssh://gateway:2222.",
        )
    program = os.environ.get("JITCTL_SSH") or "ssh"
    try:
        words = shlex.split(program)
    except ValueError:
        raise JitError(
            "bad_request",
            f"cannot read JITCTL_SSH {program[:60]!r}: a quotation mark is missing",
            "Write it as for a shell, for example: ssh -F ~/.ssh/gateway.conf",
        ) from None
    # No terminal, and no questions in the middle of a protocol other than ssh's own on the terminal. ssh itself has
    # to notice a network that is gone: how long somebody takes to type a passphrase has no limit here.
    words += ["-T", "-o", "ServerAliveInterval=15"]
    if matched["port"]:
        words += ["-p", matched["port"]]
    if matched["user"]:
        words += ["-l", matched["user"]]
    return [*words, "--", matched["host"].strip("[]"), "jitctl", "dial-stdio"]


def dial(host: str) -> Channel:
    """A connection through an ssh process; what ssh says goes to standard error, where its user sees it.

    Raises JitError unreachable or bad_request.
    """
    words = command(host)
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(words, stdin=theirs.fileno(), stdout=theirs.fileno())  # noqa: S603 - checked above
    except OSError as error:
        ours.close()
        raise JitError(
            "unreachable",
            f"cannot run {words[0]}: {error.strerror}",
            "Install an ssh client (openssh-client).",
        ) from error

    def ended() -> JitError | None:
        try:
            status = process.wait(5)
        except subprocess.TimeoutExpired:
            process.terminate()
            status = process.wait()
        if status == SSH_FAILED:
            return JitError(
                "unreachable",
                f"cannot reach {host}: ssh failed, and its own words are above",
                f"Try: {shlex.join(words[:-2])}",
            )
        if status == NOT_FOUND:
            return JitError(
                "unreachable",
                f"cannot reach jitd on {host}: there is no jitctl to talk to",
                f"Install jitctl on {host}, where ssh finds it.",
            )
        if status > 0:
            return JitError(
                "unreachable",
                f"cannot reach jitd on {host}: jitctl dial-stdio ended there with status {status}",
                f"Look there: ssh {shlex.quote(host)} systemctl status jitd",
            )
        return None

    # No limit of time until something follows an event stream: ssh may be asking for a passphrase.
    return Channel(ours, ended)


def pump(path: str, speaking_for: str = "") -> int:
    """`jitctl dial-stdio`: standard input and output become a connection to jitd's socket. Returns the exit status.

    With `speaking_for` jitd is told first who that is.
    """
    channel = connect(path)
    if speaking_for:
        introduce(channel, speaking_for)
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
