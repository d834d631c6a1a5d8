"""The configuration as it is on disk, against what runs."""

import shlex
from pathlib import Path

from jitd import config, nss, wire
from jitd.config import Config
from jitd.core.errors import JitError
from jitd.examine.lines import broken, ok, warning


def examine(running: Config, path: Path | None) -> list[wire.Check]:
    """What the next start, or the next reload, would find in the file. `path` None: it came from no file."""
    if path is None:
        return [ok("the configuration was given by whoever started jitd, and by no file"), *groups(running)]
    try:
        there = config.load(path)
    except JitError as error:
        return [
            broken(
                f"jitd runs, and could not start again: {error.message}",
                error.hint or f"mend {path}, then type: sudo jitd check",
            ),
            *groups(running),
        ]
    later = config.needs_restart(running, there)
    found = [ok(f"{path} can be read")]
    if later:
        found.append(
            warning(
                f"{path} was changed behind the running jitd, which still does without: {', '.join(later)}",
                "systemctl restart jitd # whoever is in stays in",
            )
        )
    if config.taken_over(running, there) != running:
        found.append(warning(f"{path} has changes that jitd has not taken over yet", "systemctl reload jitd"))
    if len(found) == 1:
        found.append(ok("what runs is what the file says"))
    return found + groups(there)


def groups(of: Config) -> list[wire.Check]:
    """Whether those who administer can."""
    found = []
    for group in of.daemon.admin_groups:
        try:
            entry = nss.group_by_name(group)
        except nss.Unavailable as error:
            found.append(
                broken(
                    f"the admin group {group} cannot be looked up: {error}",
                    f"getent group {shlex.quote(group)} # shows when it can be again",
                )
            )
            continue
        if entry is None:
            found.append(
                broken(
                    f"[daemon] admin_groups: there is no group {group}",
                    f"groupadd --system {shlex.quote(group)}",
                )
            )
    if of.daemon.admin_groups and not found:
        found.append(ok(f"the admin groups are there: {', '.join(of.daemon.admin_groups)}"))
    if not of.daemon.admin_groups:
        found.append(
            warning(
                "only root administers this gateway: [daemon] admin_groups is empty",
                'set admin_groups = ["GROUP"] in jitd.toml, then type: systemctl reload jitd',
            )
        )
    return found
