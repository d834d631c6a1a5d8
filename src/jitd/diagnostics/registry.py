"""All checks of doctor: every module in `checks/` has a `CHECKS`, and nothing else lists them."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Final, get_args

from jitd import wire
from jitd.diagnostics import checks
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Alone, Examination

#: The parts of the gateway, in the order in which they are examined.
PARTS: Final[tuple[wire.Part, ...]] = get_args(wire.Part)


@cache
def every() -> tuple[Check, ...]:
    """Every check, in the order of the parts. Its modules are loaded at the first call: some bring libraries along."""
    modules = [
        importlib.import_module(f"{checks.__name__}.{one.name}")
        for one in pkgutil.iter_modules(checks.__path__)
    ]
    found: list[Check] = [one for module in modules for one in module.CHECKS]
    return tuple(sorted(found, key=lambda one: (PARTS.index(one.part), one.code)))


def examine(part: str, examination: Examination) -> list[wire.Check]:
    """What the checks of a part find."""
    return [line for one in every() if one.part == part for line in one.lines(one.run(examination))]


def watch(examination: Examination) -> tuple[wire.Check, ...]:
    """What this machine does to granted traffic, or behind jitd's back: for status."""
    found = (line for one in every() if one.watched for line in one.lines(one.run(examination)))
    return tuple(line for line in found if line["level"] != "ok")


def alone(there: Alone) -> Iterator[wire.Check]:
    """What can be known without a running jitd."""
    for one in every():
        if one.alone is not None:
            yield from one.lines(one.alone(there))
