"""The second layer: whether it is there, agrees with the store, and nothing else on the machine gets around it."""

from collections.abc import Iterator
from typing import Final

from jitd import wire
from jitd.core.commandline import command
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Examination
from jitd.diagnostics.lines import broken, ok, warning
from jitd.enforce.finding import Finding
from jitd.enforce.port import EnforceError
from jitd.store import interfaces


def _layer(one: Examination) -> Iterator[wire.Check]:
    view = one.view
    if view.backend == "memory":
        yield warning("the memory backend enforces nothing: it is for dry runs")
    elif view.firewall.active:
        yield ok(f"the second layer is {view.firewall.name}: access ends on time by the kernel")
    else:
        yield warning(
            'enforce.firewall is "none": access stays open while jitd is dead',
            'set firewall = "nftables" under [enforce] in jitd.toml, then restart jitd',
        )


def _agreement(one: Examination) -> list[wire.Check]:
    return [*map(broken, one.view.drift.waiting())] or [
        ok("the kernel agrees with the store on every interface")
    ]


def _enforced(one: Examination) -> Iterator[wire.Check]:
    for interface in interfaces.all_(one.view.rows):
        if not interface.enforced:
            fix = command("interface enforce", interface.name, "on")
            yield warning(f"{interface.name} is not enforced: its unmanaged peers pass", fix)


def _local_users(one: Examination) -> Iterator[wire.Check]:
    if one.view.firewall.active and not one.view.config.enforce.close_local_users:
        yield warning(
            "ordinary users of this machine reach the networks without a grant (close_local_users is false)"
        )


def _others(one: Examination) -> Iterator[wire.Check]:
    """What other tables, routes and settings of this machine do to granted traffic."""
    view = one.view
    every = interfaces.all_(view.rows)
    if not every or not view.firewall.active or view.backend == "memory":
        return  # there is no second layer that something could drop or get around
    pools = {one.name: [pool for pool in (one.pool4, one.pool6) if pool is not None] for one in every}
    try:
        found = one.machine.firewall(view.rules(view.rows), pools, {one.name: one.port for one in every})
    except EnforceError as error:
        yield warning(f"cannot examine the firewall: {error}")
        return
    yield from map(_line, found)
    if not found:
        yield ok(
            "packets are forwarded in both directions, and no other rule on this machine drops granted "
            "traffic or bypasses the rules"
        )


def _line(found: Finding) -> wire.Check:
    return (broken if found.level == "broken" else warning)(found.what, found.fix)


CHECKS: Final = (
    Check("firewall", "firewall", "The second layer", "warning", _layer),
    Check(
        "agreement",
        "firewall",
        "Agreement of kernel and store",
        "broken",
        _agreement,
        fix="jitd tries again by itself; see its log",
    ),
    Check("enforced", "firewall", "Interfaces that are not enforced", "warning", _enforced),
    Check(
        "local-users",
        "firewall",
        "Local users of the gateway",
        "warning",
        _local_users,
        fix="set close_local_users = true under [enforce] in jitd.toml, then restart jitd",
    ),
    Check(
        "other-rules",
        "firewall",
        "Other rules, routes and settings of the machine",
        "broken",
        _others,
        watched=True,
    ),
)
