"""Asking nft and iptables for the rules that are there."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jitd.enforce import surroundings_iptables, surroundings_nft
from jitd.enforce.port import EnforceError
from jitd.enforce.surroundings_chains import Table
from jitd.enforce.surroundings_nft import Listing

SECONDS: Final = 5.0
_ERROR_LENGTH: Final = 400  # characters
_IPTABLES: Final = (("ip", "iptables"), ("ip6", "ip6tables"))


def listing() -> Listing:
    """All rules of this network namespace, jitd's own among them.

    iptables' conditions are opaque to nft, so iptables is asked for those, as far as it is installed. Raises
    EnforceError when nft cannot be asked.
    """
    # Terse: the elements of named sets can be a hundred thousand.
    text = run(["nft", "--json", "--terse", "list", "ruleset"])
    if text is None:
        raise EnforceError("there is no program nft: install the package nftables")
    found = surroundings_nft.parse(text)
    device_chains = [
        chain
        for table in found.tables
        for chain in table.chains.values()
        if chain.hook in ("ingress", "egress")
    ]
    if not all(chain.devices for chain in device_chains):
        # Up to nft 1.0.6 the JSON leaves them out.
        surroundings_nft.add_devices(found.tables, run(["nft", "--terse", "list", "chains"]) or "")
    tables = list(found.tables)
    for family, program in _IPTABLES:
        if any(table.opaque and table.family == family for table in tables):
            said = run([f"{program}-nft-save"]) or run([f"{program}-save"])
            if said:
                known = {one.name: one for one in surroundings_iptables.parse(said, family, program)}
                tables = [known.get(one.name, one) if one.family == family else one for one in tables]
        tables += _legacy(family, program)
    return Listing(tables=tuple(tables), flowtables=found.flowtables)


def unread() -> list[str]:
    """The programs whose rules exist and could not be read, because only root may."""
    return [f"{program}-legacy-save" for _, program in _IPTABLES if _names(program) is None]


def run(argv: Sequence[str]) -> str | None:
    """What a program prints; None when it is not installed.

    Raises EnforceError when it fails or does not answer within SECONDS.
    """
    name = argv[0]
    try:
        done = subprocess.run(  # noqa: S603 - the argument lists are fixed
            argv, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise EnforceError(f"{name} did not answer within {SECONDS:.0f} s") from error
    except OSError as error:
        raise EnforceError(f"the program {name} cannot be run: {error.strerror or error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:_ERROR_LENGTH] or f"exit status {done.returncode}"
        raise EnforceError(f"{name} cannot list the rules: {said}")
    return done.stdout


def _legacy(family: str, program: str) -> list[Table]:
    # The kernel's own list first: to ask the program would load the modules and make the tables.
    if not _names(program):
        return []
    said = run([f"{program}-legacy-save"])
    return surroundings_iptables.parse(said, family, f"{program}-legacy") if said else []


def _names(program: str) -> str | None:
    """The kernel's list of tables of the old kind; None when it may not be read."""
    kind = "ip_tables" if program == "iptables" else "ip6_tables"
    try:
        return Path(f"/proc/self/net/{kind}_names").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except OSError:
        return None
