"""What stands between a start of the machine and jitd's: jitd-closed.service. In a machine with systemd as PID 1."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.installed import CONFIG, LIMIT, UNITS, call, installed, journal, run, show, systemctl, verify
from support.wait import until
from support.world import only_child

CLOSED = Path("/var/lib/jitd/closed.nft")
SLOW = 10  # seconds that a look at what has happened may take in here
WG_QUICK = "wg-quick@wgboot"
PLAYED = "played-machine"
OUTSIDE = ("ip", "netns", "exec", "outside")
INSIDE = "10.79.0.1"  # an address of the network that is granted
# A systemd of its own, with a network, process ids and a /run of its own: it starts as a machine does.
BOOT = f"""
mount -t tmpfs run /run && mount -o remount,ro /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
exec env -i container=test PATH="$PATH" /lib/systemd/systemd --system --unit={PLAYED}.target --show-status=no
"""


def pings(count: int = 3) -> bool:
    """Whether the client's packets pass the tunnel and come back."""
    argv = [*OUTSIDE, "ping", "-q", "-i", "0.2", "-c", str(count), "-W", "2", INSIDE]
    return subprocess.run(argv, check=False, capture_output=True, timeout=LIMIT).returncode == 0


def wire(where: str = "") -> None:
    """Give the gateway's end of the wire its addresses, in this network namespace."""
    ip = ["ip", *(["-n", where] if where else [])]
    for line in ("address add 192.0.2.1/24", f"address add {INSIDE}/24", "link set up"):
        run(*ip, *line.split(), "dev", "toward")


class Machine:
    """A machine that has been started in here."""

    def __init__(self) -> None:
        pid = only_child(int(show("MainPID", PLAYED)))
        assert pid is not None, said_by_machine()
        self._enter = ("nsenter", f"--target={pid}", "--all", "--")

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in there."""
        return run(*self._enter, *argv, check=check)

    def systemctl(self, *argv: str) -> str:
        """What systemctl prints in there, whether or not it fails."""
        return self.run("systemctl", *argv, check=False).stdout.strip()

    def becomes_active(self, unit: str) -> None:
        """Wait for a unit. Raises AssertionError with what it has said."""
        deadline = time.monotonic() + LIMIT
        while self.systemctl("is-active", unit) != "active":
            assert time.monotonic() < deadline, self.systemctl("status", "--full", "--lines=30", unit)
            time.sleep(0.5)

    def when(self, unit: str, name: str) -> int:
        """A moment in the life of a unit, in microseconds of the boot clock."""
        moment = int(self.systemctl("show", "--value", f"--property={name}TimestampMonotonic", unit) or 0)
        assert moment, (unit, name, self.systemctl("status", unit))
        return moment

    def has_table(self) -> bool:
        """Whether a table of jitd's stands in there."""
        return self.run("nft", "list", "table", "inet", "jitd", check=False).returncode == 0


def said_by_machine() -> str:
    """What the machine has written."""
    return run("journalctl", f"--unit={PLAYED}", "--no-pager", "--output=cat", check=False).stdout


@contextmanager
def machine() -> Iterator[Machine]:
    """Start one whose network is the namespace `gateway`; it has started when it gets the interface up."""
    (UNITS / f"{PLAYED}.target").write_text(
        f"[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=jitd.service {WG_QUICK}.service\n"
    )
    run("ip", "netns", "add", "gateway")
    run("ip", "link", "set", "toward", "netns", "gateway")
    wire("gateway")
    unshare = "unshare --pid --mount --uts --ipc --cgroup --fork --kill-child --mount-proc"
    run(
        *("systemd-run", "--quiet", f"--unit={PLAYED}", "--property=Delegate=yes"),
        # The first process of a machine does not end at a SIGTERM.
        "--property=KillSignal=SIGKILL",
        *("ip", "netns", "exec", "gateway", *shlex.split(unshare), "sh", "-c", BOOT),
    )
    try:
        until(lambda: only_child(int(show("MainPID", PLAYED))), "the machine is there", LIMIT, every=0.5)
        made = Machine()
        made.becomes_active(WG_QUICK)
        yield made
    finally:
        systemctl("stop", PLAYED)
        run("ip", "netns", "delete", "gateway")


