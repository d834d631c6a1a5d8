"""kill -9 at any moment loses nothing that was acknowledged (the real interfaces' side of it is in e2e)."""

import base64
import getpass
import os

import pytest

from support.daemon import Daemon
from support.storm import compare, settle, storm

KEY = base64.b64encode(bytes(range(1, 33))).decode()


def a_person() -> str:
    """Somebody on this machine who may own devices and is not the caller: nobody decides for themselves."""
    import pwd

    for entry in pwd.getpwall():
        person = 1000 <= entry.pw_uid < 60000 and not entry.pw_shell.endswith(("nologin", "false"))
        if person and entry.pw_uid != os.getuid():
            return entry.pw_name
    pytest.skip(f"not run: {getpass.getuser()} is the only person on this machine")


def test_kill_at_seeded_moments(daemon: Daemon) -> None:
    """After each of ten kills, every acknowledged verb is there, and each history is whole."""
    user = a_person()
    daemon.start()
    assert daemon.post("/v1/interface/add", name="wg0", pools=["10.9.0.0/24"])[0] == 200
    assert daemon.post("/v1/network/add", name="office", routes=["10.0.0.0/8"])[0] == 200
    assert daemon.post("/v1/device/add", name="laptop", public_key=KEY, user=user)[0] == 200
    verbs = 0
    for seed in range(10):
        told = storm(daemon, user, seed)
        verbs += len(told.status)
        daemon.start()
        compare(daemon, told)
        settle(daemon, user)
    assert verbs > 10
