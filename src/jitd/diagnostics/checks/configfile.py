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
        return [ok("the configuration was given by whoever started jitd, and by no file")]
    try:
        there = load(path)
    except JitError as error:
        return [
            broken(
                f"jitd runs, and could not start again: {error.message}",
                error.hint or f"mend {path}, then type: sudo jitd check",
            ),
        ]
    later = needs_restart(running, there)
    found = [ok(f"{path} can be read")]
    if later:
        found.append(
            warning(
                f"{path} was changed behind the running jitd, which still does without: {', '.join(later)}",
                "systemctl restart jitd # whoever is in stays in",
            )
        )
    if taken_over(running, there) != running:
        found.append(warning(f"{path} has changes that jitd has not taken over yet", "systemctl reload jitd"))
    if len(found) == 1:
        found.append(ok("what runs is what the file says"))
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
