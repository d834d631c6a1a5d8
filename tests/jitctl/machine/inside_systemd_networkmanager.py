"""Tunnels by NetworkManager, with the kernel's WireGuard, D-Bus and polkit. In a machine with systemd as PID 1."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.wait import until

NAME = "jit-office-wg0"
LIMIT = 120  # seconds; everything is ten to twenty times as slow in there
INSIDE = "10.89.0.1"  # the gateway, through the tunnel
DESK = Path(__file__).with_name("tunnel_user.py")
SAVED = ("/etc", "/var/lib/NetworkManager", "/run/NetworkManager")
# NetworkManager looks at no other interface of this machine, nor at its name.
CONFIGURATION = """
[main]
plugins=keyfile
no-auto-default=*
rc-manager=unmanaged
systemd-resolved=false
hostname-mode=none
[keyfile]
unmanaged-devices=*,except:interface-name:jit-*
"""
# What Debian gives to whoever sits at the machine: nobody sits at this one.
RULE = """
polkit.addRule(function(action, subject) {
    var given = ["network-control", "settings.modify.own"];
    if (subject.user == "deskalice" && given.indexOf(action.id.replace("org.freedesktop.NetworkManager.", "")) >= 0)
        return polkit.Result.YES;
});
"""


def run(*argv: str, given: str = "", check: bool = True) -> str:
    """What a program prints. Raises AssertionError with what it and NetworkManager have said when it fails."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT, input=given)
    assert done.returncode == 0 or not check, f"{argv}: {done.stdout}{done.stderr}\n{journal()}"
    return done.stdout.strip()


def journal() -> str:
    """The last that NetworkManager has logged."""
    argv = ["journalctl", "--unit=NetworkManager", "--no-pager", "--output=cat", "--lines=40"]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT).stdout


def is_up() -> bool:
    """Whether there is an interface of the tunnel's name."""
    return Path(f"/sys/class/net/{NAME}").exists()


def profiles() -> str:
    """What NetworkManager keeps."""
    return run("nmcli", "-g", "NAME", "connection", "show")


def passes() -> bool:
    """Whether packets pass the tunnel and come back."""
    argv = ["ping", "-q", "-c", "2", "-i", "0.2", "-W", "3", INSIDE]
    return subprocess.run(argv, check=False, capture_output=True, timeout=LIMIT).returncode == 0


