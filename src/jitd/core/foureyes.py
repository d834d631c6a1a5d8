"""Four eyes: what one person may not do alone where several have to agree. Pure.

It holds on networks that ask for several approvals, and everywhere with `[policy] four_eyes = true`: a rule that one
administrator could change alone would be a wish.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jitd.core import settings
from jitd.core.firewall import NetworkRules, moved
from jitd.core.model import Actor, Network, Ports

#: Settings whose changes never widen a rule. `widened` decides about every other setting.
NEUTRAL = frozenset(
    {
        "default_duration",
        "min_duration",
        "pending_ttl",
        "reason",
        "reason_min_length",
        "reason_pattern",
        "reason_expected",
        "jit.break_glass_reason_min_length",
    }
)
#: So many people have to agree to a change where four eyes hold, and the network itself asks for fewer.
FEWEST = 2


def holds(network: Network, *, everywhere: bool) -> bool:
    """Whether one person alone may not widen a network's rules, nor decide about what is of their own making there."""
    return everywhere or network.approvals >= FEWEST


def quorum(network: Network, *, everywhere: bool) -> int:
    """How many different people have to agree to a change that widens the rules of a network."""
    return max(network.approvals, FEWEST) if holds(network, everywhere=everywhere) else 1


def counts(actor: Actor) -> bool:
    """Whether a caller is one of several who have to agree: root is so only as whoever logged in and became root."""
    return actor.uid != 0 or is_named_root(actor)


def is_named_root(actor: Actor) -> bool:
    """Whether a caller is root, and the login uid tells who that is."""
    return actor.uid == 0 and bool(actor.login_uid) and actor.login_user not in (None, "root")


def widened(before: Network, after: Network) -> list[str]:
    """The keys of the settings by which somebody may more than before, or with fewer asked: more people, more
    destinations, a longer time. Whatever only takes away is not among them.
    """
    found = {
        "routes": any(
            not any(one.version == old.version and one.subnet_of(old) for old in before.routes)  # type: ignore[arg-type]
            for one in after.routes
        ),
        "ports": bool(before.ports)
        and (not after.ports or not all(_held(one, before.ports) for one in after.ports)),
        "members": _opens(before, after, "members"),
        "approvers": _more(before, after, "approvers"),
        "approvals": after.approvals < before.approvals,
        "max_duration": after.max_duration_ms > before.max_duration_ms,
        "extend_beyond_max": after.extend_beyond_max and not before.extend_beyond_max,
        "jit.enabled": before.jit_enabled and not after.jit_enabled,
        # Whoever is not named any more does not have to ask any more; where nobody is named everybody has to.
        "jit.groups": bool(after.jit_groups)
        and (not before.jit_groups or _more(after, before, "jit_groups")),
        "jit.exempt": _more(before, after, "jit_exempt"),
        "jit.admins_too": before.jit_admins_too and not after.jit_admins_too,
        "jit.hours": bool(before.jit_hours)
        and (not after.jit_hours or not set(after.jit_hours) <= set(before.jit_hours)),
        "jit.break_glass": _more(before, after, "jit_break_glass"),
        "jit.break_glass_max": bool(after.jit_break_glass)
        and after.jit_break_glass_max_ms > before.jit_break_glass_max_ms,
        "jit.break_glass_quota": bool(after.jit_break_glass)
        and after.jit_break_glass_quota > before.jit_break_glass_quota,
        "jit.auto_approve": _approves_more(before, after),
    }
    return [key for key in settings.BY_KEY if key not in NEUTRAL and found[key]]


def around(network: Network, before: Sequence[Network], after: Sequence[Network]) -> list[str]:
    """The names of other networks by which destinations of a network are reached after a change and were not before:
    a more specific route, one on another interface, or what takes over where this network's own is gone.
    """
    found = set[str]()
    old = [one for one in before if one.interface_id == network.interface_id]
    new = [one for one in after if one.interface_id == network.interface_id]
    found |= {
        will for was, will in moved(_rules(old), _rules(new)) if was == network.name and will != network.name
    }
    known = {one.id: one for one in before}
    for one in after:
        if one.interface_id == network.interface_id:
            continue
        was = known.get(one.id)
        if was is not None and (was.routes, was.ports) == (one.routes, one.ports):
            continue
        fresh = [
            route for route in one.routes if was is None or was.ports != one.ports or route not in was.routes
        ]
        if any(
            route.overlaps(mine)
            for route in fresh
            for mine in network.routes
            if route.version == mine.version
        ):
            found.add(one.name)
    return sorted(found)


def _rules(networks: Iterable[Network]) -> list[NetworkRules]:
    return [NetworkRules(id=one.id, name=one.name, routes=one.routes, ports=one.ports) for one in networks]


def _who(network: Network, field: str) -> set[tuple[str, int | None]]:
    uids = network.uids(field)
    return {(one, uids.get(one)) for one in network.named(field)}


def _more(before: Network, after: Network, field: str) -> bool:
    return bool(_who(after, field) - _who(before, field))


def _opens(before: Network, after: Network, field: str) -> bool:
    """As `_more`, for a list that means everybody where it is empty."""
    return bool(getattr(before, field)) and (not getattr(after, field) or _more(before, after, field))


def _held(one: Ports, by: Iterable[Ports]) -> bool:
    return any(
        one.protocol == other.protocol and other.first <= one.first and one.last <= other.last for other in by
    )


def _approves_more(before: Network, after: Network) -> bool:
    """Whether more is approved by rules: some rule after is not within one of its own before, for the same people."""
    left = list(before.jit_auto_approve)
    for rule in after.jit_auto_approve:
        now = _who(replace(after, jit_auto_approve=(rule,)), "jit_auto_approve")
        covers = [
            old
            for old in left
            if now <= _who(replace(before, jit_auto_approve=(old,)), "jit_auto_approve")
            and rule.most_ms <= old.most_ms
            and rule.a_week <= old.a_week
        ]
        if not covers:
            return True
        left.remove(covers[0])
    return False
