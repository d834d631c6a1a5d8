"""The configuration as it is on disk, against what runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core.configuration import Config, needs_restart, taken_over
from jitd.core.errors import JitError
from jitd.diagnostics.check import Check
from jitd.diagnostics.lines import broken, ok, warning


def examine(running: Config, path: Path | None, load: Callable[[Path], Config]) -> list[wire.Check]:
    """What the next start, or the next reload, would find in the file. `path` None: it came from no file; `load` reads it."""
    if path is None:
        return [ok("jitd was started without a configuration file")]
    try:
        there = load(path)
    except JitError as error:
        return [
            broken(
                f"jitd runs, but could not be restarted: {error.message}",
                error.hint or f"correct {path}, then run: sudo jitd check",
            ),
        ]
    later = needs_restart(running, there)
    found = [ok(f"{path} can be read")]
    if later:
        found.append(
            warning(
                f"{path} was changed after jitd started; these changes need a restart: {', '.join(later)}",
                "systemctl restart jitd # open access stays open",
            )
        )
    if taken_over(running, there) != running:
        found.append(warning(f"{path} has changes that jitd has not read yet", "systemctl reload jitd"))
    if len(found) == 1:
        found.append(ok("jitd runs with the settings of the file"))
    return found


CHECKS: Final = (
    Check(
        "config-file",
        "config",
        "The configuration file",
        "broken",
        lambda one: one.machine.bounded(
            "config", lambda: examine(one.view.config, one.machine.path, one.machine.load)
        ),
    ),
)