class Desk:
    """An ordinary user, without a session of logind's."""

    def __init__(self, user: str, keys: "Keys") -> None:
        run("useradd", "--create-home", user)
        self._keys = keys
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        self._process = subprocess.Popen(
            [*become, sys.executable, str(DESK)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": f"/home/{user}"},
        )

    def asks(self, verb: str, *lines: str, **more: str) -> object:
        """What comes of it: the result, or the error as a dictionary. `lines` are of the gateway's file."""
        file = "\n".join(lines)
        words = {"verb": verb, "name": NAME, "file": file, **self._keys.mine, **more}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(words), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return answer.get("result", answer)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Keys:
    """The keys of both ends, and the gateway's file."""

    def __init__(self) -> None:
        private, gateway = run("wg", "genkey"), run("wg", "genkey")
        self.mine = {"private_key": private, "public_key": run("wg", "pubkey", given=private)}
        self.gateway = gateway
        self.gateway_public = run("wg", "pubkey", given=gateway)

    def file(self, routes: str, *lines: str) -> tuple[str, ...]:
        """What the gateway sends."""
        there = (f"PublicKey = {self.gateway_public}", "Endpoint = 192.0.2.2:51889", f"AllowedIPs = {routes}")
        return ("[Interface]", "Address = 10.89.0.2/32", *lines, "[Peer]", *there, "PersistentKeepalive = 25")


@pytest.fixture(scope="module")
def keys() -> Keys:
    """Made once."""
    return Keys()


@pytest.fixture(scope="module", autouse=True)
def scene(keys: Keys) -> Iterator[None]:
    """A gateway in a network namespace, and NetworkManager."""
    # The way to this Python may lead through a private home; only this machine's copy of it is opened.
    for place in (os.path.realpath(sys.executable), sys.prefix, DESK):
        for directory in Path(place).parents:
            directory.chmod(directory.stat().st_mode | 0o011)
    Path("/etc/NetworkManager/conf.d/test.conf").write_text(CONFIGURATION)
    Path("/etc/polkit-1/rules.d/00-test.rules").write_text(RULE)
    for line in (
        "ip netns add office",
        "ip link add desk type veth peer name eth0 netns office",
        "ip address add 192.0.2.1/24 dev desk",
        "ip link set desk up",
        "ip -n office address add 192.0.2.2/24 dev eth0",
        "ip -n office link set eth0 up",
        "ip -n office link add wgoffice type wireguard",
        f"ip -n office address add {INSIDE}/24 dev wgoffice",
        "ip -n office link set wgoffice up",
    ):
        run(*line.split())
    run(
        *("ip", "netns", "exec", "office", "wg", "set", "wgoffice", "listen-port", "51889"),
        *("private-key", "/dev/stdin", "peer", keys.mine["public_key"], "allowed-ips", "10.89.0.2/32"),
        given=keys.gateway,
    )
    run("systemctl", "start", "NetworkManager")
    yield
    run("systemctl", "stop", "NetworkManager")
    run("ip", "netns", "delete", "office")
    run("ip", "link", "delete", NAME, check=False)


@pytest.fixture(scope="module")
def alice(keys: Keys) -> Iterator[Desk]:
    """Whom polkit lets."""
    desk = Desk("deskalice", keys)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def bob(keys: Keys) -> Iterator[Desk]:
    """Whom it does not."""
    desk = Desk("deskbob", keys)
    yield desk
    desk.close()


def places() -> Iterator[tuple[str, bytes]]:
    """Where a key could lie: the files that NetworkManager could have written, and all command lines."""
    for top in SAVED:
        for file in Path(top).rglob("*"):
            if file.is_file() and not file.is_symlink():
                yield str(file), file.read_bytes()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            yield str(line), line.read_bytes()


def test_up_as_an_ordinary_user(alice: Desk, bob: Desk, keys: Keys) -> None:
    """Who may brings the tunnel up without root, packets pass, and the private key is in no file and no command line."""
    assert alice.asks("manager") == "networkmanager"
    file = keys.file("10.89.0.0/24, 10.5.0.0/16", f"DNS = {INSIDE}, corp.example", "MTU = 1300")
    assert alice.asks("is_as", *file) is False
    assert alice.asks("up", *file) == []
    contents = dict(places())
    assert [name for name, text in contents.items() if keys.mine["private_key"].encode() in text] == []
    # The profile is among them.
    assert any(keys.gateway_public.encode() in text for text in contents.values())
    assert passes()
    heard = run("ip", "netns", "exec", "office", "wg", "show", "wgoffice", "latest-handshakes")
    assert int(heard.split()[1]) > time.time() - LIMIT
    assert (
        f"search corp.example\nnameserver {INSIDE}\n" in Path("/run/NetworkManager/resolv.conf").read_text()
    )
    assert Path(f"/sys/class/net/{NAME}/mtu").read_text() == "1300\n"
    assert alice.asks("is_as", *file) is True

    # It is alice's.
    assert bob.asks("is_as", *file) is False
    refused = bob.asks("down")
    assert isinstance(refused, dict)
    assert refused["code"] == "not_permitted"
    assert is_up()


def test_another_up_replaces_it(alice: Desk, keys: Keys) -> None:
    """What the gateway says anew makes it another tunnel, also what it says no more; the old one is gone then."""
    before = keys.file("10.89.0.0/24, 10.5.0.0/16", f"DNS = {INSIDE}, corp.example", "MTU = 1300")
    assert alice.asks("is_as", *before) is True
    assert (
        alice.asks("is_as", *keys.file("10.89.0.0/24, 10.5.0.0/16", f"DNS = {INSIDE}, corp.example")) is False
    )
    assert alice.asks("is_as", *keys.file("10.89.0.0/24, 10.5.0.0/16", "MTU = 1300")) is False
    assert alice.asks("is_as", *before, public_key=keys.gateway_public) is False
    after = keys.file("10.89.0.0/24, 10.6.0.0/16, fd00:6::/64")
    assert alice.asks("is_as", *after) is False
    assert alice.asks("take_down") is True
    assert alice.asks("up", *after) == [
        "fd00:6::/64 cannot be used: the gateway gives this machine no address of that family"
    ]
    assert alice.asks("is_as", *after) is True
    routes = run("ip", "-o", "route", "show", "dev", NAME)
    assert re.findall(r"^\S+", routes, re.MULTILINE) == ["10.6.0.0/16", "10.89.0.0/24"]
    assert passes()


def test_it_outlives_networkmanager(alice: Desk) -> None:
    """A restart of NetworkManager cuts nothing; switched off by another program, the tunnel leaves nothing behind."""
    run("systemctl", "restart", "NetworkManager")
    until(lambda: profiles() == NAME, "NetworkManager knows it again", LIMIT, every=0.5)
    assert passes()
    run("nmcli", "connection", "down", NAME)
    until(lambda: not is_up() and profiles() == "", "it is gone, with its profile", LIMIT, every=0.2)
    assert alice.asks("down") is False


def test_down_with_all_traffic_in_it(alice: Desk, keys: Keys) -> None:
    """A tunnel for everything does not swallow its own packets, and down takes it away with its rules and its profile."""
    rules = run("ip", "rule")
    file = keys.file(f"{INSIDE}/32, 0.0.0.0/0")
    assert alice.asks("up", *file) == []
    assert f"dev {NAME}" in run("ip", "route", "get", "203.0.113.1")
    assert passes()
    assert alice.asks("is_as", *file) is True
    assert alice.asks("down") is True
    assert not is_up()
    assert profiles() == ""
    assert run("ip", "rule") == rules


def test_without_permission(bob: Desk, keys: Keys) -> None:
    """Whom polkit does not let is told so and what else there is, and nothing is left."""
    refused = bob.asks("up", *keys.file("10.89.0.0/24"))
    assert refused == {
        "code": "not_permitted",
        "message": f"cannot bring up {NAME}: NetworkManager does not let you: Insufficient privileges",
        "hint": 'Type it on this machine\'s own screen, or write tunnel = "wg-quick" into'
        " /home/deskbob/.config/jitctl/config.toml, which asks for root.",
    }
    assert profiles() == ""
    assert not is_up()


def test_a_tunnel_of_somebody_elses(alice: Desk, keys: Keys) -> None:
    """What wg-quick or a person brought up is not NetworkManager's, although it sees it, and is left for them."""
    run("ip", "link", "add", NAME, "type", "wireguard")
    run("ip", "address", "add", "10.89.0.2/32", "dev", NAME)
    run("ip", "link", "set", NAME, "up")
    until(lambda: profiles() == NAME, "NetworkManager sees it", LIMIT, every=0.5)
    assert alice.asks("is_as", *keys.file("10.89.0.0/24")) is False
    assert alice.asks("down") is False
    assert is_up()
    run("ip", "link", "delete", NAME)
    until(lambda: profiles() == "", "NetworkManager sees it go", LIMIT, every=0.5)


def test_a_kernel_without_wireguard(alice: Desk, keys: Keys) -> None:
    """An interface that cannot be made is told with what to do, and leaves no profile."""
    run("ip", "netns", "delete", "office")
    until(lambda: run("modprobe", "-r", "wireguard", check=False) == "", "the module is free")
    forbidden = Path("/etc/modprobe.d/no-wireguard.conf")
    forbidden.write_text("install wireguard /bin/false\n")
    refused = alice.asks("up", *keys.file("10.89.0.0/24"))
    forbidden.unlink()
    run("ip", "netns", "add", "office")
    assert isinstance(refused, dict)
    assert refused["code"] == "bad_request"
    assert refused["message"].startswith(
        f"cannot bring up {NAME}: NetworkManager cannot make the interface: "
    )
    assert "install wireguard-go" in refused["hint"]
    assert profiles() == ""


def test_without_networkmanager(alice: Desk, keys: Keys) -> None:
    """Where it does not run, wg-quick is in charge; a profile that names it all the same is told so."""
    run("systemctl", "stop", "NetworkManager")
    assert alice.asks("manager") == "wg-quick"
    assert alice.asks("down") is False
    refused = alice.asks("up", *keys.file("10.89.0.0/24"))
    assert isinstance(refused, dict)
    assert refused["message"].startswith(f"cannot bring up {NAME}: NetworkManager does not run: ")
