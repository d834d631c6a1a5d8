"""The shipped unit. Runs in a machine of its own, where systemd is PID 1."""

import json
import os
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.wait import until

ROOT = Path(__file__).resolve().parents[2]
UNIT = Path("/etc/systemd/system/jitd.service")
SOCKET = Path("/run/jitd/jitd.sock")
LIMIT = 120  # seconds; everything is ten to twenty times as slow in there


def systemctl(*argv: str, check: bool = True) -> str:
    """What systemctl prints."""
    done = subprocess.run(["systemctl", *argv], check=False, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0 or not check, f"{argv}: {done.stdout}{done.stderr}\n{journal()}"
    return done.stdout.strip()


def journal() -> str:
    """What the unit has logged."""
    argv = ["journalctl", "--unit=jitd", "--no-pager", "--output=cat"]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT).stdout


def show(name: str) -> str:
    """A property of the running unit."""
    return systemctl("show", "--value", f"--property={name}", "jitd")


def call(method: str, path: str, **body: object) -> dict[str, object]:
    """One request."""
    payload = json.dumps(body).encode() if method == "POST" else b""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(LIMIT)
        channel.connect(os.fspath(SOCKET))
        head = f"{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        channel.sendall(head.encode() + payload)
        answer = b""
        while chunk := channel.recv(65536):
            answer += chunk
    reply: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return reply


@pytest.fixture(scope="module", autouse=True)
def unit() -> Iterator[None]:
    """The unit, installed and started as the README says, with jitd at /usr/bin."""
    jitd = Path("/usr/bin/jitd")
    # This machine's Python may lie in root's home, which ProtectHome hides: what is installed does not.
    home = "" if not os.path.realpath(sys.executable).startswith("/root/") else "ProtectHome=read-only\n"
    program = Path("/usr/local/lib/jitd-under-test.py")
    program.write_text(
        f"import sys\nsys.path[:0] = {[str(ROOT / 'src'), *sys.path]!r}\n"
        "from jitd.__main__ import main\nsys.exit(main())\n"
    )
    # Through a shell: the path of this Python may have a blank, which no #! line takes.
    jitd.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {program} "$@"\n')
    jitd.chmod(0o755)
    shutil.copy(ROOT / "packaging" / "jitd.service", UNIT)
    extra = Path("/etc/systemd/system/jitd.service.d/test.conf")
    extra.parent.mkdir()
    # Checkouts may lie in /tmp, too.
    private = (
        "PrivateTmp=no\nReadWritePaths=/tmp\n"
        if str(ROOT).startswith("/tmp/") or sys.prefix.startswith("/tmp/")
        else ""
    )
    extra.write_text(f"[Service]\n{home}{private}")
    shutil.rmtree("/var/lib/jitd", ignore_errors=True)
    shutil.rmtree("/etc/jitd", ignore_errors=True)
    subprocess.run([jitd, "init"], check=True, timeout=LIMIT)
    systemctl("daemon-reload")
    systemctl("start", "jitd")
    yield
    systemctl("stop", "jitd", check=False)


def test_start_returns_when_it_answers() -> None:
    """Type=notify is understood: `systemctl start` has waited until the socket answers, and its modes are right."""
    assert show("Type") == "notify"
    assert show("StatusText") == f"listening on {SOCKET}"
    assert call("GET", "/v1/health")["pid"] == int(show("MainPID"))
    assert stat.S_IMODE(SOCKET.stat().st_mode) == 0o666
    assert stat.S_IMODE(SOCKET.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(Path("/var/lib/jitd").stat().st_mode) == 0o700
    # systemd knows every line of the unit.
    verified = subprocess.run(
        ["systemd-analyze", "verify", UNIT], check=False, capture_output=True, text=True, timeout=LIMIT
    )
    assert [line for line in verified.stderr.splitlines() if "man " not in line] == []


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
