"""The first process of a world (see world.py): makes a private copy of the machine, then waits for its maker to go.

Run by `unshare` in new mount, PID, network and UTS namespaces, as `world_init.py SCRATCH SOURCE`. Nothing that it
does can be seen outside: every directory that it changes is covered by an overlay whose upper side is a tmpfs.
Prints `ready` and reads its standard input until it ends; with this process the kernel ends all others in here.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

COVERED = ("/etc", "/var", "/home", "/root", "/run", "/usr/local")
# What the machine may have of its own and what is to be looked for in vain in here.
# On the system bus there is the machine's own NetworkManager, whose tunnels would be this machine's.
EMPTIED = (
    *("/run/wireguard", "/run/netns", "/run/jitd", "/run/dbus"),
    *("/var/lib/jitd", "/etc/jitd", "/etc/wireguard"),
)
PLACE = Path("/usr/local/lib/jitctl")


def run(*argv: str) -> None:
    """Run a program of the machine; raises CalledProcessError, its own words stand on standard error."""
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def mounts_below(top: str) -> list[str]:
    """The mount points inside a directory, outer ones first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4].encode().decode("unicode_escape") for line in lines]
    return sorted({point for point in points if point.startswith(f"{top}/")})


def cover(top: str, upper: Path) -> None:
    """Put an overlay over a directory. What is mounted inside it stays visible, except in /etc and of namespaces.

    /etc can have single files mounted into it (containers do that): writing to those would reach the machine.
    """
    if not Path(top).is_dir():
        return
    old = upper / "old"
    for directory in (upper / "new", upper / "work", old):
        directory.mkdir(parents=True)
    shutil.copystat(top, upper / "new")
    inside = [point for point in mounts_below(top) if top != "/etc" and not point.startswith("/run/netns")]
    run("mount", "--rbind", top, str(old))
    options = f"lowerdir={top},upperdir={upper / 'new'},workdir={upper / 'work'}"
    run("mount", "-t", "overlay", "-o", options, "overlay", top)
    for point in inside:
        if os.path.lexists(point):
            run("mount", "--rbind", str(old) + point[len(top) :], point)


def install(source: Path) -> None:
    """Put jitctl and jitd where every user can run them: the checkout and its environment may be in a private home.

    The source is copied, so that what is edited meanwhile does not change under a running test.
    """
    PLACE.mkdir(parents=True)
    shutil.copytree(source, PLACE / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run("chmod", "-R", "a+rX", str(PLACE / "src"))
    python = sys.executable
    if sys.prefix != sys.base_prefix:
        environment = PLACE / "venv"
        environment.mkdir()
        run("mount", "--bind", sys.prefix, str(environment))
        python = str(environment / "bin" / "python")
    # A Python in a private home (pyenv, uv): the way there is opened, which only this copy of the machine sees.
    for directory in Path(os.path.realpath(python)).parents:
        if not directory.stat().st_mode & 0o001:
            if not str(directory).startswith(COVERED):
                raise SystemExit(f"other users cannot reach {python}: {directory} is private")
            directory.chmod(directory.stat().st_mode | 0o011)
    for name in ("jitctl", "jitd"):
        script = Path("/usr/local/bin") / name
        script.unlink(missing_ok=True)
        script.write_text(
            f"#!{python}\nimport sys\nsys.path.insert(0, {str(PLACE / 'src')!r})\n"
            f"from {name}.__main__ import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)


def main() -> None:
    """Make the world and keep it until standard input ends."""
    scratch, source = Path(sys.argv[1]), Path(sys.argv[2])
    os.chdir("/")
    os.umask(0o022)
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(scratch))
    for top in COVERED:
        cover(top, scratch / top.strip("/").replace("/", "-"))
    for place in EMPTIED:
        if Path(place).is_symlink() or not Path(place).is_dir():
            Path(place).unlink(missing_ok=True)
        else:
            shutil.rmtree(place)
    # The overlays hold on to it; without a name it needs no cleaning up.
    run("umount", "--lazy", str(scratch))
    install(source)
    Path("/run/netns").mkdir()
    Path("/run/sshd").mkdir(exist_ok=True)
    run("hostname", "gateway")
    with Path("/etc/hosts").open("a") as hosts:
        hosts.write("\n127.0.0.1 localhost\n127.0.1.1 gateway\n")
    run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    if not Path("/dev/net/tun").exists():
        # Containers often come without it, and with the right to make it.
        Path("/dev/net").mkdir(exist_ok=True)
        run("mknod", "-m", "0666", "/dev/net/tun", "c", "10", "200")
    # Whatever loses its parent in here becomes a child of this process: the kernel is to take them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
