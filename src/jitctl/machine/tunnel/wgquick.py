"""Tunnels by wg-quick, as root. The file that it reads has no secret in it: the private key comes through a pipe."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from jitctl.machine import ownfiles, profiles, programs
from jitctl.machine import tunnel as tunnels
from jitctl.machine.tunnel.wanted import Tunnel
from jitctl.render.output import clean, say
from jitd.core import parsing, tunnelfile
from jitd.core.errors import JitError
from jitd.core.tunnelfile import PrivateKey

#: Seconds that one call may take, a password that is typed included.
_SECONDS: Final = 180.0


class WgQuick:
    """Brings tunnels up and down with wg-quick. Asks for root at just that moment."""

    name = "wg-quick"

    def is_as(self, tunnel: Tunnel) -> bool:
        """Whether the tunnel is up, and was brought up as it has to be."""
        try:
            return tunnels.is_up(tunnel.name) and _file(tunnel.name).read_text("utf-8") == _written(tunnel)[0]
        except (OSError, UnicodeDecodeError):
            return False

    def up(self, tunnel: Tunnel, private_key: str) -> list[str]:
        """Bring it up; one of its name that is up was taken down before. Returns what was left out, in words.

        Raises JitError bad_request or not_permitted: nothing is half up then.
        """
        text, left_out = _written(tunnel)
        file = _file(tunnel.name)
        _write(file, text)
        _as_root(["wg-quick", "up", str(file)], f"bring up {tunnel.name}", given=f"{private_key}\n")
        return left_out

    def down(self, name: str) -> bool:
        """Take it down. Returns False when there was none. Raises JitError bad_request or not_permitted."""
        if not tunnels.is_up(name):
            return False
        file = _file(name)
        if file.exists():
            _as_root(["wg-quick", "down", str(file)], f"take down {name}")
        else:
            # Somebody took the file away; without DNS and rules in it there is only the interface.
            _as_root(["ip", "link", "delete", "dev", name], f"take down {name}")
        return True


def _file(name: str) -> Path:
    return profiles.directory() / "tunnels" / f"{name}.conf"


def _written(tunnel: Tunnel) -> tuple[str, list[str]]:
    """(the file for wg-quick, what could not be put into it)."""
    file = replace(
        tunnel.file,
        comment=f"Written by jitctl connect, for the key {tunnel.public_key}; that key itself comes through a pipe.",
    )
    left_out = []
    if file.dns and sys.platform == "linux" and not programs.find("resolvconf"):
        # wg-quick would give up the whole tunnel for it.
        named = ", ".join(map(parsing.write_host, file.dns))
        left_out.append(
            f"the gateway's DNS {named} is not used: there is no resolvconf (apt install openresolv)"
        )
        file = replace(file, dns=())
    return tunnelfile.write(file, PrivateKey.PIPE), left_out


def _write(file: Path, text: str) -> None:
    try:
        ownfiles.write(file, text, lasting=False)
    except OSError as error:
        raise JitError("bad_request", f"cannot write {file}: {error.strerror}") from error


def _as_root(words: list[str], what: str, given: str = "") -> None:
    """Run a program as root, through sudo where that is needed; `given` goes to its standard input."""
    program = programs.find(words[0])
    if program is None:
        raise JitError(
            "bad_request",
            f"cannot {what}: there is no program {words[0]} on this machine",
            "Install wireguard-tools (and wireguard-go where the kernel has no WireGuard).",
        )
    command = [program, *words[1:]]
    if os.geteuid() != 0:
        command = [*_becoming_root(what), *command]
    try:
        done = programs.run(command, seconds=_SECONDS, given=given)
    except OSError as error:
        raise JitError("bad_request", f"cannot {what}: {command[0]}: {error.strerror}") from error
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("[#]")]
    why = clean(said[-1])[:200] if said else f"{words[0]} ended with status {done.returncode}"
    if why.startswith("sudo:") or " may not run sudo " in why or "not in the sudoers" in why:
        raise JitError(
            "not_permitted",
            f"cannot {what}: it needs root, and sudo said no: {why}",
            f"Where you may: sudo {shlex.join(words)}",
        )
    raise JitError("bad_request", f"cannot {what}: {why}", f"Look with: sudo {shlex.join(words)}")


def _becoming_root(what: str) -> list[str]:
    sudo = programs.find("sudo")
    if sudo is None:
        raise JitError(
            "not_permitted",
            f"cannot {what}: it needs root, and there is no sudo on this machine",
            "Install sudo, or type the same as root.",
        )
    try:
        # sudo asks on the terminal itself, whatever standard input is.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return [sudo, "-n", "--"]
    say(f"jitctl: root is needed to {what}; sudo may ask for your password")
    return [sudo, "--"]
