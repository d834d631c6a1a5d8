"""The life of a gateway that is installed from its packages. In a machine with systemd as PID 1; one test after the other.

Nothing of this checkout is used but the packages, and what drives the tests.
"""

import grp
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.inside import ROOT
from support.installed import LIMIT, exposure, journal, run, show, systemctl
from support.wait import until

PLACE = ROOT / "build" / "test-package"
OUTSIDE = ("ip", "netns", "exec", "outside")
INSIDE = "10.79.0.1"  # an address of the network that is granted
EMPTY = Path("/var/lib/apt/no-lists")  # what is installed here needs nothing from elsewhere
APT = ("apt-get", "-q", "-y", "-o", "Dpkg::Options::=--force-unsafe-io", "-o", f"Dir::State::Lists={EMPTY}")
SECONDS = 900  # apt unpacks ten thousand files, ten to twenty times as slowly as elsewhere
STATE = Path("/var/lib/jitd")
CONFIG = Path("/etc/jitd/jitd.toml")


def apt(*words: str) -> str:
    """Run apt-get. Raises AssertionError with what it said where it fails."""
    done = subprocess.run(
        [*APT, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    assert done.returncode == 0, done.stdout + done.stderr + journal()
    return done.stdout + done.stderr


def jitctl(user: str, *words: str, given: str = "") -> str:
    """What the installed command prints for a user."""
    return run("runuser", "-u", user, "--", "/usr/bin/jitctl", *words, given=given).stdout


def pings(count: int = 3) -> bool:
    """Whether the client's packets pass the tunnel and come back."""
    argv = [*OUTSIDE, "ping", "-q", "-i", "0.2", "-c", str(count), "-W", "2", INSIDE]
    return subprocess.run(argv, check=False, capture_output=True, timeout=LIMIT).returncode == 0


@pytest.fixture(scope="module", autouse=True)
def wires() -> None:
    """A client outside, at the other end of a wire, and two people with accounts."""
    for line in (
        "ip netns add outside",
        "ip link add toward type veth peer name eth0 netns outside",
        "ip address add 192.0.2.1/24 dev toward",
        f"ip address add {INSIDE}/24 dev toward",
        "ip link set toward up",
        "ip -n outside address add 192.0.2.2/24 dev eth0",
        "ip -n outside link set eth0 up",
        "ip -n outside link set lo up",
        "ip -n outside link add wgclient type wireguard",
        "useradd --create-home pkgalice",
        "useradd --create-home pkgcarol",
    ):
        run(*line.split())
    # Machines of tests often say with this that no package is to start or restart a service.
    Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)
    # systemd mounts it on a machine that has an initramfs of its own.
    run("mount", "-t", "securityfs", "securityfs", "/sys/kernel/security", check=False)
    (EMPTY / "partial").mkdir(parents=True)
    # An index of all manual pages takes minutes in here.
    Path("/var/lib/man-db/auto-update").unlink(missing_ok=True)
    # Checkouts' commands are not to be found in place of the packages'.
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ.pop("PYTHONPATH", None)


def test_an_installation_changes_nothing() -> None:
    """Both packages install with apt; groups, snippets and completions are there; nothing runs, is enabled or closed."""
    before = run("nft", "list", "ruleset").stdout
    said = apt("install", *map(str, sorted(PLACE.glob("*.deb"))))
    assert "a gateway begins with: jitd init" in said
    for unit in ("jitd", "jitd-closed"):
        assert systemctl("is-enabled", unit, check=False) == "disabled"
        assert systemctl("is-active", unit, check=False) == "inactive"
    assert run("nft", "list", "ruleset").stdout == before
    assert not CONFIG.exists()
    assert [grp.getgrnam(name).gr_mem for name in ("jit-admins", "jit-remote")] == [[], []]
    assert STATE.stat().st_mode & 0o777 == 0o700
    assert "[daemon]" in Path("/usr/share/doc/jitd/examples/jitd.toml").read_text()
    # dpkg agrees with every file, and so does logrotate with its own.
    assert run("dpkg", "--verify", "jitctl", "jitd").stdout == ""
    run("logrotate", "--debug", "/etc/logrotate.d/jitd")
    assert run("bash", "-n", "/usr/share/bash-completion/completions/jitctl").returncode == 0


def test_it_serves() -> None:
    """jitd init and systemctl enable --now make a gateway, hardened to 2.5 or better, within its AppArmor profile."""
    run("jitd", "init", "--admin-group", "jit-admins")
    run("gpasswd", "-a", "pkgcarol", "jit-admins")
    systemctl("enable", "--now", "jitd")
    assert exposure("jitd.service") <= 2.5
    if Path("/sys/kernel/security/apparmor").is_dir():
        # Loaded by postinst, and enforced.
        assert Path(f"/proc/{show('MainPID')}/attr/current").read_text().strip() == "jitd (enforce)"


def test_packets_pass() -> None:
    """A request, a grant, and packets: with the commands of the packages alone."""
    add = ["interface", "add", "wgpkg", "--pool", "10.78.0.0/24", "--endpoint", "192.0.2.1:51820"]
    # The first rules of a boot load half a dozen modules, which may take longer than one try may.
    assert run("runuser", "-u", "pkgcarol", "--", "jitctl", *add, check=False).returncode in (0, 9)
    until(
        lambda: "BROKEN" not in jitctl("pkgcarol", "interface", "show", "wgpkg"), "it agrees", LIMIT, every=1
    )
    jitctl("pkgcarol", "network", "add", "office", "--route", "10.79.0.0/24", "--yes")
    private = run("wg", "genkey").stdout
    public = run("wg", "pubkey", given=private).stdout.strip()
    jitctl("pkgalice", "device", "add", "laptop", "--public-key", public)
    config = jitctl("pkgalice", "device", "config", "laptop")
    address = re.search(r"^Address = ([0-9.]+)/", config, re.MULTILINE)
    gateway = re.search(r"^PublicKey = (\S+)", config, re.MULTILINE)
    assert address, config
    assert gateway, config
    run("ip", "-n", "outside", "address", "add", f"{address[1]}/32", "dev", "wgclient")
    run("ip", "-n", "outside", "link", "set", "wgclient", "up")
    run("ip", "-n", "outside", "route", "add", "10.79.0.0/24", "dev", "wgclient")
    run(
        *OUTSIDE,
        *("wg", "set", "wgclient", "private-key", "/dev/stdin", "peer", gateway[1]),
        *("endpoint", "192.0.2.1:51820", "allowed-ips", "10.79.0.0/24"),
        given=private,
    )
    jitctl("pkgalice", "request", "office", "--reason", "the printer", "--duration", "2h")
    assert not pings(1)
    jitctl("pkgcarol", "grant", "1", "--duration", "2h")
    until(pings, "packets pass", LIMIT, every=1)


def test_an_upgrade_loses_no_packet() -> None:
    """apt upgrades both while packets pass; jitd runs anew as the later version, and every packet came back."""
    pid = show("MainPID")
    argv = [*OUTSIDE, "ping", "-q", "-i", "0.05", "-c", "100000", INSIDE]
    steady = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        apt("install", *map(str, sorted((PLACE / "later").glob("*.deb"))))
        assert show("ActiveState") == "active"
        assert show("MainPID") != pid
        time.sleep(2)  # so that packets of the time after it count, too
    finally:
        steady.send_signal(signal.SIGINT)
        said, _ = steady.communicate(timeout=LIMIT)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert found, said
    assert int(found[1]) > 100
    assert int(found[1]) - int(found[2]) <= 1, said  # one may be under way at the end
    assert "9.9.9" in run("jitctl", "--version").stdout
    assert "9.9.9" in run("jitd", "version").stdout


def test_a_grant_ends() -> None:
    """Under the later version, access still ends at the end of the grant, and the kernel agrees."""
    jitctl("pkgcarol", "revoke", "1", "--reason", "tidying up")
    assert not pings(1)
    jitctl("pkgcarol", "grant", "--user", "pkgalice", "--network", "office", "--duration", "30s")
    until(pings, "packets pass", LIMIT, every=0.5)
    until(lambda: not pings(1), "packets pass no more", LIMIT, every=0.5)


def test_nothing_was_denied() -> None:
    """In all of this, AppArmor refused jitd nothing."""
    said = run("journalctl", "--dmesg", "--no-pager", "--output=cat", check=False).stdout
    denied = [line for line in said.splitlines() if "DENIED" in line and "jitd" in line]
    assert denied == []


def test_a_removal_leaves_the_cut() -> None:
    """Attack: the package is removed while somebody is in. They are cut; interfaces, the store and settings stay."""
    jitctl("pkgcarol", "grant", "--user", "pkgalice", "--network", "office", "--duration", "2h")
    until(pings, "packets pass", LIMIT, every=0.5)
    said = apt("remove", "jitd")
    assert "interfaces stay, and stay closed" in said
    assert not pings()
    assert Path("/sys/class/net/wgpkg").exists()
    assert run("wg", "show", "wgpkg", "peers").stdout == ""
    assert CONFIG.exists()
    assert (STATE / "jitd.db").exists()
    # Also from the next start of the machine on.
    left = Path("/etc/systemd/system/jitd-closed.service")
    assert "removal of the package" in left.read_text()
    assert systemctl("is-enabled", "jitd-closed", check=False) == "enabled"
    assert not pings()


def test_a_return_goes_on() -> None:
    """Installed again, it is enabled as before; what it started with stays in force, and who has a grant is let in."""
    apt("install", str(PLACE / "later" / "jitd_9.9.9.deb"))
    assert not Path("/etc/systemd/system/jitd-closed.service").exists()
    assert systemctl("is-enabled", "jitd") == "enabled"
    assert not pings(1)
    systemctl("start", "jitd")
    until(pings, "packets pass", LIMIT, every=1)
    shown = json.loads(jitctl("pkgcarol", "list", "--json"))
    assert shown["requests"]


def test_uninstall_leaves_files_to_the_package() -> None:
    """`jitd uninstall` takes the kernel's part away, and says to purge the package in place of removing its files."""
    systemctl("stop", "jitd")
    said = run("jitd", "uninstall", "--yes").stdout
    assert "  apt purge jitd" in said
    assert "  rm " not in said
    assert not Path("/sys/class/net/wgpkg").exists()


def test_a_purge_leaves_nothing() -> None:
    """Purged: nobody is in; state, configuration, snippets and the empty group are gone, a group with members is named."""
    said = apt("purge", "jitd", "jitctl")
    assert run("nft", "list", "table", "inet", "jitd", check=False).returncode != 0
    assert not pings()
    assert "the group jit-admins stays, because it has members: pkgcarol" in said
    for path in (
        *(STATE, CONFIG.parent, Path("/usr/lib/jitd"), Path("/usr/lib/jitctl"), Path("/usr/bin/jitd")),
        *(Path("/etc/ssh/sshd_config.d/jitd.conf"), Path("/etc/logrotate.d/jitd")),
        *(Path("/etc/apparmor.d/jitd"), Path("/etc/systemd/system/jitd-closed.service")),
    ):
        assert not path.exists(), path
    wants = Path("/etc/systemd/system").glob("*.wants/jitd*")
    assert [str(path) for path in wants] == []
    with pytest.raises(KeyError):
        grp.getgrnam("jit-remote")
