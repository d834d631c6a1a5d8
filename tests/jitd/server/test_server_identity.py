"""Who the kernel says is calling, and where from."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jitd.server import origin
from jitd.server.peer import peer_of
from support.server import world

CLIENT = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
    "s.sendall(b'GET /v1/whoami HTTP/1.0\\r\\n\\r\\n'); print(s.makefile().read().splitlines()[-1], flush=True)"
)


def own_login_uid() -> int | None:
    login_uid = int(Path("/proc/self/loginuid").read_text())
    return None if login_uid == 4294967295 else login_uid


async def test_the_actor_is_what_the_kernel_says(socket_path: Path) -> None:
    """uid, pid and login uid are those of the process that connected."""
    async with world(socket_path) as here:
        answer = await here.ask("GET", "/v1/whoami")
        assert answer.json == {
            "uid": os.getuid(),
            "user": f"user{os.getuid()}",
            "pid": os.getpid(),
            "origin": origin.describe(os.getpid()),
            "login_uid": own_login_uid(),
        }


async def test_a_uid_without_a_name_has_no_access(socket_path: Path) -> None:
    """A caller whom the system does not know is told so, and no verb runs."""
    async with world(socket_path) as here:
        here.names.nameless.add(os.getuid())
        answer = await here.ask("POST", "/v1/request", {"reason": "x"})
        assert (answer.status, answer.code) == (403, "not_permitted")
        assert answer.json["message"] == (
            f"cannot tell who you are: the system has no name for uid {os.getuid()}"
        )
        stream = await here.ask("GET", "/v1/events")
        assert stream.status == 403
        assert here.service.done == []


async def test_a_caller_that_ended_before_it_was_looked_at_has_no_access(socket_path: Path) -> None:
    """When the process that connected is gone, nobody knows its login uid, and a verb does not run for it."""
    async with world(socket_path) as here:
        mine, theirs = socket.socketpair()
        # The child connects, hands the connection to us and ends: the connection is its, and it is gone.
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            "socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b'x'], [s.fileno()])"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(here.path), str(theirs.fileno()), pass_fds=[theirs.fileno()]
        )
        await process.wait()
        _, (number,), _, _ = socket.recv_fds(mine, 10, 1)
        mine.close()
        theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=number))
        writer.write(b"POST /v1/request HTTP/1.0\r\nContent-Length: 15\r\n\r\n" + b'{"reason": "x"}')
        text = (await asyncio.wait_for(reader.read(), 5)).decode()
        assert "not_permitted" in text
        assert f"cannot tell who is asking: process {process.pid} has ended" in text
        assert here.service.done == []
        writer.close()


def test_a_peer_that_is_gone_at_once_is_noticed(tmp_path: Path) -> None:
    """The start time of a process that ended before it was accepted is not taken from anybody else."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import socket; socket.socket(socket.AF_UNIX).connect({str(tmp_path / 's')!r})",
        ]
    )
    child.wait()
    accepted, _ = listener.accept()
    peer = peer_of(accepted)
    assert (peer.pid, peer.uid, peer.started) == (child.pid, os.getuid(), None)
    accepted.close()
    listener.close()


async def test_the_terminal_of_the_caller_is_noted(socket_path: Path) -> None:
    """A caller on a pseudo-terminal has its name as origin."""
    async with world(socket_path) as here:
        controller, terminal = os.openpty()
        name = os.ttyname(terminal)
        # The first terminal that the leader of a new session opens becomes its own.
        script = "import os, sys; os.open(sys.argv.pop(), os.O_RDWR); " + CLIENT
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(here.path), name,
            stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        out, _ = await process.communicate()
        os.close(terminal)
        os.close(controller)
        assert json.loads(out)["origin"] == name.removeprefix("/dev/")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's own sshd counts, so it needs root to play one")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
async def test_the_ssh_client_behind_the_caller_is_noted(
    socket_path: Path, family: socket.AddressFamily, address: str
) -> None:
    """Below a root-owned sshd, the far end of its TCP connection is the origin."""
    sshd = socket_path.parent.parent / "sshd"
    shutil.copy(sys.executable, sshd)
    listener = socket.socket(family)
    listener.bind((address, 0))
    listener.listen()
    client = socket.create_connection(listener.getsockname()[:2])
    accepted, _ = listener.accept()
    # Stands for sshd: holds the connection, and runs the command of who logged in.
    script = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    async with world(socket_path) as here:
        process = await asyncio.create_subprocess_exec(
            sshd, "-c", script, sys.executable, "-c", CLIENT, str(here.path),
            stdout=asyncio.subprocess.PIPE, pass_fds=[accepted.fileno()],
            env={**os.environ, "PYTHONHOME": sys.base_prefix},
        )  # fmt: skip
        out, _ = await process.communicate()
    port = client.getsockname()[1]
    for sock in (client, accepted, listener):
        sock.close()
    assert f"ssh from {address} port {port}" in out.decode()


def test_what_cannot_be_read_is_left_out() -> None:
    """A process that is not there has no origin, no uids and no start time, and nothing is raised."""
    gone = 2**22 + 1
    assert (origin.describe(gone), origin.uids(gone), origin.start_time(gone)) == ("", frozenset(), None)
    assert origin.describe(1) == ""
