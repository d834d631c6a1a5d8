"""The facts of the machine, without which no number means anything."""

import datetime as dt
import os
import platform
import re
import sqlite3
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def facts(directory: Path, *, quick: bool) -> list[str]:
    """Lines of Markdown: date, version, processors, kernel, programs, and the filesystem of the stores."""
    now = dt.datetime.now(dt.UTC)
    return [
        f"# What jitd costs, {now:%Y-%m-%d %H:%M} UTC{' (quick: small numbers)' if quick else ''}",
        "",
        f"- jitctl at commit {_first('git', '-C', str(ROOT), 'describe', '--always', '--dirty')}",
        f"- {os.cpu_count()} processors: {_processor()}; load before: {os.getloadavg()[0]:.2f}",
        f"- Linux {platform.release()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        f"- {_first('wireguard-go', '--version')}; {_first('wg', '--version')}; {_first('nft', '--version')}",
        f"- the stores are on {_first('stat', '-f', '-c', '%T', str(directory))}",
        "- p50 is the median; 'x floor' is a median as a multiple of the floors' medians, measured in the same run",
    ]


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _first(*argv: str) -> str:
    """The first line that a program prints, or that it is not there or fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return f"no {argv[0]}"
    if done.returncode != 0:
        return f"{argv[0]} does not say"
    return (done.stdout + done.stderr).strip().partition("\n")[0]
