"""The socket file."""

import asyncio
import os
import resource
import select
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.server import listen
from jitd.server.places import affordable
from support.server import until, world


async def test_everyone_may_connect_and_the_directory_is_made(socket_path: Path) -> None:
    """The socket is 0666 in a directory 0755 that was made for it, whatever the umask."""
    before = os.umask(0o077)
    try:
        async with world(socket_path):
            assert stat.S_IMODE(socket_path.stat().st_mode) == 0o666
            assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o755
    finally:
        os.umask(before)
    assert not socket_path.exists()


async def test_a_stale_socket_is_replaced(socket_path: Path) -> None:
    """A socket file on which nobody answers is replaced."""
    socket_path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(socket_path))
    async with world(socket_path) as here:
        assert (await here.ask("GET", "/v1/whoami")).status == 200


async def test_a_live_socket_is_refused_and_left_alone(socket_path: Path) -> None:
    """A second server on the same path is told which process answers there, and the first goes on."""
    async with world(socket_path) as here:
        with pytest.raises(JitError) as caught:
            async with world(socket_path):
                pass
        assert caught.value.code == "conflict"
        assert caught.value.message == f"cannot listen on {socket_path}: process {os.getpid()} answers there"
        assert (await here.ask("GET", "/v1/whoami")).status == 200


def test_a_live_socket_with_a_full_queue_is_refused(socket_path: Path) -> None:
    """A process that is too busy to accept still owns its socket."""
    socket_path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(socket_path))
        busy.listen(0)
        first.connect(str(socket_path))
        with pytest.raises(JitError) as caught:
            listen.bind(socket_path)
    assert caught.value.code == "conflict"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_socket_is_not_replaced(socket_path: Path, kind: str) -> None:
    """A file or a link in the way is refused and stays."""
    socket_path.parent.mkdir()
    if kind == "file":
        socket_path.write_text("mine")
    else:
        socket_path.symlink_to("/nowhere")
    with pytest.raises(JitError) as caught:
        listen.bind(socket_path)
    assert caught.value.code == "refused"
    assert os.path.lexists(socket_path)


def test_a_path_that_is_too_long_is_named(tmp_path: Path) -> None:
    """A path that the kernel has no room for is an error that names it."""
    with pytest.raises(JitError) as caught:
        listen.bind(tmp_path / ("x" * 120))
    assert caught.value.code == "bad_request"
    assert "xxx" in caught.value.message


async def test_somebody_elses_socket_is_not_unlinked(socket_path: Path) -> None:
    """A server whose file was replaced by another one leaves that one alone when it stops."""
    async with world(socket_path):
        socket_path.unlink()
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(socket_path))
    assert socket_path.exists()
    other.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="root may write everywhere, so another user has to try")
def test_a_directory_without_permission_is_an_error_with_a_hint(socket_path: Path) -> None:
    """Who may not write there is told so."""
    script = (
        "import os, sys; from pathlib import Path; from jitd.server import listen; from jitd.core.errors import JitError\n"
        "os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        "try: listen.bind(Path(sys.argv[1]))\n"
        "except JitError as error: print(error.code, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(socket_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"not_permitted cannot listen on {socket_path}: Permission denied\n"


async def test_a_socket_that_was_removed_is_put_back(socket_path: Path) -> None:
    """Attack (or a cleaner): `rm -rf` of the run directory. It is there again with its modes, whatever the umask; who is
    connected stays so, and it is told.
    """
    async with world(socket_path) as here:
        reader, writer = await here.open()
        await until(lambda: here.server._places.taken == 1)
        assert await here.server.look() == []
        shutil.rmtree(socket_path.parent)
        before = os.umask(0o077)
        try:
            (told,) = await here.server.look()
        finally:
            os.umask(before)
        assert told == f"{socket_path} was gone 0 min ago and was created again: another program removes it"
        assert here.server.is_reachable
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o666
        assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o755
        assert (await here.ask("GET", "/v1/whoami")).status == 200
        writer.write(b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
    assert not socket_path.exists()


async def test_who_had_connected_to_a_removed_socket_gets_in(socket_path: Path) -> None:
    """A connection that waits in the queue of the old socket is taken over."""
    async with world(socket_path) as here:
        loop = asyncio.get_running_loop()
        file = here.server._socket
        assert file is not None
        old = file._listening.sock
        loop.remove_reader(old)  # as a loop that is busy just now
        asking = asyncio.ensure_future(here.ask("GET", "/v1/whoami"))
        await until(lambda: bool(select.select([old], [], [], 0)[0]))
        socket_path.unlink()
        await here.server.look()
        assert (await asking).status == 200


@pytest.mark.parametrize("mode", [0o600, 0o000])
async def test_a_socket_that_was_closed_to_others_is_opened(socket_path: Path, mode: int) -> None:
    """`chmod` on the socket shuts out everybody; it has its mode again."""
    async with world(socket_path) as here:
        socket_path.chmod(mode)
        assert await here.server.look() == []
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o666


async def test_a_socket_that_cannot_be_put_back_is_told(socket_path: Path) -> None:
    """Where something else is in the way, or somebody answers there, that is left alone and told, until it has gone."""
    async with world(socket_path) as here:

        def is_reachable() -> bool:
            return here.server.is_reachable

        socket_path.unlink()
        socket_path.mkdir()
        (told,) = await here.server.look()
        assert told.startswith(f"users cannot reach {socket_path}: cannot listen on {socket_path}: it exists")
        assert not is_reachable()
        socket_path.rmdir()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(socket_path))
            other.listen()
            (told,) = await here.server.look()
            assert f"process {os.getpid()} answers there" in told
        await here.server.look()
        assert is_reachable()
        assert (await here.ask("GET", "/v1/whoami")).status == 200


def test_few_open_files_mean_fewer_connections() -> None:
    """Attack: users hold so many connections that jitd has no file descriptor left for anything else."""
    assert affordable(256, 32, 65536) == 256
    assert affordable(256, 32, 512) == 160
    with pytest.raises(JitError, match="256 open files are allowed, which is too few"):
        affordable(256, 32, 256)


async def test_without_file_descriptors_whoever_connects_waits(
    socket_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When accept fails for want of a descriptor, that is one log line and no traceback, and goes on by itself."""
    async with world(socket_path) as here:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        # The highest number in use, less what is free below.
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        try:
            while True:
                try:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            client.connect(str(socket_path))
            client.sendall(b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await until(lambda: "cannot accept connections: Too many open files" in caplog.text)
            assert "cannot accept connections: Too many open files" in (await here.server.look())[0]
        finally:
            for number in taken:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        loop = asyncio.get_running_loop()
        assert (await asyncio.wait_for(loop.sock_recv(client, 100), 5)).startswith(b"HTTP/1.1 200")
        client.close()
        assert "Traceback" not in caplog.text
        assert caplog.text.count("cannot accept") == 1
