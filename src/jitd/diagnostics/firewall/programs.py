"""Asking nft and iptables for the rules that are there."""

import logging
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from jitd.diagnostics.firewall import iptables, nft
from jitd.diagnostics.firewall.chains import Table
from jitd.diagnostics.firewall.nft import Listing, Named
from jitd.enforce.port import EnforceError

log = logging.getLogger("jitd.firewall")

SECONDS: Final = 5.0
_ERROR_LENGTH: Final = 400  # characters
_SET_SECONDS: Final = 1.0
_NEW: Final = re.compile(r"nf_tables|nft-save|xtables-save")
_IPTABLES: Final = (("ip", "iptables"), ("ip6", "ip6tables"))


def listing() -> tuple[Listing, list[str]]:
    """All rules of this network namespace, jitd's own among them, and what could not be read of iptables'.

    iptables' conditions are opaque to nft, so iptables is asked for those, as far as it is installed. Raises
    EnforceError when nft cannot be asked.
    """
    # Terse: the elements of named sets can be a hundred thousand.
    text = run(["nft", "--json", "--terse", "list", "ruleset"])
    if text is None:
        raise EnforceError("there is no program nft: install the package nftables")
    found = nft.parse(text)
    elements = _elements(nft.named(text))
    if elements:
        found = nft.parse(text, elements)
    on_devices = [
        chain
        for table in found.tables
        for chain in table.chains.values()
        if chain.hook in ("ingress", "egress")
    ]
    if not all(chain.devices for chain in on_devices):
        # Up to nft 1.0.6 the JSON leaves them out.
        nft.add_devices(found.tables, run(["nft", "--terse", "list", "chains"]) or "")
    tables = list(found.tables)
    troubles: list[str] = []
    for family, program in _IPTABLES:
        try:
            _explain(found.tables, family, program)
            tables += _legacy(family, program)
        except EnforceError as error:
            troubles.append(str(error))
    return replace(found, tables=tuple(tables)), troubles


def run(argv: Sequence[str], seconds: float = SECONDS) -> str | None:
    """What a program prints; None when it is not installed.

    Raises EnforceError when it fails or does not answer within so many seconds.
    """
    name = argv[0]
    try:
        done = subprocess.run(  # noqa: S603 - the argument lists are fixed
            argv, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise EnforceError(f"{name} did not answer within {seconds:.1f} s") from error
    except OSError as error:
        raise EnforceError(f"the program {name} cannot be run: {error.strerror or error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:_ERROR_LENGTH] or f"exit status {done.returncode}"
        raise EnforceError(f"{name} cannot list the rules: {said}")
    return done.stdout


def _elements(wanted: Mapping[Named, str]) -> dict[Named, Sequence[Any]]:
    """What is in sets and maps: as many as can be read in a second, the others stay unknown."""
    found: dict[Named, Sequence[Any]] = {}
    until = time.monotonic() + _SET_SECONDS
    # One by one: nft 1.0.6 finds no set when it is asked for two.
    for command in wanted.values():
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            found |= nft.contents(run(["nft", "--json", *command.split()], left) or "")
        except EnforceError as error:
            # It has gone meanwhile, or has too many elements. Then its rules are a doubt and no error.
            log.debug("a set of others is left out: %s", error)
    return found


def _explain(tables: Sequence[Table], family: str, program: str) -> None:
    mine = [table for table in tables if table.family == family]
    if not any(chain.opaque for table in mine for chain in table.chains.values()):
        return
    said = run([f"{program}-nft-save"]) or run([f"{program}-save"]) or ""
    # Without the word it is the old iptables', which shows other rules.
    if _NEW.search(said.partition("\n")[0]):
        iptables.explain(mine, iptables.parse(said, family))


def _legacy(family: str, program: str) -> list[Table]:
    kind = "ip_tables" if family == "ip" else "ip6_tables"
    try:
        # The kernel's own list first: to ask the program would load the modules and make the tables.
        names = Path(f"/proc/self/net/{kind}_names").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnforceError(
            f"whether there are rules of {program}-legacy can be seen by root only: {error.strerror}"
        ) from error
    if not names:
        return []
    said = run([f"{program}-legacy-save"])
    if said is None:
        raise EnforceError(f"there are rules of the old {program}, but no program {program}-legacy-save")
    return iptables.parse(said, family, f"{program}-legacy")
