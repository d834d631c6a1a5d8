"""One jitd for each network namespace: two with stores of their own would take each other's peers for strangers."""

import logging
import os
import socket

import pytest

from jitd import lock
from jitd.core.errors import JitError
from jitd.lock import NamespaceLock


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the name that a jitd of this machine may have."""
    monkeypatch.setattr(lock, "_NAME", f"\0jitd-test-{os.getpid()}".encode())


def test_a_second_one_is_refused_with_the_pid_of_the_first() -> None:
    """The second start says who is there; after the first one's end it goes through."""
    first = NamespaceLock()
    with pytest.raises(JitError) as caught:
        NamespaceLock()
    assert caught.value.code == "conflict"
    assert f"another jitd (pid {os.getpid()})" in caught.value.message
    first.release()
    NamespaceLock().release()


def test_a_pretender_keeps_nobody_from_starting(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """A name that an ordinary user has taken is told of, and ignored."""
    pretender = socket.socket(socket.AF_UNIX)
    pretender.bind(lock._NAME)
    pretender.listen()
    monkeypatch.setattr(lock, "_holder", lambda: (4242, 61001))
    with caplog.at_level(logging.WARNING):
        NamespaceLock().release()
    assert "uid 61001 (process 4242) pretends to be another jitd" in caplog.text
    pretender.close()
