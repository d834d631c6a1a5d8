"""Starts wireguard-go so that it outlives jitd, whatever ends jitd."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from jitd.enforce.port import EnforceError

LIMIT: Final = 5.0  # seconds
#: What its unit may do: it is the one program here that parses what strangers on the Internet send.
_HARDENING: Final = (
    # The interface and its mark; a port below 1024.
    "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE",
    "NoNewPrivileges=yes",
    # Its socket is all that it writes. Every interface has one in there, so that the directory stays.
    "ProtectSystem=strict",
    "RuntimeDirectory=wireguard",
    "RuntimeDirectoryMode=0755",
    "RuntimeDirectoryPreserve=yes",
    "UMask=0077",
    "PrivateTmp=yes",
    "PrivateMounts=yes",
    "DevicePolicy=closed",
    "DeviceAllow=/dev/net/tun rw",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
    "LimitCORE=0",  # private keys are in its memory
)
#: Where a program may lie that ProtectHome=yes would hide from its own unit.
_HOMES: Final = ("/home/", "/root/", "/run/user/")


def start(program: str, name: str) -> None:
    """Start `program` for the interface `name`. It may take a moment until its socket answers.

    Raises EnforceError with what the program said.
    """
    if _systemd() and (systemd_run := shutil.which("systemd-run")):
        # A service that dies takes its whole control group along: this one gets a unit, and so a group, of its own.
        _run(
            [
                systemd_run,
                "--quiet",
                "--collect",  # a failed one is not to block its name
                f"--unit=jitd-wireguard-go-{name}",
                f"--description=WireGuard interface {name}, started by jitd",
                "--service-type=exec",
                *(f"--property={one}" for one in (*_HARDENING, _protect_home(program))),
                "--",
                program,
                "--foreground",
                name,
            ]
        )
    else:
        _run([program, name])


def _protect_home(program: str) -> str:
    """Nothing of the homes, unless the program lies there."""
    path = Path(shutil.which(program) or program).resolve()
    return f"ProtectHome={'read-only' if str(path).startswith(_HOMES) else 'yes'}"


def _systemd() -> bool:
    """Whether systemd runs this machine, and would start a program in this network namespace."""
    try:
        if Path("/proc/1/comm").read_text() != "systemd\n" or not Path("/run/systemd/system").is_dir():
            return False
        return Path("/proc/1/ns/net").stat() == Path("/proc/self/ns/net").stat()
    except PermissionError:
        # A service with few capabilities may not look at PID 1's namespaces. systemd itself started it.
        return True
    except OSError:
        return False


def _run(argv: list[str]) -> None:
    """Run a program that leaves a daemon behind and ends."""
    # LOG_LEVEL would make wireguard-go keep our standard output, so it gets an environment of its own. And it gets
    # a file for its last words: a pipe would stay open as long as any of its children held it.
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    with tempfile.TemporaryFile() as words:
        try:
            done = subprocess.run(  # noqa: S603 - the program is the configuration's, the name a checked one
                argv,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd="/",
                env=environment,
                start_new_session=True,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EnforceError(f"{argv[0]} did not get ready within {LIMIT:.0f} s") from error
        except OSError as error:
            raise EnforceError(f"{argv[0]} cannot be started: {error.strerror}") from error
        if done.returncode != 0:
            words.seek(0)
            said = words.read().decode("utf-8", "replace").strip().splitlines()
            # wireguard-go draws a box of advice first; what went wrong is its last line.
            raise EnforceError(f"{argv[0]} failed: {said[-1] if said else f'exit status {done.returncode}'}")
