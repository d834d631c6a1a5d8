"""The shipped unit. Runs in a machine of its own, where systemd is PID 1."""

import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import LIMIT, SOCKET, call, installed, journal, show, systemctl, verify

from support.wait import until


@pytest.fixture(scope="module", autouse=True)
def unit() -> Iterator[None]:
    """The unit, installed and started as the README says."""
    with installed():
        yield


def test_start_returns_when_it_answers() -> None:
    """Type=notify is understood: `systemctl start` has waited until the socket answers, and its modes are right."""
    assert show("Type") == "notify"
    assert show("StatusText") == f"listening on {SOCKET}"
    assert call("GET", "/v1/health")["pid"] == int(show("MainPID"))
    assert stat.S_IMODE(SOCKET.stat().st_mode) == 0o666
    assert stat.S_IMODE(SOCKET.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(Path("/var/lib/jitd").stat().st_mode) == 0o700
    # systemd knows every line of the unit.
    assert verify("jitd.service") == []


def test_the_journal_has_priorities() -> None:
    """Lines arrive in the journal with their priority, and without the prefix that gave it."""
    argv = [
        "journalctl",
        "--unit=jitd",
        "--no-pager",
        "--output=cat",
        "--priority=info..info",
        "--grep=ready: ",
    ]
    found = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT).stdout
    assert found.startswith("ready: "), journal()


def test_it_may_do_its_work() -> None:
    """Hardened as it is, it makes an interface of the kernel's, knows its caller, and takes the interface away."""
    reply = call("POST", "/v1/interface/add", name="wgunit0", pools=["10.77.0.0/24"])
    assert reply.get("agrees") is True, (reply, journal())
    shown = subprocess.run(
        ["ip", "-o", "addr", "show", "wgunit0"], check=True, capture_output=True, text=True
    )
    assert "10.77.0.1/24" in shown.stdout
    status = call("GET", "/v1/status")
    assert (status["user"], status["admin"]) == ("root", True)
    assert call("POST", "/v1/interface/remove", name="wgunit0").get("code") is None
    assert not Path("/sys/class/net/wgunit0").exists()


def test_a_reload_and_a_broken_configuration() -> None:
    """`systemctl reload` reads the configuration again; a broken one is complained of, and the daemon goes on."""
    pid = show("MainPID")
    path = Path("/etc/jitd/jitd.toml")
    good = path.read_text()
    systemctl("reload", "jitd")
    until(lambda: "configuration read again" in journal(), "the reload", LIMIT, every=0.5)
    path.write_text("[broken")
    systemctl("reload", "jitd")
    until(lambda: "going on with the configuration as it was" in journal(), "the complaint", LIMIT, every=0.5)
    path.write_text(good)
    until(lambda: systemctl("is-active", "jitd", check=False) == "active", "it is active", LIMIT, every=0.5)
    assert show("MainPID") == pid


def test_it_is_started_again_and_makes_units_for_wireguard_go() -> None:
    """After kill -9 systemd starts it again; the userspace backend gives each interface a unit, within the hardening."""
    pid = show("MainPID")
    path = Path("/etc/jitd/jitd.toml")
    path.write_text(path.read_text().replace('backend = "auto"', 'backend = "userspace"'))
    systemctl("kill", "--signal=KILL", "jitd")

    def back() -> bool:
        return show("MainPID") not in ("0", pid) and systemctl("is-active", "jitd", check=False) == "active"

    until(back, "it is back", LIMIT, every=0.5)
    assert show("StartLimitIntervalUSec") in ("0", "infinity")
    for name in ("wgunit1", "wgunit2"):
        reply = call(
            "POST",
            "/v1/interface/add",
            name=name,
            pools=[f"10.7{name[-1]}.0.0/24"],
            port=51820 + int(name[-1]),
        )
        assert reply.get("agrees") is True, (reply, journal())
        assert systemctl("is-active", f"jitd-wireguard-go-{name}") == "active"
    # One whose process was killed leaves its socket behind, which jitd takes away.
    systemctl("kill", "--signal=KILL", "jitd-wireguard-go-wgunit2")
    removed = call("POST", "/v1/interface/remove", name="wgunit2")
    assert removed.get("code") is None, (removed, journal())
    assert not Path("/run/wireguard/wgunit2.sock").exists()


def test_stop_is_orderly() -> None:
    """`systemctl stop` ends it well and soon; its runtime directory goes with it, and interfaces stay."""
    begun = time.monotonic()
    systemctl("stop", "jitd")
    assert time.monotonic() - begun < 25
    assert show("Result") == "success"
    assert not SOCKET.parent.exists()
    assert Path("/sys/class/net/wgunit1").exists()
    assert systemctl("is-active", "jitd-wireguard-go-wgunit1") == "active"
