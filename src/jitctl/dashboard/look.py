"""What the dashboard looks at: one reading of jitd, made in a thread, and shown as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jitctl.api.client import Client, given
from jitctl.render import sentences, times
from jitctl.render.output import clean
from jitctl.render.requests import bar
from jitctl.render.tables import Column
from jitd.core.choices import Tab, TabName

if TYPE_CHECKING:
    from jitd import wire

#: The tabs, by the key that chooses each.
TABS: Final = tuple(tab.value for tab in Tab)
#: What is listed first on a tab, and how much of it.
ORDER: Final = {"approved": "left"}
MOST: Final = 200
COLUMNS: Final = (
    Column("ID"),
    Column("USER", least=6),
    Column("NETWORK", least=7),
    Column("STATUS"),
    Column("WHEN", spare=2),
    Column("WANTS", spare=1),
    Column("LEFT"),
    Column("REASON", squeezed=True, least=12),
)
LEFT: Final = "LEFT"
#: How many peers there is room for.
PEERS: Final = 8


@dataclass(frozen=True)
class Look:
    """Requests of one tab with the counts of all, and what stands around them."""

    requests: list[wire.RequestView]
    counts: dict[TabName, int]
    more: bool
    now: int  # the daemon's, milliseconds UTC
    decides: bool
    status: wire.StatusReply
    #: Words of the search that are emoji or signs, which are not looked for.
    not_searched: list[str] = field(default_factory=list)
    peers: list[tuple[str, wire.PeerView]] = field(default_factory=list)  # (interface, peer)


def look(client: Client, tab: TabName, search: str, *, peers: bool) -> Look:
    """Read everything that is shown. Raises JitError."""
    listed = client.list(tab=[tab], limit=MOST, **given(search=search or None, sort=ORDER.get(tab)))
    status = client.status()
    return Look(
        requests=listed["requests"],
        counts=listed["counts"],
        more=bool(listed["next"]),
        now=listed["now"],
        decides=listed["decides"],
        status=status,
        not_searched=listed.get("not_searched", []),
        peers=_peers(client) if peers and status["admin"] else [],
    )


def _peers(client: Client) -> list[tuple[str, wire.PeerView]]:
    found = []
    for one in client.interface_list()["interfaces"]:
        found += [(one["name"], peer) for peer in client.interface_show(one["name"])["peers"]]
    return sorted(found, key=lambda each: -each[1]["last_handshake"])


def row(one: wire.RequestView, now: int) -> tuple[str, ...]:
    """A request as the cells of COLUMNS."""
    left = sentences.time_left(one, now)
    return (
        str(one["id"]),
        one["user"],
        one["network"],
        sentences.status(one),
        times.ago(one["requested"], now),
        sentences.wants(one),
        f"{left:>7} {bar(one, now)}" if left else "",
        one["reason"],
    )


def peer_lines(peers: list[tuple[str, wire.PeerView]], now: int) -> list[str]:
    """As many of the peers as there is room for, and how many more there are."""
    if not peers:
        return ["no peers"]
    shown = peers if len(peers) <= PEERS else peers[: PEERS - 1]
    more = [f"… and {len(peers) - len(shown):,} more: jitctl interface show NAME"] if shown != peers else []
    return [peer_line(name, peer, now) for name, peer in shown] + more


def network_line(one: wire.NetworkStatus, now: int) -> str:
    """A network from its user's side: `office  active  1h 59m left (until 18:00:00 CET)`."""
    match one["state"]:
        case "active" if one["ends"] is not None:
            paused = ", paused" if one["paused"] else ""
            told = f"active{paused}  {times.left(one['ends'] - now)} left (until {times.local(one['ends'], now)})"
        case "scheduled" if one["starts"] is not None:
            told = f"opens in {times.left(one['starts'] - now)} (at {times.local(one['starts'], now)})"
        case "pending":
            told = f"access request {one['id']} pending"
        case "standing":
            told = "open (standing access)"
        case "closed":
            told = f"closed: {clean(one['error'])}"
        case _:
            told = "closed (n: request access)"
    asked = f", request {one['asked']} asks for more time" if one["asked"] is not None else ""
    return f"{clean(one['network']):<15} {told}{asked}{', frozen' if one['frozen'] else ''}"


def peer_line(interface: str, peer: wire.PeerView, now: int) -> str:
    """A peer with its last handshake and what went through it."""
    who = (
        clean(f"{peer['user']}/{peer['device']}") if peer["user"] else f"unmanaged {peer['public_key'][:12]}…"
    )
    seen = times.ago(peer["last_handshake"], now) if peer["last_handshake"] else "never"
    moved = f"{sentences.size(peer['rx_bytes'])} in, {sentences.size(peer['tx_bytes'])} out"
    addresses = " ".join(peer["allowed_ips"]) or "closed"
    return f"{interface:<6}{who:<22}{seen:<16}{moved:<24}{addresses}"
