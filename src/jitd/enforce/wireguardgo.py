"""Starts wireguard-go so that it outlives jitd, whatever ends jitd."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from jitd.enforce.port import EnforceError

LIMIT: Final = 5.0  # seconds


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
                "--",
                program,
                "--foreground",
                name,
            ]
        )
    else:
        _run([program, name])


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