@contextmanager
def stepped(seconds: int) -> Iterator[None]:
    """The wall clock, set by so many seconds; put right again at the end."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    try:
        yield
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.time() - seconds)


class Pings:
    """Pings of the client's, twenty a second."""

    def __init__(self) -> None:
        argv = [*OUTSIDE, "ping", "-q", "-i", "0.05", "-c", "100000", INSIDE]
        self._ping = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def end(self) -> tuple[int, int]:
        """End them; returns how many were sent, and how many came back."""
        self._ping.send_signal(signal.SIGINT)
        said, _ = self._ping.communicate(timeout=LIMIT)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found, said
        return int(found[1]), int(found[2])

    def close(self) -> None:
        """Be sure that they have ended."""
        self._ping.kill()
        self._ping.wait()


def peers() -> str:
    """The keys of the peers of the interface."""
    return run("wg", "show", "wgboot", "peers").stdout


@pytest.fixture(scope="module", autouse=True)
def scene() -> Iterator[str]:
    """jitd with an interface of wg-quick's, which it enforces; a client outside, who had been there before.

    Gives the client's public key.
    """
    gateway, client = (run("wg", "genkey").stdout for _ in range(2))
    gateway_key, client_key = (run("wg", "pubkey", given=key).stdout.strip() for key in (gateway, client))
    file = Path("/etc/wireguard/wgboot.conf")
    file.parent.mkdir(exist_ok=True)
    file.touch(0o600)
    file.write_text(
        f"[Interface]\nPrivateKey = {gateway}Address = 10.78.0.1/24\nListenPort = 51878\n"
        f"[Peer]\nPublicKey = {client_key}\nAllowedIPs = 10.78.0.2/32\n"
    )
    for line in (
        "ip netns add outside",
        "ip link add toward type veth peer name eth0 netns outside",
        "ip -n outside address add 192.0.2.2/24 dev eth0",
        "ip -n outside link set eth0 up",
        "ip -n outside link add wgclient type wireguard",
        "ip -n outside address add 10.78.0.2/24 dev wgclient",
        "ip -n outside link set wgclient up",
        "ip -n outside route add 10.79.0.0/24 dev wgclient",
    ):
        run(*line.split())
    wire()
    run(
        *OUTSIDE,
        *("wg", "set", "wgclient", "private-key", "/dev/stdin", "peer", gateway_key),
        *("endpoint", "192.0.2.1:51878", "allowed-ips", "10.78.0.1/32,10.79.0.0/24"),
        given=client,
    )
    run("useradd", "--create-home", "bootalice")
    with installed():
        systemctl("start", WG_QUICK)
        assert pings()
        for path, body in (
            ("/v1/interface/adopt", {"name": "wgboot", "endpoint": "192.0.2.1:51878"}),
            ("/v1/network/add", {"name": "boot", "interface": "wgboot", "routes": ["10.79.0.0/24"]}),
            (
                "/v1/device/import",
                {
                    "interface": "wgboot",
                    "devices": [{"public_key": client_key, "user": "bootalice", "name": "laptop"}],
                },
            ),
            ("/v1/interface/enforce", {"name": "wgboot", "on": True}),
        ):
            reply = call("POST", path, **body)
            assert reply.get("code") is None, (path, reply, journal())
        yield client_key
        systemctl("stop", WG_QUICK)
    run("ip", "netns", "delete", "outside")


def test_the_unit_is_understood() -> None:
    """systemd knows every line; the unit was skipped while there was nothing to close, and is enabled with jitd."""
    assert verify("jitd-closed.service", "jitd.service") == []
    assert show("ConditionResult", "jitd-closed") == "no"
    assert systemctl("is-enabled", "jitd-closed") == "enabled"
    assert {"sysinit.target", "network-pre.target"} <= set(show("Before", "jitd-closed").split())
    # Ordinary services come after sysinit.target: wg-quick@ among them.
    assert "sysinit.target" in show("After", WG_QUICK).split()
    assert "jitd-closed.service" in show("After", "jitd").split()


