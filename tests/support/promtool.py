"""The program with which Prometheus checks metrics and rules."""

import shutil
import subprocess

import pytest


def promtool(*arguments: object, given: str = "") -> str:
    """Run it; returns what it complains about. Debian has it in the package of Prometheus itself."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: make packages")
    done = subprocess.run(
        [program, *map(str, arguments)], input=given, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        return f"{done.stdout}{done.stderr}".strip() or f"exit status {done.returncode}"
    return done.stderr.strip()
