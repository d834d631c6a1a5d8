"""In the place of ssh: `fake_ssh.py SOCKET UID …` is `jitctl dial-stdio` as this user, without a second machine.

With FAKE_SSH_KILL=before:PATH or after:PATH in the environment, the jitctl that began it is killed (SIGKILL) before the
request for this path is sent, or after jitd has answered it and before anybody has read that. With FAKE_SSH_CUT in place of
FAKE_SSH_KILL only the line is cut there, as a network does.
"""

import os
import select
import signal
import socket
import sys


def _end(kills: bool) -> None:
    if kills:
        os.kill(os.getppid(), signal.SIGKILL)
    os._exit(255)


def main() -> None:
    """Pump, until one side ends."""
    path, uid = sys.argv[1], int(sys.argv[2])
    kills = "FAKE_SSH_KILL" in os.environ
    when, _, what = (os.environ.get("FAKE_SSH_KILL") or os.environ.get("FAKE_SSH_CUT") or "").partition(":")
    far = socket.socket(socket.AF_UNIX)
    # The kernel tells jitd who it was at this moment.
    me = os.geteuid()
    os.seteuid(uid)
    far.connect(path)
    os.seteuid(me)
    hit = False
    while True:
        ready, _, _ = select.select([0, far.fileno()], [], [])
        if 0 in ready:
            sent = os.read(0, 65536)
            if not sent:
                return
            hit = bool(what) and what.encode() in sent.partition(b"\r\n")[0]
            if hit and when == "before":
                _end(kills)
            far.sendall(sent)
        if far.fileno() in ready:
            answered = far.recv(65536)
            if hit:
                _end(kills)
            if not answered:
                return
            os.write(1, answered)


if __name__ == "__main__":
    main()
