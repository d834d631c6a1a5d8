"""Runs seeds: `python -m simulation.run --help`, or make simulate."""

import argparse
import ctypes
import faulthandler
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SEEDS: Final = Path(__file__).parent / "seeds"
#: ADDR_NO_RANDOMIZE of personality(2): some objects are ordered by where they lie in memory.
_FIXED_ADDRESSES: Final = 0x0040000
_MARK: Final = "JITD_SIMULATION"
#: A seed that has not ended after so many real seconds hangs, and has failed. Usual ones take one or two.
HANGS_SECONDS: Final = 90


def main() -> int:
    """Exit status 0: nothing was found (or what was planted); 1: something was."""
    parser = argparse.ArgumentParser(prog="simulation.run", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long to look for new seeds (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, help="run this seed alone, and show what happens")
    parser.add_argument(
        "--from", type=int, dest="first", help="run seeds from this one on, in place of drawn ones"
    )
    parser.add_argument("--kept", action="store_true", help="run the seeds that are kept")
    parser.add_argument("--keep", action="store_true", help=f"write seeds that fail to {SEEDS.name}/")
    parser.add_argument("--twice", action="store_true", help="run each seed twice and compare")
    parser.add_argument("--planted", metavar="WORDS", help="plant a fault, and look for it")
    parser.add_argument("--within", type=int, default=20, help="in so many seeds (default: %(default)s)")
    parser.add_argument("--tail", type=int, default=40, help="how many lines of a failing trace to show")
    arguments = parser.parse_args()
    _begin_anew()
    if arguments.planted:
        return _look_for(arguments.planted, arguments.within)
    if arguments.seed is not None:
        return _run([arguments.seed], arguments)
    return _run(_seeds(arguments), arguments)


def _begin_anew() -> None:
    """Start this program once more, with everything fixed that a run may depend on."""
    if os.environ.get(_MARK) == "fixed":
        return
    ctypes.CDLL(None).personality(_FIXED_ADDRESSES)
    environment = {**os.environ, "PYTHONHASHSEED": "0", _MARK: "fixed"}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "simulation.run", *sys.argv[1:]], environment)


class Watchdog:
    """Ends this program when a seed hangs: then its number and the stacks of all threads are printed.

    One thread for all seeds, which was there before the first: none begins while a seed runs.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._seed, self._until = 0, float("inf")
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def begins(self, seed: int) -> None:
        """A seed begins, and with it its time."""
        self._seed, self._until = seed, time.monotonic() + HANGS_SECONDS
        # Where no thread of Python's can go on, this one can; it knows no seed.
        faulthandler.dump_traceback_later(HANGS_SECONDS + 10, exit=True)

    def ends(self) -> None:
        """It has ended."""
        self._until = float("inf")
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while time.monotonic() < self._until:
            time.sleep(1)
        seed = self._seed
        print(f"seed {seed} fails\n  it hangs: it has not ended after {HANGS_SECONDS} s")
        print(f"  again: make simulate SEED={seed}", flush=True)
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        if self._keep:
            SEEDS.mkdir(exist_ok=True)
            with (SEEDS / f"{seed}.txt").open("w") as file:
                print(f"it hangs: it has not ended after {HANGS_SECONDS} s\n", file=file, flush=True)
                faulthandler.dump_traceback(file=file, all_threads=True)
            print(f"  kept as {SEEDS / f'{seed}.txt'}", flush=True)
        # Threads may be stuck where nothing ends them.
        os._exit(1)


def _seeds(arguments: argparse.Namespace) -> Iterator[int]:
    if arguments.kept:
        yield from sorted(int(path.stem) for path in SEEDS.glob("*.txt"))
        return
    until = time.monotonic() + arguments.seconds
    seed = arguments.first if arguments.first is not None else int.from_bytes(os.urandom(4))
    while time.monotonic() < until:
        yield seed
        seed += 1


def _run(seeds: Iterable[int], arguments: argparse.Namespace) -> int:
    from simulation import search

    watchdog = Watchdog(keep=arguments.keep)
    ran, failed = 0, 0
    for seed in seeds:
        watchdog.begins(seed)
        result = search.run(seed)
        watchdog.ends()
        ran += 1
        if arguments.twice:
            watchdog.begins(seed)
            again = search.run(seed)
            watchdog.ends()
            if again.trace_hash != result.trace_hash:
                result.failures.append(f"it is not the same twice: {result.trace_hash}, {again.trace_hash}")
        if arguments.seed is not None or arguments.twice:
            print(f"seed {seed}: trace {result.trace_hash}, {len(result.steps)} steps", flush=True)
        if arguments.seed is not None:
            print("\n".join(result.steps))
        if not result.failures:
            continue
        failed += 1
        print(result)
        print("  the last of its trace:")
        print("\n".join(f"    {line}" for line in result.tail[-arguments.tail :]))
        print(f"  again: make simulate SEED={seed}", flush=True)
        if arguments.keep:
            _keep(result)
    print(f"{ran} seeds, {failed} of them failed")
    return 1 if failed else 0


def _keep(result: "object") -> None:
    from simulation.search import Result

    assert isinstance(result, Result)
    SEEDS.mkdir(exist_ok=True)
    lines = [*result.failures, "", *result.steps, "", *result.tail[-200:]]
    (SEEDS / f"{result.seed}.txt").write_text("\n".join(lines) + "\n")
    print(f"  kept as {SEEDS / f'{result.seed}.txt'}", flush=True)


def _look_for(words: str, within: int) -> int:
    from simulation import planted, search

    fault = planted.named(words)
    watchdog = Watchdog(keep=False)
    with planted.planted(fault):
        for seed in range(1, within + 1):
            watchdog.begins(seed)
            result = search.run(seed, often=frozenset(fault.often))
            watchdog.ends()
            if any(re.search(fault.found, one) for one in result.failures):
                print(f"found by seed {seed}: {'; '.join(result.failures)}")
                return 0
            for one in result.failures:
                print(f"seed {seed} fails otherwise: {one}")
    print(f"not found within {within} seeds: {fault.name}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
