"""Puts simulated time, threads and files under jitd's modules, and takes them away again.

The program itself knows nothing of it: what is replaced are the standard library's modules in its modules' names, and
what the standard library's own queues and executors stand on.
"""

import concurrent.futures._base
import concurrent.futures.thread
import dataclasses
import importlib
import os
import pkgutil
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import jitd
from simulation.primitives import Primitives
from simulation.schedule import Scheduler

#: Modules of the program that speak to files of the state directory.
STORING = "jitd.store."


def modules() -> list[ModuleType]:
    """Every module of the daemon, so that none is loaded in the middle of a run."""
    for found in pkgutil.walk_packages(jitd.__path__, "jitd."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return [sys.modules[name] for name in sorted(sys.modules) if name == "jitd" or name.startswith("jitd.")]


class _Times(SimpleNamespace):
    """Stands where the module `time` does."""


def _times(scheduler: Scheduler, wall_us: Callable[[], int], boot_us: Callable[[], int]) -> Any:
    names = {name: getattr(time, name) for name in dir(time) if not name.startswith("_")}
    mine = {
        "monotonic": lambda: scheduler.now_us / 1e6,
        "monotonic_ns": lambda: scheduler.now_us * 1000,
        "perf_counter": lambda: scheduler.now_us / 1e6,
        "time": lambda: wall_us() / 1e6,
        "time_ns": lambda: wall_us() * 1000,
        "sleep": lambda seconds: scheduler.sleep(round(seconds * 1e6)),
        "clock_gettime": lambda clock: (boot_us() if clock == time.CLOCK_BOOTTIME else wall_us()) / 1e6,
    }
    return _Times(**{**names, **mine})


def _cells() -> list[Any]:
    classes = {
        one: None
        for module in modules()
        for one in vars(module).values()
        if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__.startswith("jitd.")
    }
    return [cell for one in classes for cell in getattr(one.__init__, "__closure__", None) or ()]


@contextmanager
def installed(
    scheduler: Scheduler,
    *,
    wall_us: Callable[[], int],
    boot_us: Callable[[], int],
    files: Any,
    others: dict[int, object],
) -> Iterator[None]:
    """Within it, jitd's modules see this scheduler's time and threads; `files` stands for `os` where they store.

    `others` are further replacements, by the identity of what is replaced.
    """
    primitives = Primitives(scheduler)
    times = _times(scheduler, wall_us, boot_us)
    instead: dict[int, object] = {id(threading): primitives, id(time): times, **others}
    for name in ("Thread", "Lock", "RLock", "Condition", "Event", "Semaphore", "current_thread"):
        instead[id(getattr(threading, name))] = getattr(primitives, name)
    for name in ("monotonic", "sleep", "time", "time_ns"):
        instead[id(getattr(time, name))] = getattr(times, name)
    changes: list[tuple[Any, str, object]] = [
        (queue, "threading", primitives),
        (queue, "time", times.monotonic),
        (queue, "SimpleQueue", queue._PySimpleQueue),  # type: ignore[attr-defined]  # private to the library, and replaced by simulated ones
        (concurrent.futures._base, "threading", primitives),
        (concurrent.futures.thread, "threading", primitives),
        (concurrent.futures.thread, "_global_shutdown_lock", primitives.Lock()),
        (concurrent.futures.thread, "_shutdown", False),
    ]
    for module in modules():
        for name, value in list(vars(module).items()):
            if id(value) in instead and not name.startswith("__"):
                changes.append((module, name, instead[id(value)]))
            elif value is os and module.__name__.startswith(STORING):
                changes.append((module, name, files))
    # A dataclass keeps the factories of its fields in its __init__.
    changes += [
        (cell, "cell_contents", instead[id(cell.cell_contents)])
        for cell in _cells()
        if id(cell.cell_contents) in instead
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        concurrent.futures.thread._threads_queues.clear()  # type: ignore[attr-defined]  # private to the library, and replaced by simulated ones
