"""Measures, prints a table for each measurement and a summary: `python -m bench.run [--only NAME …] [--quick]`.

Times are told and never asserted; it fails when something does not work. As root everything is measured, inside of
worlds that end with it (support/world.py); as an ordinary user what needs neither packets nor WireGuard.
"""

import argparse
import importlib
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bench import machine
from bench.options import Options
from bench.results import Result
from support.world import lacking

#: Name, what it answers, and whether an ordinary user gets a part of it.
MEASUREMENTS = {
    "lateness": ("how late a grant ends, in read-back and in packets", False),
    "first": ("from a grant to the first packet", False),
    "change": ("what one grant or revoke costs among 100, 1,000 and 10,000 peers", True),
    "burst": ("1,000 grants that end in the same second", False),
    "telling": ("what watchers and a mail server that hangs cost", True),
    "command": ("what somebody at a shell waits for", True),
    "listing": ("pages of lists among 1,000,000 requests", True),
    "start": ("a start with 10,000 active grants", True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 when everything that was asked for was measured, 1 when something did not work, 130 on Ctrl-C."""
    asked = _parser().parse_args(arguments)
    names = [name for name in MEASUREMENTS if not asked.only or name in asked.only]
    reason = lacking()
    if reason:
        sys.stderr.write(f"bench: without packets and WireGuard: {reason}.\n")
        left_out = [name for name in names if not MEASUREMENTS[name][1]]
        names = [name for name in names if name not in left_out]
        if left_out:
            sys.stderr.write(f"bench: not measured: {', '.join(left_out)}. As root nothing is left out.\n")
    signal.signal(signal.SIGTERM, _terminated)
    with tempfile.TemporaryDirectory(prefix="jitctl-bench-") as directory:
        options = Options(Path(directory), quick=asked.quick, real=not reason, firewall=asked.firewall)
        try:
            text, failed = _measure(names, options)
        except KeyboardInterrupt:
            sys.stderr.write("\nbench: interrupted; everything is cleaned up.\n")
            return 130
    if asked.write:
        asked.write.write_text(text)
    return 1 if failed or not names else 0


def _measure(names: Sequence[str], options: Options) -> tuple[str, bool]:
    """(everything that was printed, whether something failed)."""
    parts: list[str] = []

    def tell(text: str) -> None:
        parts.append(text)
        print(text, flush=True)

    tell("\n".join(machine.facts(options.directory, quick=options.quick)) + "\n")
    summary: list[str] = []
    failed = False
    for name in names:
        options.say(f"{name}: {MEASUREMENTS[name][0]}")
        begun = time.monotonic()
        result = Result()
        try:
            importlib.import_module(f"bench.{name}").measure(options, result)
        except Exception as error:  # noqa: BLE001 - told, and the others are measured all the same
            failed = True
            traceback.print_exc()
            said = str(error).partition("\n")[0][:300]
            result.summary.append(f"FAILED       {name}: {type(error).__name__}: {said}")
        # Also what was measured before something failed.
        for table in result.tables:
            tell(table.text())
        summary += result.summary
        options.say(f"{name}: done in {time.monotonic() - begun:.0f} s")
    tell("## Summary\n")
    tell("\n".join(f"- {line}" for line in summary))
    tell(f"\nIt took {time.monotonic() - options.begun:.0f} s.")
    return "\n".join([*parts, ""]), failed


def _terminated(number: int, frame: FrameType | None) -> None:
    """A polite kill ends it as Ctrl-C does: through its own clean-up."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {name:9} {what}" for name, (what, _) in MEASUREMENTS.items())
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure jitd beside what the same steps cost without it.",
        epilog=f"measurements:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=list(MEASUREMENTS), metavar="NAME", help="only these")
    parser.add_argument("--quick", action="store_true", help="smaller numbers, a minute and a half")
    parser.add_argument(
        "--firewall",
        choices=("nftables", "none"),
        default="nftables",
        help="jitd's own layer besides WireGuard",
    )
    parser.add_argument("--write", type=Path, metavar="PATH", help="write what is printed to a file too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
