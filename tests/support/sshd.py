"""A real sshd in a world, with the snippet that the project ships, and a user who can log in with a key."""

import shutil
from pathlib import Path

from support import network
from support.wait import until
from support.world import Process, World

PORT = 2222
SNIPPET = Path(__file__).resolve().parents[2] / "packaging" / "jitd-sshd.conf"
SETTINGS = f"""\
Port {PORT}
HostKey /root/ssh_host_key
PidFile none
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
"""


def start(world: World, log: Path, *, snippet: bool) -> Process:
    """Start it on the gateway and wait until it listens. With `snippet` the shipped file is part of its settings."""
    world.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/ssh_host_key"])
    settings = world.path("/root/sshd_config")
    settings.write_text(SETTINGS)
    if snippet:
        shutil.copy(SNIPPET, world.path("/root/jitd-sshd.conf"))
        with settings.open("a") as file:
            file.write("Include /root/jitd-sshd.conf\n")
    world.run(["/usr/sbin/sshd", "-t", "-f", "/root/sshd_config"])
    with log.open("a") as output:
        # -e and -D: it logs where it was started, and is one process that the world's end takes along.
        daemon = world.start(["/usr/sbin/sshd", "-D", "-e", "-f", "/root/sshd_config"], output=output)
    until(lambda: "Server listening" in log.read_text(), f"sshd listens: {log}")
    return daemon


def allow(world: World, user: str) -> None:
    """Give the user a key that sshd accepts, and the host's key to know it by."""
    line = (
        "umask 077; mkdir .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; "
        "cp .ssh/id_ed25519.pub .ssh/authorized_keys"
    )
    world.run(["sh", "-c", line], user=user)
    public = world.path("/root/ssh_host_key.pub").read_text().split()
    known = "".join(f"[{host}]:{PORT} {public[0]} {public[1]}\n" for host in (network.OUTER, "127.0.0.1"))
    world.path(f"/home/{user}/.ssh/known_hosts").write_text(known)
