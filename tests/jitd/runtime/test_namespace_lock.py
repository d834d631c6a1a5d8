"""One jitd for each network namespace: two with stores of their own would take each other's peers for strangers."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from jitd.core.errors import JitError
from jitd.runtime import lock
from jitd.runtime.lock import NamespaceLock
from support.wait import until

HOLDER = """
import sys, time
from jitd.runtime import lock
lock._PREFIX = bytes.fromhex(sys.argv[1])
held = lock.NamespaceLock()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the name that a jitd of this machine may have."""
    monkeypatch.setattr(lock, "_PREFIX", f"\0jitd-test-{os.getpid()}/".encode())


def test_a_second_one_is_refused_with_the_pid_of_the_first() -> None:
    """The second start says who is there; after the first one's end it goes through."""
    first = NamespaceLock()
    with pytest.raises(JitError) as caught:
        NamespaceLock()
    assert caught.value.code == "conflict"
    assert f"another jitd (pid {os.getpid()})" in caught.value.message
    first.release()
    NamespaceLock().release()


@pytest.mark.root
def test_a_second_one_of_another_mount_namespace_is_refused() -> None:
    """A jitd in a container that shares the machine's network is found, although none of its files are."""
    command = [sys.executable, "-c", HOLDER, lock._PREFIX.hex()]
    with subprocess.Popen(
        ["unshare", "--mount", *command],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(JitError, match=f"another jitd \\(pid {other.pid}\\)"):
                NamespaceLock()
        finally:
            other.kill()


SQUAT = """
import os, socket, sys, time
os.setgid(61001); os.setuid(61001)
squatters = []
for name in (prefix := bytes.fromhex(sys.argv[1])), prefix + sys.argv[2].encode(), prefix + b"1/ffffffffffffffff":
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
        one = socket.socket(socket.AF_UNIX, kind)
        try:
            one.bind(name)
        except OSError:
            continue  # one name, one socket
        squatters.append(one)
for number in range(500):
    one = socket.socket(socket.AF_UNIX)
    one.bind(prefix + f"{number}/{number}".encode())
    if number % 2:
        one.listen(0)
    squatters.append(one)
print(len(squatters), flush=True)
time.sleep(60)
"""


@pytest.fixture
def squatter() -> Iterator[None]:
    """A user who has bound hundreds of names that a jitd's lock could have, some of them listening."""
    command = [sys.executable, "-c", SQUAT, lock._PREFIX.hex(), f"{os.getpid()}/0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert int(process.stdout.readline()) > 500
            yield
        finally:
            process.kill()


@pytest.mark.root
@pytest.mark.usefixtures("squatter")
def test_a_user_who_binds_its_names_keeps_nobody_from_starting() -> None:
    """Attack: any user can bind any abstract name, listening or not, to make jitd believe in another one.

    It starts all the same, and a second one is refused all the same.
    """
    first = NamespaceLock()
    with pytest.raises(JitError, match=f"another jitd \\(pid {os.getpid()}\\)"):
        NamespaceLock()
    first.release()


def test_the_lock_goes_with_its_process() -> None:
    """A jitd that was killed keeps nobody from starting."""
    command = [sys.executable, "-c", HOLDER, lock._PREFIX.hex()]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        other.kill()
        other.wait(10)
        until(lambda: lock._held_by(os.geteuid()) == [], "the lock is gone", 5)
