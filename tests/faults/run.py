"""Plays all faults, many times, and writes docs/reliability.md: `python -m faults.run [--only NAME …] [--quick]`.

Exits with 1 when a packet passed after an end, or anything else was not as it has to be. Root only.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import FrameType

from bench import machine
from faults.catalogue import FAULTS, Fault
from faults.document import Played, document
from faults.outcome import together
from support.deployment import Deployment
from support.world import lacking

FILE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


class Stages:
    """The stage of the last fault, for the next one that wants the same kind."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._made: object = None
        self._site: Deployment | None = None

    def deployment(self, fault: Fault) -> Deployment:
        """The stage that a fault wants."""
        if self._site is None or self._made is not fault.stage:
            self.leave()
            directory = Path(tempfile.mkdtemp(dir=self._directory))
            self._site, self._made = self._stack.enter_context(fault.stage(directory)), fault.stage
        return self._site

    def leave(self) -> None:
        """End it, because something went wrong on it or another one is wanted."""
        self._site = None
        self._stack.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 when all was as it has to be, 1 when not, 130 on Ctrl-C."""
    asked = _parser().parse_args(arguments)
    if reason := lacking():
        sys.stderr.write(f"faults: cannot be played here: {reason}.\n")
        return 1
    signal.signal(signal.SIGTERM, _terminated)
    chosen = [fault for fault in FAULTS if not asked.only or fault.name in asked.only]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jitctl-faults-") as directory:
        facts = machine.facts(Path(directory), quick=False)
        stages = Stages(Path(directory))
        try:
            played = [
                _play(fault, stages, seed=asked.seed, quick=asked.quick, times=asked.times)
                for fault in chosen
            ]
        except KeyboardInterrupt:
            sys.stderr.write("\nfaults: interrupted; everything is cleaned up.\n")
            return 130
        finally:
            stages.leave()
    # What the numbers of another document mean stands there.
    lines = [line for line in facts if line.startswith("- ") and "median" not in line]
    whole = not (asked.only or asked.quick or asked.times)
    text = document(played, lines, seed=asked.seed, seconds=time.monotonic() - begun, whole=whole)
    print(text)
    if asked.write or whole:
        file = asked.write or FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        sys.stderr.write(f"faults: written to {file}\n")
    return int(any(one.bad for one in played))


def _play(fault: Fault, stages: Stages, *, seed: int, quick: bool, times: int | None) -> Played:
    """All trials of a fault. A failure ends them, and the next fault gets a new stage."""
    play = fault.play if quick or fault.all is None else fault.all
    outcomes = []
    failure = ""
    for trial in range(1 if quick else min(times or fault.times, fault.times)):
        begun = time.monotonic()
        try:
            outcome = play(stages.deployment(fault), Random(f"{seed} {trial} {fault.name}"))
        except Exception as error:  # noqa: BLE001 - told, and the other faults are played all the same
            traceback.print_exc()
            failure = f"trial {trial + 1}: {type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"
            stages.leave()
            break
        outcomes.append(outcome)
        sys.stderr.write(f"{outcome.line(fault.name)} [{time.monotonic() - begun:.0f} s]\n")
    return Played(fault, together(outcomes) if outcomes else None, failure)


def _terminated(number: int, frame: FrameType | None) -> None:
    """A polite kill ends it as Ctrl-C does: through its own clean-up."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {fault.name:24} {fault.text}" for fault in FAULTS)
    parser = argparse.ArgumentParser(
        prog="make faults",
        description="Play every fault with real packets, and write docs/reliability.md.",
        epilog=f"faults:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names_only = [fault.name for fault in FAULTS]
    parser.add_argument(
        "--only", nargs="+", choices=names_only, metavar="NAME", help="only these; writes no file"
    )
    parser.add_argument("--quick", action="store_true", help="each of them once; writes no file")
    parser.add_argument(
        "--times",
        type=int,
        metavar="N",
        help="each of them N times at most; writes no file",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="what the moments by chance come from (default: 1)"
    )
    parser.add_argument("--write", type=Path, metavar="PATH", help="write to this file, whatever was played")
    return parser


if __name__ == "__main__":
    sys.exit(main())
