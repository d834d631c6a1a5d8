"""`jitd check`: what a valid configuration still needs of the machine before jitd can run with it."""

import os
import stat
from pathlib import Path

from jitd import nss
from jitd.config import Config
from jitd.enforce.choose import choose, choose_firewall
from jitd.enforce.port import EnforceError


def problems(config: Config) -> list[str]:
    """One sentence for each thing that would keep jitd from running, or administrators from administering."""
    found = []
    if problem := state_dir_problem(config.daemon.state_dir):
        found.append(f"[daemon] state_dir: {problem[0]}. {problem[1]}")
    for group in config.daemon.admin_groups:
        try:
            if nss.group_by_name(group) is None:
                found.append(f"[daemon] admin_groups: there is no group {group}: groupadd --system {group}")
        except nss.Unavailable as error:
            found.append(f"[daemon] admin_groups: the group {group} cannot be looked up: {error}")
    try:
        choose(config.enforce.backend, config.enforce.wireguard_go).close()
    except EnforceError as error:
        found.append(f"[enforce] backend: {error}")
    try:
        enforce = config.enforce
        choose_firewall(enforce.firewall, enforce.backend, closed=None, boot_ms=lambda: 0).close()
    except EnforceError as error:
        found.append(
            f'[enforce] firewall: {error}; firewall = "none" does without, and leaves access open while jitd is dead'
        )
    return found


def state_dir_problem(state_dir: Path) -> tuple[str, str] | None:
    """What is wrong with the state directory and how to mend it; None when jitd can keep secrets there."""
    try:
        status = state_dir.stat()
    except FileNotFoundError:
        return f"there is no state directory {state_dir}", "Make it with: jitd init"
    except OSError as error:
        return (
            f"{state_dir} cannot be looked at: {error.strerror}",
            "Run jitd as root, or name another state_dir.",
        )
    if not stat.S_ISDIR(status.st_mode):
        return f"{state_dir} is no directory", "Name another state_dir."
    if status.st_uid != os.geteuid():
        return (
            f"{state_dir} belongs to somebody else (uid {status.st_uid})",
            f"Run jitd as that user, or: chown {os.geteuid()} {state_dir}",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        return f"{state_dir} is open to others", f"Close it with: chmod 700 {state_dir}"
    return None
