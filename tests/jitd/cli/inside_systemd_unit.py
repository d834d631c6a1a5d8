"""The shipped unit. Runs in a machine of its own, where systemd is PID 1."""

import base64
import json
import os
import shlex
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installed import (
    LIMIT,
    SOCKET,
    call,
    events,
    exposure,
    installed,
    journal,
    run,
    show,
    systemctl,
    verify,
)
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


def agrees(name: str) -> bool:
    """Whether the kernel is as it should be at this interface."""
    waiting = call("GET", "/v1/status")["gateway"]["waiting"]  # type: ignore[index]  # JSON, known to have it
    return not any(name in one for one in waiting)


def test_it_may_do_its_work() -> None:
    """Hardened as it is, it makes an interface of the kernel's, knows its caller, and takes the interface away."""
    reply = call("POST", "/v1/interface/add", name="wgunit0", pools=["10.77.0.0/24"])
    # The first rules of a boot load half a dozen modules, which may take longer than one try may.
    assert reply.get("agrees") is True or "did not answer within" in str(reply["waiting"]), (reply, journal())
    until(lambda: agrees("wgunit0"), f"the interface agrees: {reply}", LIMIT, every=1)
    shown = subprocess.run(
        ["ip", "-o", "addr", "show", "wgunit0"], check=True, capture_output=True, text=True
    )
    assert "10.77.0.1/24" in shown.stdout
    status = call("GET", "/v1/status")
    assert (status["user"], status["admin"]) == ("root", True)
    assert call("POST", "/v1/interface/remove", name="wgunit0").get("code") is None
    assert not Path("/sys/class/net/wgunit0").exists()


def test_it_gives_up_what_it_does_not_need() -> None:
    """Attack: a hole in jitd or in one of its libraries. Its unit leaves little to be done with it.

    The bound is the measured value; the test's own additions for this machine's Python count, too.
    """
    assert exposure("jitd.service") <= 2.9
    capabilities = show("CapabilityBoundingSet").split()
    assert sorted(capabilities) == ["cap_net_admin", "cap_sys_ptrace"]
    assert show("MemoryDenyWriteExecute") == show("PrivateMounts") == show("NoNewPrivileges") == "yes"


#: Asks jitd, and prints the whole answer: the path and the body are arguments.
CALL = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/jitd/jitd.sock")
path, body = sys.argv[1:]
s.sendall(f"POST {path} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
print(s.makefile("rb").read().decode())
"""


def test_where_a_call_comes_from_is_known() -> None:
    """Without CAP_DAC_READ_SEARCH, the address of an ssh session is still found, a user's and root's.

    What it takes are the descriptors and connections of root's own sshd, and the executable behind it.
    """
    directory = Path("/etc/ssh-under-test")
    directory.mkdir()
    run("useradd", "--create-home", "--shell", "/bin/sh", "origina")
    for name in ("host", "key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
    (directory / "call.py").write_text(CALL)
    (directory / "config").write_text(
        f"Port 2222\nHostKey {directory}/host\nPidFile none\nUsePAM yes\nStrictModes no\n"
        f"PermitRootLogin prohibit-password\nAuthorizedKeysFile {directory}/key.pub\n"
    )
    for path in (directory, *directory.glob("*.p*")):
        path.chmod(0o755)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = ("/usr/sbin/sshd", "-D", "-e", "-f", str(directory / "config"))
    run("systemd-run", "--quiet", "--unit=sshd-under-test", *server)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", 2222)) == 0

    until(listens, "sshd listens", LIMIT, every=0.5)
    key = base64.b64encode(os.urandom(32)).decode()
    asked = {
        "root": ("/v1/interface/add", {"name": "wgunit9", "pools": ["10.79.0.0/24"]}),
        "origina": ("/v1/device/add", {"name": "laptop", "public_key": key}),
    }
    try:
        for user, (verb, body) in asked.items():
            command = shlex.join(["/usr/bin/python3", str(directory / "call.py"), verb, json.dumps(body)])
            ssh = [
                *("ssh", "-p", "2222", "-i", str(directory / "key"), "-o", "StrictHostKeyChecking=no"),
                *("-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", f"{user}@127.0.0.1", command),
            ]

            said = run(*ssh, check=False)
            assert " 200 OK" in said.stdout, (
                user,
                said,
                run("journalctl", "-u", "sshd-under-test").stdout,
            )
        origins = {one["actor"]["user"]: one["actor"]["origin"] for one in events() if one["actor"]}
        for user in asked:
            assert "ssh from 127.0.0.1 port " in origins[user], origins
    finally:
        systemctl("stop", "sshd-under-test", check=False)
        call("POST", "/v1/interface/remove", name="wgunit9")


def test_a_removed_run_directory_is_put_back() -> None:
    """Attack (or a cleaner): `rm -rf /run/jitd`. Within its hardening, jitd makes it anew; systemd says so."""
    shutil.rmtree(SOCKET.parent)
    until(SOCKET.exists, "the socket is there again", 30, every=0.2)
    assert call("GET", "/v1/health")["pid"] == int(show("MainPID"))
    assert stat.S_IMODE(SOCKET.parent.stat().st_mode) == 0o755
    until(lambda: "was created again" in show("StatusText"), "systemd has been told", 30, every=0.5)


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
        assert exposure(f"jitd-wireguard-go-{name}.service") <= 2.5
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
