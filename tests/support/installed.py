"""jitd installed and started by systemd as the README says, in a machine of its own."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
UNITS = Path("/etc/systemd/system")
SOCKET = Path("/run/jitd/jitd.sock")
CONFIG = Path("/etc/jitd/jitd.toml")
LIMIT = 120  # seconds; everything is ten to twenty times as slow in there


def run(*argv: str, check: bool = True, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises AssertionError with what it said when it fails."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT, input=given)
    assert done.returncode == 0 or not check, f"{argv}: {done.stdout}{done.stderr}\n{journal()}"
    return done


def systemctl(*argv: str, check: bool = True) -> str:
    """What systemctl prints."""
    return run("systemctl", *argv, check=check).stdout.strip()


def journal() -> str:
    """What the unit has logged."""
    return run("journalctl", "--unit=jitd", "--no-pager", "--output=cat", check=False).stdout


def show(name: str, unit: str = "jitd") -> str:
    """A property of a unit."""
    return systemctl("show", "--value", f"--property={name}", unit)


def verify(*names: str) -> list[str]:
    """What systemd does not understand in these units."""
    said = run("systemd-analyze", "verify", *(str(UNITS / name) for name in names), check=False).stderr
    return [line for line in said.splitlines() if "man " not in line]


def exposure(unit: str) -> float:
    """What `systemd-analyze security` says of a unit that is loaded: 0 is closed, 10 is open."""
    said = run("systemd-analyze", "security", "--no-pager", unit).stdout
    return float(said.rpartition("Overall exposure level for ")[2].split(":")[1].split()[0])


def call(method: str, path: str, **body: object) -> dict[str, object]:
    """One request, and the object in its answer."""
    reply: dict[str, object] = json.loads(_ask(method, path, body))
    return reply


def events() -> list[dict[str, Any]]:
    """Every event, oldest first."""
    return [json.loads(line) for line in _ask("GET", "/v1/events", {}).splitlines() if line.strip()]


def _ask(method: str, path: str, body: dict[str, object]) -> bytes:
    payload = json.dumps(body).encode() if method == "POST" else b""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(LIMIT)
        channel.connect(os.fspath(SOCKET))
        head = f"{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        channel.sendall(head.encode() + payload)
        answer = b""
        while chunk := channel.recv(65536):
            answer += chunk
    return answer.partition(b"\r\n\r\n")[2]


@contextmanager
def installed() -> Iterator[None]:
    """jitd at /usr/bin, its units, and an empty state; started, and stopped and forgotten at the end."""
    jitd = Path("/usr/bin/jitd")
    # This machine's Python may lie in root's home, which ProtectHome hides: what is installed does not.
    home = "" if not os.path.realpath(sys.executable).startswith("/root/") else "ProtectHome=read-only\n"
    program = Path("/usr/local/lib/jitd-under-test.py")
    program.write_text(
        f"import sys\nsys.path[:0] = {[str(ROOT / 'src'), *sys.path]!r}\n"
        "from jitd.__main__ import main\nsys.exit(main())\n"
    )
    # Through a shell: the path of this Python may have a blank, which no #! line takes.
    jitd.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {program} "$@"\n')
    jitd.chmod(0o755)
    for name in ("jitd.service", "jitd-closed.service"):
        shutil.copy(ROOT / "packaging" / name, UNITS / name)
    # Checkouts may lie in /tmp, too.
    private = (
        "PrivateTmp=no\nReadWritePaths=/tmp\n"
        if str(ROOT).startswith("/tmp/") or sys.prefix.startswith("/tmp/")
        else ""
    )
    extra = UNITS / "jitd.service.d" / "test.conf"
    extra.parent.mkdir()
    extra.write_text(f"[Service]\n{home}{private}")
    shutil.rmtree("/var/lib/jitd", ignore_errors=True)
    shutil.rmtree(CONFIG.parent, ignore_errors=True)
    run("jitd", "init")
    systemctl("daemon-reload")
    systemctl("enable", "jitd")
    systemctl("start", "jitd")
    try:
        yield
    finally:
        systemctl("disable", "--now", "jitd", "jitd-closed", check=False)
        run("nft", "flush", "ruleset")
        shutil.rmtree(extra.parent)
