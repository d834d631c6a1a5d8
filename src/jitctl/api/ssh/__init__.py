"""Reaching the jitd of another machine: `ssh … jitctl dial-stdio`, whose pipes are the connection."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
from typing import Final, NamedTuple

from jitctl.api.ssh.overheard import Overheard
from jitctl.api.transport import Channel, Cut
from jitd.core.errors import JitError

#: Seconds until a gateway that does not answer is given up, where the user's own configuration does not say.
_CONNECT_SECONDS: Final = 20
#: Seconds that ssh may take to log out.
_LOGOUT_SECONDS: Final = 5.0

_HOST: Final = re.compile(
    r"(?:ssh://)?(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.@-]*)@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII,
)


class Login(NamedTuple):
    """How a machine is logged in on: the program, which options that are not for people, and where to."""

    host: str  # as it was typed
    program: list[str]
    options: list[str]
    address: list[str]

    def words(self, *options: str) -> list[str]:
        """The program and arguments that run dial-stdio there."""
        return [*self.program, *self.options, *options, *self.address, "jitctl", "dial-stdio"]

    def typed(self, *options: str) -> str:
        """The same as somebody types it, to see what ssh says: it asks nothing of jitd and ends at once."""
        return f"{shlex.join([*self.program, *options, *self.address])} jitctl dial-stdio </dev/null"


def login(host: str) -> Login:
    """What reaches `ssh://user@host:port`. Raises JitError bad_request.

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
    options = ["-T", "-o", "ServerAliveInterval=15"]
    address = []
    if matched["port"]:
        address += ["-p", matched["port"]]
    if matched["user"]:
        address += ["-l", matched["user"]]
    return Login(host, words, options, [*address, "--", matched["host"].strip("[]")])


def dial(host: str, patience: float | None = None) -> Channel:
    """A connection through an ssh process; what ssh says goes to standard error, where its user sees it.

    With `patience` each call ends after so many seconds, and ssh asks nobody anything. Raises JitError unreachable or
    bad_request; what goes wrong later is told when the channel is closed.
    """
    way = login(host)
    words = way.words(*(_usual_limit(way) if patience is None else ("-o", "BatchMode=yes")))
    ours, theirs = socket.socketpair()
    heard = Overheard()
    try:
        with theirs, heard:
            process = subprocess.Popen(  # noqa: S603 - checked above
                words, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=heard.theirs
            )
    except OSError as error:
        ours.close()
        heard.end()
        raise JitError(
            "unreachable",
            f"cannot run {words[0]}: {error.strerror}",
            "Install an ssh client (openssh-client).",
        ) from error

    def ended(cut: Cut | None) -> JitError | None:
        if cut is not None and cut.late:
            process.terminate()
        try:
            status = process.wait(_LOGOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            status = process.wait()
        said = heard.end()
        if cut is None:
            return None
        from jitctl.api.ssh import failures

        return failures.of(way, failures.End(status, said, cut, patience))

    # No limit of time without `patience` until something follows an event stream: ssh may be asking for a passphrase.
    return Channel(ours, ended, patience)


def _usual_limit(way: Login) -> list[str]:
    """A limit for a gateway that does not answer, where the user has none and no other host is on the way: the time
    for a passphrase of that one would count.
    """
    from jitctl.api.ssh import configured

    settings = configured.settings(way)
    if settings.get("connecttimeout") != ["none"] or configured.is_through_another(settings):
        return []
    return ["-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
