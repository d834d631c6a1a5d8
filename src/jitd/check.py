"""`jitd check`: what a valid configuration still needs of the machine before jitd can run with it."""

import os
import shutil
import stat

from jitd import nss
from jitd.config import Config


def problems(config: Config) -> list[str]:
    """One sentence for each thing that would keep jitd from running, or administrators from administering."""
    found = []
    state_dir = config.daemon.state_dir
    if not state_dir.is_dir():
        found.append(f"[daemon] state_dir {state_dir} does not exist: make it with jitd init")
    else:
        status = state_dir.stat()
        if stat.S_IMODE(status.st_mode) & 0o077:
            found.append(f"[daemon] state_dir {state_dir} is open to others: chmod 700 {state_dir}")
        if status.st_uid != os.geteuid() and os.geteuid() != 0:
            found.append(f"[daemon] state_dir {state_dir} belongs to somebody else")
    for group in config.daemon.admin_groups:
        try:
            if nss.group_by_name(group) is None:
                found.append(f"[daemon] admin_groups: there is no group {group}: groupadd --system {group}")
        except nss.Unavailable as error:
            found.append(f"[daemon] admin_groups: the group {group} cannot be looked up: {error}")
    if config.enforce.backend == "userspace" and shutil.which(config.enforce.wireguard_go) is None:
        found.append(f"[enforce] wireguard_go: there is no program {config.enforce.wireguard_go}")
    return found
