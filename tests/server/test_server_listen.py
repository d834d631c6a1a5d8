"""The socket file."""

import os
import socket
import stat
import subprocess
import sys

import pytest
from server_world import world

from jitd.core.errors import JitError
from jitd.server import listen


async def test_everyone_may_connect_and_the_directory_is_made(socket_path):
    """The socket is 0666 in a directory 0755 that was made for it, whatever the umask."""
    before = os.umask(0o077)
    try:
        async with world(socket_path):
            assert stat.S_IMODE(socket_path.stat().st_mode) == 0o666
            assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o755
    finally:
        os.umask(before)
    assert not socket_path.exists()


async def test_a_stale_socket_is_replaced(socket_path):
    """A socket file on which nobody answers is replaced."""
    socket_path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(socket_path))
    async with world(socket_path) as here:
        assert (await here.ask("GET", "/v1/whoami")).status == 200


async def test_a_live_socket_is_refused_and_left_alone(socket_path):
    """A second server on the same path is told which process answers there, and the first goes on."""
    async with world(socket_path) as here:
        with pytest.raises(JitError) as caught:
            async with world(socket_path):
                pass
        assert caught.value.code == "conflict"
        assert caught.value.message == f"cannot listen on {socket_path}: process {os.getpid()} answers there"
        assert (await here.ask("GET", "/v1/whoami")).status == 200


def test_a_live_socket_with_a_full_queue_is_refused(socket_path):
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
def test_what_is_no_socket_is_not_replaced(socket_path, kind):
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


def test_a_path_that_is_too_long_is_named(tmp_path):
    """A path that the kernel has no room for is an error that names it."""
    with pytest.raises(JitError) as caught:
        listen.bind(tmp_path / ("x" * 120))
    assert caught.value.code == "bad_request"
    assert "xxx" in caught.value.message


async def test_somebody_elses_socket_is_not_unlinked(socket_path):
    """A server whose file was replaced by another one leaves that one alone when it stops."""
    async with world(socket_path):
        socket_path.unlink()
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(socket_path))
    assert socket_path.exists()
    other.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="root may write everywhere, so another user has to try")
def test_a_directory_without_permission_is_an_error_with_a_hint(socket_path):
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
