"""Whether the kernel forwards at all, and where to."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from jitd.core.commandline import command, shell
from jitd.diagnostics.firewall.trips import Side, Trip, within
from jitd.enforce.finding import BROKEN, WARNING, Finding
from jitd.enforce.routes import Links, setting

_NO_ROUTE: Final = {
    errno.ENETUNREACH: "has no route",
    errno.EHOSTUNREACH: "has an unreachable route",
    errno.EINVAL: "has a blackhole route",
    errno.EACCES: "has a prohibit route",
}
#: The source address is not one that may come from there.
_SOURCE: Final = (errno.EINVAL, errno.EXDEV)
_KEPT: Final = "   # and a line in /etc/sysctl.d to keep it"


def switched_off(trips: Iterable[Trip]) -> Iterator[Finding]:
    """Forwarding that is off, for all or for a device."""
    forwarded = [trip for trip in trips if not trip.way.error and not trip.way.local]
    for version in (4, 6):
        devices = {
            name: None
            for trip in forwarded
            if trip.side.version == version
            for name in (trip.side.name, trip.way.device)
        }
        if devices:
            yield from _off4(list(devices)) if version == 4 else _off6(list(devices))


def misdirected(side: Side, trips: Sequence[Trip]) -> Iterator[Finding]:
    """Routes of networks that lead nowhere or back, and answers that do not come back to the interface."""
    done: set[str] = set()
    for trip in trips:
        for finding in _there(side, trip):
            if finding.what not in done:
                done.add(finding.what)
                yield finding
    yield from _back(side, trips)


def overlapping(side: Side, links: Links) -> Iterator[Finding]:
    """Routes of this machine through other devices that take a part of the clients' addresses away; one that takes all of
    them shows where the answers go (`misdirected`).
    """
    if side.pool is None:
        return
    for route in links.routes:
        inside = within(route.network, side.pool) and route.network != side.pool
        if inside and route.device != side.name:
            yield Finding(
                level=WARNING,
                what=f"the route {route.network} through {route.device} lies in the pool {side.pool} of "
                f"{side.name}: replies to clients with those addresses go there",
                fix=shell("ip", "route", "del", route.network, "dev", route.device)
                + "   # or another pool: "
                + command("interface set", help=True),
            )


def _off4(devices: Sequence[str]) -> Iterator[Finding]:
    if not setting("ipv4/ip_forward"):
        yield Finding(
            level=BROKEN,
            what="the kernel forwards no IPv4 packets (net.ipv4.ip_forward is 0): granted traffic is not "
            "forwarded",
            fix=f"sysctl -w net.ipv4.ip_forward=1{_KEPT}",
        )
        return
    for name in devices:
        if not setting(f"ipv4/conf/{name}/forwarding"):
            yield Finding(
                level=BROKEN,
                what=f"the kernel forwards no IPv4 packets that come from {name}"
                f" (net.ipv4.conf.{name}.forwarding is 0)",
                fix=shell("sysctl", "-w", f"{_key('ipv4', name)}.forwarding=1") + _KEPT,
            )


def _off6(devices: Sequence[str]) -> Iterator[Finding]:
    if setting("ipv6/conf/all/forwarding"):
        # Then the devices' own switches decide only whether they act as a router's.
        return
    if not all(setting(f"ipv6/conf/{name}/force_forwarding") for name in devices):
        yield Finding(
            level=BROKEN,
            what="the kernel forwards no IPv6 packets (net.ipv6.conf.all.forwarding is 0): granted traffic "
            "is not forwarded",
            fix=f"sysctl -w net.ipv6.conf.all.forwarding=1{_KEPT}",
        )


def _there(side: Side, trip: Trip) -> Iterator[Finding]:
    way = trip.way
    if trip.plain.error and trip.out.error:
        says = _NO_ROUTE.get(trip.plain.error, "has no usable route")
        yield Finding(
            level=BROKEN,
            what=f"the gateway {says} to {trip.route} of {trip.goal.name}",
            fix=f"ip route add {trip.route} via ROUTER",
        )
    elif trip.out.error:
        # Where answers leave elsewhere, that is the cause, and is told as such.
        homeward = side.pool is not None and trip.back.device in ("", side.name)
        if _forwards(side) and (homeward or trip.out.error not in _SOURCE):
            yield _refused(side.name, "clients", str(side.clients), str(trip.route))
    elif way.device == side.name:
        if side.pool is None or within(trip.place, side.pool):
            return
        yield Finding(
            # A route of its own through the interface is there for a site behind a peer, perhaps.
            level=WARNING if way.prefix else BROKEN,
            what=f"the gateway sends traffic for {trip.route} of {trip.goal.name} back into {side.name}"
            + (
                ": correct only if one of its peers has these addresses"
                if way.prefix
                else " (its default route)"
            ),
            fix=f"ip route add {trip.route} via ROUTER",
        )
    elif not way.prefix and trip.route.prefixlen and trip.address.is_private:
        yield Finding(
            level=WARNING,
            what=f"{trip.route} of {trip.goal.name} is reached by the gateway's default route through"
            f" {way.device} only, though the addresses are private",
            fix=f"ip route add {trip.route} via ROUTER",
        )


def _back(side: Side, trips: Sequence[Trip]) -> Iterator[Finding]:
    if side.pool is None:
        return
    done: set[str] = set()
    for trip in trips:
        way = trip.way
        if way.error or way.local or way.device in (side.name, *done):
            continue
        if trip.back.error:
            if _forwards(side, way.device) and not trip.out.error:
                done.add(way.device)
                yield _refused(way.device, "answers", str(trip.place), str(side.pool))
        elif trip.back.device != side.name:
            strict = side.version == 4 and _strict(side.name)
            yield Finding(
                level=BROKEN,
                what=f"the gateway sends traffic for the clients of {side.name} ({side.pool}) out of"
                f" {trip.back.device or 'nowhere'}: replies do not reach them"
                + (
                    ", and their traffic is dropped, because the reverse path filter is strict"
                    if strict
                    else ""
                ),
                fix=f"ip route add {side.pool} dev {side.name}",
            )
            return


def _refused(device: str, who: str, source: str, to: str) -> Finding:
    if ":" not in source and _strict(device):
        return Finding(
            level=BROKEN,
            what=f"the kernel drops {who} from {source} that come from {device} for {to}: its own route to them"
            f" leads elsewhere, and the reverse path filter is strict (rp_filter=1)",
            fix=shell("sysctl", "-w", f"{_key('ipv4', device)}.rp_filter=2") + _KEPT,
        )
    return Finding(
        level=BROKEN,
        what=f"the kernel refuses to forward {who} from {source} that come from {device} for {to}",
        fix="",
    )


def _strict(device: str) -> bool:
    return max(setting("ipv4/conf/all/rp_filter"), setting(f"ipv4/conf/{device}/rp_filter")) == 1


def _forwards(side: Side, *devices: str) -> bool:
    """Whether the kernel would forward at all; if not, that is said already."""
    if side.version == 6:
        return bool(setting("ipv6/conf/all/forwarding"))
    names = (side.name, *devices)
    return bool(setting("ipv4/ip_forward")) and all(setting(f"ipv4/conf/{name}/forwarding") for name in names)


def _key(family: str, device: str) -> str:
    # sysctl takes a dot in a name for a slash, unless it is written as one.
    return f"net.{family}.conf.{device.replace('.', '/')}"
