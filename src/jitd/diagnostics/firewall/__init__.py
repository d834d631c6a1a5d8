"""What the gateway's own set-up does with traffic that jitd has granted, and what gets around jitd's table.

It looks and changes nothing. "broken" is said only of what was followed to the end; where a rule's condition cannot
be known beforehand it is a "warning", and a rule that drops something special (a blocklist, invalid packets) is none.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from jitd.core.firewall import Rules
from jitd.core.model import IPNetwork
from jitd.diagnostics.firewall import programs
from jitd.diagnostics.firewall.filter import bypassed, dropped, shut
from jitd.diagnostics.firewall.forwarding import misdirected, overlapping, switched_off
from jitd.diagnostics.firewall.nat import redirected, unanswered
from jitd.diagnostics.firewall.trips import goals, sides, trips
from jitd.enforce.finding import BROKEN, WARNING, Finding
from jitd.enforce.routes import links

__all__ = ["Finding", "look"]

_FLUSH: Final = re.compile(r"^\s*flush\s+ruleset\b", re.MULTILINE)


def look(
    rules: Rules,
    *,
    pools: Mapping[str, Sequence[IPNetwork]] | None = None,
    ports: Mapping[str, int] | None = None,
    etc: Path = Path("/etc"),
) -> list[Finding]:
    """Look at sysctls, routes and all of netfilter's tables. Blocks, for about 0.2 s; at most 5 s a program.

    `pools` are the interfaces' address pools; without them each interface's own route shows its pool. `ports` are the
    UDP ports on which WireGuard listens; without them nobody looks whether these are shut. Interfaces that are not
    there or not up are left out. Raises EnforceError when nft or the kernel cannot be asked.
    """
    if not rules.interfaces:
        return []
    listing, troubles = programs.listing()
    network = links()
    found: list[Finding] = []
    everywhere = []
    for side in sides(rules, network, pools or {}):
        there = trips(side, goals(rules, side.interface), network)
        everywhere += there
        found += misdirected(side, there)
        found += overlapping(side, network)
        found += unanswered(side, there, listing.tables, network)
        found += redirected(side, there, listing.tables)
    found += switched_off(everywhere)
    for interface in rules.interfaces:
        mine = [trip for trip in everywhere if trip.side.name == interface.name]
        found += dropped(listing.tables, interface.name, mine)
        found += bypassed(listing.flowtables, listing.tables, interface.name, mine, os.uname().release)
    for name, port in (ports or {}).items():
        if name in network.names:
            found += shut(listing.tables, name, port, network, {one.name for one in rules.interfaces})
    found += flushed(etc)
    found += [
        Finding(level=WARNING, what=f"iptables rules are not examined: {trouble}", fix="")
        for trouble in troubles
    ]
    return sorted(dict.fromkeys(found), key=lambda one: one.level != BROKEN)


def flushed(etc: Path) -> Iterator[Finding]:
    """A service that wipes all tables, jitd's too, when it is reloaded."""
    enabled = any((etc / "systemd/system").glob("*.wants/nftables.service"))
    try:
        text = (etc / "nftables.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if enabled and _FLUSH.search(text):
        yield Finding(
            level=WARNING,
            what=f"{etc}/nftables.conf begins with 'flush ruleset' and nftables.service is enabled: a reload "
            "also removes jitd's table. jitd loads it again at once while it runs, but not while it is "
            "stopped",
            fix="instead, for each table of that file: 'table inet NAME' and 'delete table inet NAME'",
        )
