"""`jitd uninstall`: cut everybody, and take what jitd made out of the kernel. Files stay, and are named."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from jitd.app import CLOSED_FILE
from jitd.cli import cut, stop
from jitd.cli.cut import Done, Guarded
from jitd.config import DEFAULT_PATH
from jitd.core.configuration import Config, Daemon
from jitd.enforce.port import EnforceError, InterfaceGone, Known, WireGuard

UNIT_DIRECTORIES: Final = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
UNITS: Final = (stop.UNIT, "jitd-closed.service")
SSHD: Final = Path("/etc/ssh/sshd_config.d/jitd.conf")
#: There when the Debian package is; its purge removes what stands at the usual places.
PACKAGE: Final = Path("/var/lib/dpkg/info/jitd.list")
_HINT: Final = "Type: systemctl stop jitd && jitd uninstall"


def plan(config: Config) -> list[str]:
    """What `uninstall` would do, in lines for people. Raises JitError when it cannot be done."""
    state_dir = config.daemon.state_dir
    lines = ["This will"]
    pid = stop.running(state_dir)
    if pid is not None:
        stop.refuse_service(pid, _HINT)
        lines.append(f"  stop jitd (pid {pid})")
    for one in cut.guarded(state_dir):
        name = one.interface.name
        if one.interface.adopted:
            lines.append(
                f"  remove jitd's peers from {name}; the interface and other peers stay; removed peers are not restored"
            )
        else:
            lines.append(f"  remove the interface {name} and all its peers; its key stays in the store")
    if config.enforce.firewall == "nftables":
        lines.append("  remove jitd's tables from nftables, and the file that closes them at boot")
    lines.append(
        "The configuration, the store and units stay; the commands to remove them are printed at the end."
    )
    return lines


def uninstall(config: Config, path: Path) -> Done:
    """Do it; `path` is the configuration's. Twice does no harm. Raises JitError."""
    state_dir = config.daemon.state_dir
    stop.stop(state_dir, hint=_HINT)
    done = Done()
    if state_dir.exists():
        with cut.locked(state_dir):
            done = _take_away(config, cut.guarded(state_dir))
    if not done.left:
        done.told += _leftovers(config, path)
    return done


def _take_away(config: Config, found: Sequence[Guarded]) -> Done:
    """In an order in which nobody gets in meanwhile, and no further than what was done could be read back."""
    done = cut.cut(found, lambda: cut.open_wireguard(config), lambda: cut.open_firewall(config))
    if done.left:
        return done
    own = [one.interface for one in found if not one.interface.adopted]
    try:
        if own:
            with closing(cut.open_wireguard(config)) as wireguard:
                for interface in own:
                    wireguard.know(Known.of(interface))
                    _remove_link(interface.name, wireguard, done)
        if done.left:
            return done
        with closing(cut.open_firewall(config)) as firewall:
            if firewall.active:
                firewall.remove_all()
                done.told.append("firewall: jitd's tables were removed")
    except EnforceError as error:
        done.left.append(str(error))
        return done
    # Last: it would close the interfaces again at the next start of the machine.
    closed = config.daemon.state_dir / CLOSED_FILE
    try:
        closed.unlink(missing_ok=True)
    except OSError as error:
        done.left.append(f"{closed}: {error.strerror}")
    return done


def _remove_link(name: str, wireguard: WireGuard, done: Done) -> None:
    wireguard.remove_link(name)
    try:
        wireguard.read(name)
    except InterfaceGone:
        done.told.append(f"{name}: the interface was removed")
    else:
        done.left.append(f"the interface {name}")


def _leftovers(config: Config, path: Path) -> list[str]:
    units = [Path(directory) / unit for directory in UNIT_DIRECTORIES for unit in UNITS]
    lines = ["These files are left; to remove them, run:"]
    purged: set[Path] = set()
    if PACKAGE.exists():
        purged = {*units[-len(UNITS) :], SSHD, DEFAULT_PATH, Daemon().state_dir}
        lines.append("  apt purge jitd   # with the record of all grants, and keys")
    there = [unit for unit in units if unit.exists() and unit not in purged]
    if there:
        lines.append(f"  systemctl disable {' '.join(sorted({unit.name for unit in there}))}")
    files = [one for one in (path, SSHD, *there) if one.exists() and one not in purged]
    if files:
        lines.append(f"  rm {shlex.join(map(str, files))}")
    if there:
        lines.append("  systemctl daemon-reload")
    if config.daemon.state_dir.exists() and config.daemon.state_dir not in purged:
        # Who had access to what, and when.
        lines.append(
            f"  rm -r {shlex.quote(str(config.daemon.state_dir))}   # the record of all grants, and keys"
        )
    return lines
