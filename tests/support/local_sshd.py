"""A real sshd on this machine's loopback, for the user who runs the tests: no namespaces, no PAM, no root needed."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.wait import until

SSHD = "/usr/sbin/sshd"


def lacking() -> str:
    """What this machine lacks for it, as a sentence; empty when nothing is lacking."""
    there = os.access(SSHD, os.X_OK) and shutil.which("ssh")
    return "" if there else "openssh-server and openssh-client are not installed"


class LocalSshd:
    """An sshd with a host key and one key that may log in. What is run there finds this environment's jitctl."""

    def __init__(self, directory: Path, environment: Mapping[str, str], *more: str) -> None:
        """`environment` is what a login gets; `more` are lines of sshd_config."""
        self.directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.host = f"ssh://127.0.0.1:{self.port}"
        for name in ("host", "id"):
            self.key(name)
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        given = " ".join(f'"{name}={value}"' for name, value in {"PATH": path, **environment}.items())
        settings = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {directory / 'host'}",
            f"AuthorizedKeysFile {directory / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE",
            f"SetEnv {given}",
            *more,
        ]
        (directory / "sshd_config").write_text("\n".join(settings) + "\n")
        self.allow("id")
        self.known("host")
        self.log = directory / "sshd.log"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with self.log.open("w") as output:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(directory / "sshd_config")], stdout=output, stderr=output
            )
        until(lambda: "Server listening" in self.log.read_text(), f"sshd listens: {self.log}")

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def key(self, name: str) -> Path:
        """Make a key pair."""
        file = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        return file

    def sign(self, ca: Path, name: str, *words: str) -> None:
        """Make a certificate for a key."""
        public = self.directory / f"{name}.pub"
        subprocess.run(["ssh-keygen", "-q", "-s", ca, "-I", name, *words, public], check=True)

    def allow(self, name: str) -> None:
        """Just this key may log in."""
        shutil.copy(self.directory / f"{name}.pub", self.directory / "authorized_keys")

    def known(self, name: str, mark: str = "") -> None:
        """Just this key is known for the host."""
        public = (self.directory / f"{name}.pub").read_text().split()
        line = f"{mark}[127.0.0.1]:{self.port} {public[0]} {public[1]}\n".lstrip()
        (self.directory / "known_hosts").write_text(line)

    def ssh(self, *settings: str) -> str:
        """What to put into JITCTL_SSH: an ssh with these settings, and nothing of its user's own."""
        usual = {
            "UserKnownHostsFile": self.directory / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "IdentityFile": self.directory / "id",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
        }
        config = self.directory / "ssh_config"
        # The first one counts.
        config.write_text(
            "\n".join([*settings, *(f"{name} {value}" for name, value in usual.items())]) + "\n"
        )
        return shlex.join(["ssh", "-F", str(config)])

    @property
    def logins(self) -> int:
        """How many there were."""
        return self.log.read_text().count("Accepted publickey")
