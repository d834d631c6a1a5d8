"""wireguard-go under systemd. Runs in a machine of its own, where systemd is PID 1."""

import subprocess
import sys
from pathlib import Path

from jitd.enforce.userspace import UserspaceWireGuard
from support.wait import until
from support.wireguard_contract import spec

UNIT = "jitd-wireguard-go-wgunit.service"
# Like jitd: a service that makes the interface, and goes on.
MAKER = """
import time
from support.wireguard_contract import spec
from jitd.enforce.userspace import UserspaceWireGuard
UserspaceWireGuard("/usr/bin/wireguard-go").ensure_link(spec("wgunit"))
time.sleep(600)
"""


def systemctl(*argv: str) -> str:
    """What systemctl prints; it exits with 3 for what is not active."""
    return subprocess.run(["systemctl", *argv], check=False, capture_output=True, text=True).stdout.strip()


def test_it_has_a_unit_of_its_own() -> None:
    """When the service that started wireguard-go is stopped, the interface stays; its removal ends the unit."""
    wireguard = UserspaceWireGuard("/usr/bin/wireguard-go")
    command = ["systemd-run", "--quiet", "--unit=maker", f"--setenv=PYTHONPATH={':'.join(sys.path)}"]
    subprocess.run([*command, sys.executable, "-c", MAKER], check=True)
    until(lambda: wireguard.carries("wgunit"), "the service makes the interface", 90, every=0.5)
    until(lambda: wireguard.read("wgunit").up, "it is up", 30, every=0.5)
    pid = systemctl("show", "--property=MainPID", "--value", UNIT)
    assert Path(f"/proc/{pid}/cgroup").read_text().strip().endswith(f"/system.slice/{UNIT}")
    index = wireguard.read("wgunit").index
    systemctl("stop", "maker.service")
    assert systemctl("is-active", "maker.service") == "inactive"
    assert wireguard.read("wgunit").index == index
    assert wireguard.ensure_link(spec("wgunit")) is False
    wireguard.remove_link("wgunit")
    until(lambda: systemctl("is-active", UNIT) == "inactive", "its unit has ended", 30, every=0.5)
    assert wireguard.ensure_link(spec("wgunit")) is True
    wireguard.remove_link("wgunit")


def test_its_unit_is_closed() -> None:
    """Attack: a hole in wireguard-go, the one program here that parses what strangers on the Internet send.

    Its unit has the rights of the network and one device, writes its socket and nothing else, and serves low ports too.
    """
    wireguard = UserspaceWireGuard("/usr/bin/wireguard-go")
    assert wireguard.ensure_link(spec("wgunit", port=443)) is True
    try:
        until(lambda: wireguard.read("wgunit").up, "it is up", 30, every=0.5)
        assert wireguard.read("wgunit").port == 443
        said = subprocess.run(
            ["systemd-analyze", "security", "--no-pager", UNIT], check=True, capture_output=True, text=True
        ).stdout
        assert float(said.rpartition("exposure level for ")[2].split(":")[1].split()[0]) <= 2.5, said
        bound = systemctl("show", "--property=CapabilityBoundingSet", "--value", UNIT).split()
        assert sorted(bound) == ["cap_net_admin", "cap_net_bind_service"]
        pid = systemctl("show", "--property=MainPID", "--value", UNIT)
        inside = Path(f"/proc/{pid}/root")
        assert list((inside / "home").iterdir()) == []
        assert list((inside / "root").iterdir()) == []
        # Its socket is the machine's, and only root's.
        assert Path("/run/wireguard/wgunit.sock").stat().st_mode & 0o077 == 0
    finally:
        wireguard.remove_link("wgunit")
    until(lambda: systemctl("is-active", UNIT) == "inactive", "its unit has ended", 30, every=0.5)
    # The directory of the sockets is every interface's.
    assert Path("/run/wireguard").is_dir()
