"""Runs the tests in the order that suits them, and says at the end what ran and what could not.

run.py all   everything; as an ordinary user what needs root is named and not run, as root nothing may be left out
run.py fast  only what needs neither root nor a kernel of its own, and is quick
run.py vm    what installs the packages in a machine of its own, which takes minutes (as root)
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "plain": "without root",
    "root": "as root, in namespaces with real packets",
    "vm": "in a kernel of its own",
    "machine": "from packages, in a machine of their own",
}
NO_TESTS = 5  # pytest's exit status when nothing was selected
LIMIT = 45 * 60  # seconds for everything: twice what it takes on two quiet cores


@dataclass
class Run:
    """One pytest run: what it was asked, how it ended, what it counted."""

    selection: str
    extra: list[str]
    status: int = 0
    seconds: float = 0
    counts: dict[str, int] | None = None
    reasons: dict[str, int] | None = None

    def go(self, limit: float) -> None:
        """Run it, for at most `limit` seconds."""
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as directory:
            summary = Path(directory) / "summary.json"
            argv = [sys.executable, "-m", "pytest", "-q", "-m", self.selection, "--summary", str(summary)]
            argv += ["-o", "faulthandler_timeout=300", *self.extra]
            try:
                self.status = subprocess.run(
                    argv, cwd=ROOT, check=False, timeout=max(limit, 1), stdin=subprocess.DEVNULL
                ).returncode
            except subprocess.TimeoutExpired:
                print(f"tests: ended after {limit:.0f} s: that is too long", file=sys.stderr)
                self.status = 124
            if summary.exists():
                found = json.loads(summary.read_text())
                self.counts, self.reasons = found["counts"], found["reasons"]
        self.seconds = time.monotonic() - start


def report(runs: list[Run]) -> str:
    """The last lines of a run: by kind what passed, what failed, and why something could not run."""
    lines = ["", "what ran"]
    for kind, text in KINDS.items():
        found = [run for run in runs for name in run.counts or {} if name.startswith(f"{kind} ")]
        counts = [
            f"{number} {name.split(' ')[1]}"
            for run in runs
            for name, number in (run.counts or {}).items()
            if name.startswith(f"{kind} ") and not name.endswith("skipped")
        ]
        if counts:
            lines.append(f"  {text}: {', '.join(counts)} ({found[0].seconds:.0f} s)")
    reasons = [(reason, number) for run in runs for reason, number in (run.reasons or {}).items()]
    if reasons:
        lines.append("what did not run")
    for reason, number in reasons:
        kind, _, why = reason.partition(": ")
        lines.append(f"  {KINDS[kind]}: {number} tests: {why.removeprefix('not run: ')}")
    if reasons and os.geteuid() != 0:
        lines.append("    as root nothing is left out:  sudo make test")
    return "\n".join(lines)


def main() -> int:
    """Exit 0 when everything that could run passed."""
    wanted = sys.argv[1]
    # Real parts measure lateness and lost packets on this machine's processors: one test at a time.
    plain = "not root and not vm and not machine and not planted"
    two = ["-n", "2", "--dist", "loadfile"]
    runs = {
        "fast": [Run(f"{plain} and not slow", two)],
        "all": [Run(plain, two), Run("root or vm", [])],
        "vm": [Run("machine", [])],
    }[wanted]
    if os.geteuid() == 0:
        for run in runs:
            run.extra.append("--strict-real")
    deadline = time.monotonic() + LIMIT
    for run in runs:
        run.go(deadline - time.monotonic())
    print(report(runs))
    return max(0 if run.status == NO_TESTS else run.status for run in runs)


if __name__ == "__main__":
    sys.exit(main())
