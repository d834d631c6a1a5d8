"""Tests that run somewhere else: in namespaces of their own, or in a kernel of their own.

They stand in files called `inside_*.py`, which pytest does not collect by itself; an ordinary test hands them to a
pytest of their own in the right place, and fails with what that one said.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
#: The command before one that gets a network and mounts of its own.
NAMESPACES = [
    *("unshare", "--net", "--mount", "--propagation", "private", "--", "sh", "-c"),
    "for one in netns wireguard; do mkdir -p /run/$one && mount -t tmpfs tmpfs /run/$one || exit; done; "
    'exec "$@"',
    "sh",
]


class Inside:
    """A finished run elsewhere: what pytest wrote about each test."""

    def __init__(self, status: int, output: str, report: Path) -> None:
        self.status = status
        self.output = output
        self._cases: list[ET.Element] = []
        if report.exists():
            self._cases = list(ET.fromstring(report.read_text()).iter("testcase"))

    def check(self, file: Path) -> None:
        """Assert that the tests of this file ran there, and that each of them passed."""
        module = ".".join(file.relative_to(TESTS).with_suffix("").parts)
        cases = [case for case in self._cases if (case.get("classname") or "").endswith(module)]
        cases += [case for case in self._cases if f".{module}." in f".{case.get('classname') or ''}."]
        bad = [
            f"{case.get('classname')}::{case.get('name')}: {one.tag}: {one.get('message')}\n{one.text}"
            for case in cases
            for one in case
            if one.tag in ("failure", "error", "skipped")
        ]
        assert not bad, "\n".join(bad)
        assert cases, f"nothing of {file.name} ran (exit status {self.status}):\n{self.output[-6000:]}"


def run_inside(
    prefix: Sequence[str],
    files: Sequence[Path],
    *,
    out: Path,
    seconds: float,
    env: Mapping[str, str] | None = None,
) -> Inside:
    """Run the tests of `files` with a pytest behind the command `prefix`, for at most so many seconds.

    `out` is a directory that both sides see.
    """
    report = out / "report.xml"
    argv = [
        *prefix,
        sys.executable,
        *(
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "junit_family=xunit2",
            "--rootdir",
            str(ROOT),
        ),
        *("-c", str(ROOT / "pyproject.toml"), f"--junit-xml={report}"),
        *map(str, files),
    ]
    with tempfile.TemporaryFile("w+") as output:
        status = subprocess.run(
            argv,
            cwd=ROOT,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=seconds,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        ).returncode
        output.seek(0)
        return Inside(status, output.read(), report)
