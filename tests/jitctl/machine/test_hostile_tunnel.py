"""A gateway that is hostile to the machines that connect to it: what it says of a tunnel runs nothing there as root.

jitctl is run as somebody types it, on a machine that is set up for the gateway, which is a server that answers what it
wants to. Whatever jitctl could run as root is a program that writes down that it was run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command_result import CommandResult
from support.hostile import FakeGateway

KEY = "mDrIFJvLLi3GuTRdlQkUPYhTrzpMcFc1Sz8vrqMoH0Y="
FILE = """\
# alice's laptop on wg0. Keep this file private (chmod 600).
[Interface]
PrivateKey = REPLACE_WITH_PRIVATE_KEY
Address = 10.9.0.2/32, fd00::2/128
DNS = 10.9.0.1, corp.example
MTU = 1380

[Peer]
PublicKey = JEvGZFLDx4ViPoWFLVUNIVIHnXQ6p9hjYdV3n4Hp6QM=
Endpoint = vpn.example.org:51820
AllowedIPs = 10.9.0.1/32, 10.20.0.0/24
PersistentKeepalive = 25
"""
PROFILE = 'default = "office"\n[profile.office]\nhost = "ssh://gateway"\ndevice = "laptop"\ntunnel = "{by}"\n'
SSH = """\
#!/bin/sh
case " $* " in *" -G "*) exit 0 ;; esac
exec {python} -m jitctl --socket {socket} dial-stdio
"""
#: All that jitctl may run to bring a tunnel up, and what that may run; `wg pubkey` is its own.
PROGRAMS = ("wg-quick", "sudo", "ip", "nmcli", "resolvconf", "resolvectl", "systemctl")
MARK = "/tmp/owned-by-a-gateway"
ZONE = "fe80::5%x\nPostUp = touch " + MARK


class Gateway(FakeGateway):
    """`file` and `interface` are what it says of the tunnel."""

    def __init__(self, path: Path) -> None:
        self.file = FILE
        self.interface = "wg0"
        super().__init__(path)

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        """The tunnel, and the status of somebody who may use it."""
        return 200, json.dumps(self._reply(path)).encode()

    def _reply(self, path: str) -> dict[str, Any]:
        now = 1_790_000_000_000
        if path == "/v1/device/config":
            told = {"agrees": True, "waiting": "", "device": "laptop"}
            return {"now": now, **told, "interface": self.interface, "config": self.file}
        assert path == "/v1/status", path
        network = {
            "network": "office",
            "interface": self.interface,
            "state": "standing",
            "paused": False,
            "id": None,
            "since": now,
            "starts": None,
            "ends": None,
            "devices": ["laptop"],
            "asked": None,
            "frozen": False,
            "error": "",
        }
        return {"now": now, "user": "alice", "admin": False, "networks": [network], "devices": 1}


class Laptop:
    """A machine that is set up for the gateway, whose tunnels `by` brings up."""

    def __init__(self, gateway: Gateway, home: Path) -> None:
        self.gateway = gateway
        self.home = home
        self._ran = home / "ran"
        self._config = home / "config" / "jitctl"
        (self._config / "keys").mkdir(parents=True)
        key = self._config / "keys" / "office.laptop.key"
        key.write_text(f"{KEY}\n")
        key.chmod(0o600)
        self._program("ssh", SSH.format(python=sys.executable, socket=gateway.path))
        for name in PROGRAMS:
            self._program(name, f'#!/bin/sh\necho {name} "$@" >> {self._ran}\nexit 1\n')

    def types(self, *words: str, by: str = "wg-quick") -> CommandResult:
        """Run jitctl there."""
        (self._config / "config.toml").write_text(PROFILE.format(by=by))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JITCTL", "DBUS", "XDG"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=kept
            | {
                "HOME": str(self.home),
                "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
                "JITCTL_SSH": str(self.home / "bin" / "ssh"),
                "XDG_CONFIG_HOME": str(self.home / "config"),
                "XDG_RUNTIME_DIR": str(self.home / "run"),
            },
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    @property
    def ran(self) -> list[str]:
        """The command lines that were run of PROGRAMS."""
        return self._ran.read_text().splitlines() if self._ran.exists() else []

    def files(self) -> dict[str, str]:
        """All that is kept there, by name."""
        found = (self.home / "config").rglob("*")
        return {str(one.relative_to(self.home)): one.read_text() for one in found if one.is_file()}

    def _program(self, name: str, text: str) -> None:
        file = self.home / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    """The machine, and the gateway that it is set up for."""
    gateway = Gateway(tmp_path / "s")
    yield Laptop(gateway, tmp_path)
    gateway.close()


def _put(old: str, new: str) -> Callable[[Gateway], None]:
    def put(gateway: Gateway) -> None:
        assert old in FILE
        gateway.file = FILE.replace(old, new)

    return put


def _call(name: str) -> Callable[[Gateway], None]:
    return lambda gateway: setattr(gateway, "interface", name)


#: What the gateway does, and what is said of it.
ATTACKS = {
    "a zone in an address": (_put("fd00::2/128", ZONE), "the file for the tunnel"),
    "a zone in a route": (_put("10.20.0.0/24", ZONE), "the file for the tunnel"),
    "a zone in a DNS server": (_put("10.9.0.1, corp.example", ZONE), "the file for the tunnel"),
    "a zone in the endpoint": (_put("vpn.example.org:51820", f"[{ZONE}]:1"), "the file for the tunnel"),
    "a zone that a shell reads": (_put("10.9.0.1, corp", f"fe80::5%$(touch\t{MARK}), corp"), "the file for"),
    "a search domain that a shell reads": (_put("corp.example", f"$(touch\t{MARK})"), "the file for"),
    "a hook": (_put("MTU = 1380", f"PreUp = touch {MARK}"), f"PreUp = touch {MARK}"),
    "a hook behind another kind of line end": (
        _put("MTU = 1380", f"MTU = 1380\rPostUp = touch {MARK}"),
        "mtu",
    ),
}
NAMES = {
    "a hook in the name": f"wg0\nPostUp = touch {MARK}",
    "a path as the name": "/../../x",
    "an option as the name": "-x",
}


def test_what_is_no_attack_is_brought_up(laptop: Laptop) -> None:
    """With a plain file the tunnel is written and wg-quick is run: what the attacks below must not get to."""
    said = laptop.types("connect", "office")
    assert "cannot bring up jit-office-wg0" in said.err
    assert any("wg-quick up" in line for line in laptop.ran)
    assert (
        "Address = 10.9.0.2/32, fd00::2/128\n" in laptop.files()["config/jitctl/tunnels/jit-office-wg0.conf"]
    )
    said = laptop.types("device", "config", "laptop")
    assert (said.status, said.err) == (0, "")
    assert "AllowedIPs = 10.9.0.1/32, 10.20.0.0/24\n" in said.out


@pytest.mark.parametrize(
    ("attack", "by"),
    [
        *((one, "wg-quick") for one in (*ATTACKS, *NAMES)),
        ("a zone in a DNS server", "networkmanager"),
        ("a path as the name", "networkmanager"),
    ],
)
def test_connect_runs_nothing_of_a_gateways(laptop: Laptop, attack: str, by: str) -> None:
    """Attack: a gateway puts commands into what it says of a tunnel. Nothing is written, nothing is run, and it is told."""
    do, why = ATTACKS[attack] if attack in ATTACKS else (_call(NAMES[attack]), "the name of the interface")
    do(laptop.gateway)
    before = laptop.files()
    said = laptop.types("connect", "office", by=by)
    assert said.status == 2
    assert said.err.startswith("jitctl: cannot use the "), said.err
    assert why in said.err
    assert "that the gateway sent" in said.err
    assert said.out == ""
    assert laptop.ran == []
    assert laptop.files() == {**before, "config/jitctl/config.toml": PROFILE.format(by=by)}
    assert not Path(MARK).exists()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_configuration_is_not_printed(laptop: Laptop, attack: str) -> None:
    """Attack: the same in `device config`, which people hand to wg-quick themselves."""
    do, why = ATTACKS[attack]
    do(laptop.gateway)
    said = laptop.types("device", "config", "laptop")
    assert (said.status, said.out) == (2, "")
    assert why in said.err
    said = laptop.types("--json", "device", "config", "laptop")
    assert said.status == 2
    assert json.loads(said.out).keys() == {"error"}
    assert laptop.ran == []
    assert not Path(MARK).exists()
