"""Which backend is chosen, as far as any machine can tell."""

import os
import shutil
import subprocess
import sys

import pytest

from jitd.enforce.choose import choose, choose_firewall
from jitd.enforce.port import EnforceError

ASKED = "choose_firewall('nftables', 'userspace', closed=None, boot_ms=lambda: 0)"


def test_memory() -> None:
    """`memory` is the simulated one."""
    assert choose("memory", "wireguard-go").name == "memory"


def test_an_unknown_backend() -> None:
    """A backend that does not exist is an error that names those that do."""
    with pytest.raises(EnforceError, match="auto, kernel, userspace or memory"):
        choose("magic", "wireguard-go")


def test_userspace_that_is_not_installed() -> None:
    """`userspace` without its program is an error that says what to install."""
    with pytest.raises(EnforceError, match="no program no-such-program: install the package wireguard-go"):
        choose("userspace", "no-such-program")


def test_an_nftables_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nftables` without its program is an error that says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnforceError, match="no program nft: install the package nftables"):
        choose_firewall("nftables", "userspace", closed=None, boot_ms=lambda: 0)


@pytest.mark.skipif(shutil.which("nft") is None, reason="there is no nft")
def test_an_nftables_that_is_forbidden() -> None:
    """Who may not change nftables is told which capability that needs."""
    argv = [sys.executable, "-c", f"from jitd.enforce.choose import choose_firewall\n{ASKED}"]
    if os.geteuid() == 0:
        argv = ["setpriv", "--bounding-set=-net_admin", *argv]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "this needs the capability CAP_NET_ADMIN" in done.stderr, done
