"""Who made an interface that jitd adopts: wg-quick, systemd-networkd or somebody by hand. Read-only."""

import configparser
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WG_QUICK_DIRECTORY: Final = Path("/etc/wireguard")
NETWORKD_DIRECTORIES: Final = (Path("/etc/systemd/network"), Path("/run/systemd/network"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """`kind` is `wg-quick`, `networkd` or `by hand`; `path` its file, "" for none."""

    kind: str
    path: str = ""
    saves_config: bool = False  # wg-quick's SaveConfig: today's peers are written down and come back at boot
    unreadable: str = ""  # why the file could not be understood
    keys: frozenset[str] = frozenset()  # the public keys of the peers that its file lets in


def find_owner(
    name: str,
    wg_quick: Path = WG_QUICK_DIRECTORY,
    networkd: tuple[Path, ...] = NETWORKD_DIRECTORIES,
) -> Owner:
    """Who made the interface `name`, judged by the files that their makers keep."""
    path = wg_quick / f"{name}.conf"
    try:
        is_there = path.exists()
    except PermissionError as error:
        if os.geteuid() == 0:
            return Owner(kind="wg-quick", path=str(path), unreadable=str(error))
        # Only an ordinary user's jitd may not look there, and that one enforces nothing.
        is_there = False
    if is_there:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return Owner(kind="wg-quick", path=str(path), unreadable=str(error))
        return Owner(
            kind="wg-quick", path=str(path), saves_config=_saves_config(text), keys=frozenset(_peers(text))
        )
    for directory in networkd:
        for netdev in sorted(directory.glob("*.netdev")):
            parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
            try:
                parser.read_string(netdev.read_text("utf-8"))
            except (OSError, UnicodeDecodeError, configparser.Error):
                continue  # another tool's file; it cannot be told whose interface it is about
            if parser.get("NetDev", "Name", fallback="") == name:
                return Owner(kind="networkd", path=str(netdev))
    return Owner(kind="by hand")


def _peers(text: str) -> Iterator[str]:
    for line in text.splitlines():
        key, _, value = line.split("#", 1)[0].partition("=")
        if key.strip().lower() == "publickey":
            yield value.strip()


def _saves_config(text: str) -> bool:
    """Whether wg-quick would save: its own reading is `SaveConfig = true`, any case, comments cut, last one counts."""
    saves = False
    for line in text.splitlines():
        key, _, value = line.split("#", 1)[0].partition("=")
        if key.strip().lower() == "saveconfig":
            saves = value.strip().lower() == "true"
    return saves
