"""A laptop in a world that is set up for a gateway over ssh."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import network, sshd, streams
from support.deployment import Deployment, deployment

HOST = f"ssh://alice@{network.OUTER}:{sshd.PORT}"
TUNNEL = "jit-office-wg0"


class Laptop:
    """alice's machine, which knows the gateway as the profile office."""

    def __init__(self, deployed: Deployment) -> None:
        self.deployment = deployed
        self.world = deployed.world

    def jitctl(self, *words: str) -> str:
        """What alice types on her laptop. Raises RefusedError."""
        return self.deployment.gateway.jitctl("alice", *words, where="alice")

    def is_up(self, name: str = TUNNEL) -> bool:
        """Whether the tunnel is up."""
        return self.world.run(["ip", "link", "show", name], where="alice", check=False).returncode == 0

    def reaches(self, seconds: float = 1) -> bool:
        """Whether something gets from it to the office and back."""
        return streams.connects(self.world, "alice", network.SERVER, seconds)


@contextmanager
def set_up(directory: Path) -> Iterator[Laptop]:
    """A laptop that is set up; alice may become root on it without a password."""
    with deployment(directory) as made:
        sshd.start(made.world, directory / "sshd.log", snippet=False)
        sshd.allow(made.world, "alice")
        sudoers = made.world.path("/etc/sudoers.d/alice")
        sudoers.write_text("alice ALL=(ALL) NOPASSWD: ALL\n")
        sudoers.chmod(0o440)
        laptop = Laptop(made)
        laptop.jitctl("setup", HOST, "--name", "office", "--device", "desk")
        yield laptop