@pytest.mark.parametrize(
    ("seconds", "duration", "clock"), [(-3600, 20_000, "boot"), (7200, 3_600_000, "wall")]
)
def test_a_stepped_clock_lengthens_no_grant(seconds: int, duration: int, clock: str) -> None:
    """Set back, the boot clock ends it on time; set past its end, the wall clock at once; the event says which did."""
    reply = call("POST", "/v1/grant", user="bootalice", network="boot", duration=duration)
    granted = reply.get("request")
    assert isinstance(granted, dict), reply
    latest = time.clock_gettime(time.CLOCK_BOOTTIME) + min(duration / 1000, LIMIT)
    until(pings, "the client is let in", LIMIT, every=0.5)

    def kinds() -> list[str]:
        return [event["kind"] for event in events()]

    def events() -> list[dict[str, Any]]:
        shown: Any = call("GET", f"/v1/show?id={granted['id']}")
        found: list[dict[str, Any]] = shown["events"]
        return found

    with stepped(seconds):
        until(lambda: "cut_confirmed" in kinds(), "it ends", LIMIT, every=0.2)
        assert time.clock_gettime(time.CLOCK_BOOTTIME) < latest + SLOW
        assert not pings()
        assert peers() == ""
    (end,) = (event for event in events() if event["kind"] == "expired")
    assert end["data"]["clock"] == clock


def test_a_restart_of_jitd_cuts_nobody_and_loads_nothing(scene: str) -> None:
    """A restart of jitd that starts the unit late, with its file there now, loses no packet of the client's."""
    reply = call("POST", "/v1/grant", user="bootalice", network="boot", duration=3_600_000)
    assert reply.get("code") is None, reply
    until(pings, "the client is let in", LIMIT, every=0.5)
    assert CLOSED.stat().st_mode & 0o777 == 0o600
    # The gateway has called it, and has stopped to.
    assert run("wg", "show", "wgboot", "persistent-keepalive").stdout == f"{scene}\toff\n"
    with closing(Pings()) as steady:
        assert show("ActiveState", "jitd-closed") == "inactive"
        systemctl("restart", "jitd")
        assert show("ActiveState", "jitd-closed") == "active"
        sent, back = steady.end()
    assert sent > 20
    assert sent - back <= 1  # one may be under way at the end
    assert scene in peers()


def test_stop_is_left_to_systemd() -> None:
    """`jitd stop` names what to type instead, and ends nothing."""
    pid = show("MainPID")
    refused = run("jitd", "stop", "--cut", check=False)
    assert refused.returncode == 3
    assert "systemctl stop jitd && jitd stop --cut" in refused.stderr
    assert show("MainPID") == pid
    assert pings()


def test_a_cut_after_systemds_stop() -> None:
    """`systemctl stop jitd && jitd stop --cut` closes both layers."""
    systemctl("stop", "jitd")
    assert pings()
    cut = run("jitd", "stop", "--cut").stdout
    assert cut.splitlines()[:3] == ["jitd was not running", "firewall: closed", "wgboot: 1 peer removed"]
    assert peers() == ""
    assert not pings()


def test_a_jitd_that_cannot_start_leaves_the_machine_closed(scene: str) -> None:
    """A machine starts with a broken configuration: wg-quick puts its peer there, and no packet of it ever passes."""
    systemctl("stop", WG_QUICK)
    systemctl("enable", "nftables")
    good = CONFIG.read_text()
    CONFIG.write_text("[broken")
    # Each of its starts takes half a minute in here, which others need.
    (UNITS / "jitd.service.d" / "slow.conf").write_text("[Service]\nRestartSec=600\n")
    with closing(Pings()) as steady, machine() as started:
        assert started.systemctl("is-active", "jitd") != "active"
        assert scene in started.run("wg", "show", "wgboot", "peers").stdout
        assert started.has_table()
        assert not pings()
        assert steady.end()[1] == 0
        # nftables.service flushes everything, so it has to be first; interfaces come when all is closed.
        assert started.when("nftables", "ExecMainExit") <= started.when("jitd-closed", "ExecMainStart")
        closed = started.when("jitd-closed", "ExecMainExit")
        assert closed <= started.when("network-pre.target", "ActiveEnter")
        assert closed <= started.when(WG_QUICK, "ExecMainStart")

        # Whoever starts nftables.service again has flushed all; it is closed again at once, although no jitd lives.
        for verbs in (["restart"], ["reload"], ["stop", "start"]):
            for verb in verbs:
                started.systemctl(verb, "nftables")
            until(started.has_table, f"the closed table after {verbs}", LIMIT, every=0.5)
            assert not pings()

        CONFIG.write_text(good)
        started.systemctl("restart", "jitd")
        assert started.systemctl("is-active", "jitd") == "active"
        until(pings, "who has a grant is let in", LIMIT, every=0.5)
