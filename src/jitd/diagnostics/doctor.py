"""Looking for what keeps access from working, or lets somebody around it. Nothing here changes anything.

For administrators the whole gateway, part by part (`registry.py`); for a user whether a network of theirs works
(`reach.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jitd import wire
from jitd.core.errors import JitError
from jitd.core.people import Answer
from jitd.diagnostics import reach, registry
from jitd.diagnostics.examination import Examination, Links
from jitd.diagnostics.registry import PARTS
from jitd.enforce.port import EnforceError, LinkState
from jitd.store import interfaces, networks
from jitd.verbs.context import Call, T, View
from jitd.verbs.lookup import named_network, no_network

#: A verb that examines: it reads, asks other programs and servers, and changes nothing.
ExamineVerb = Callable[[Examination, Any], T]


def needs_links(view: View, query: Mapping[str, Any]) -> bool:
    """Whether the worker has to read interfaces for this. Refuses whom `doctor` would refuse."""
    what = asked(view, query)
    return what.part == "interfaces" or what.network is not None


def links(call: Call, query: wire.DoctorQuery) -> Links:
    """The interfaces that an examination is about, as the worker reads them."""
    what = asked(call, query)
    wanted = interfaces.all_(call.rows)
    if what.network is not None:
        network = named_network(call, what.network)
        wanted = [one for one in wanted if one.id == network.interface_id]
    found: dict[str, LinkState | EnforceError] = {}
    for interface in wanted:
        try:
            state = found[interface.name] = call.wireguard.read(interface.name)
        except EnforceError as error:
            found[interface.name] = error
        else:
            # Whoever connects looks here, and then at their status.
            call.drift.hear(interface.name, state)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be examined: a part of the gateway, a network, or neither: then it is told what there is."""

    part: str | None = None
    network: str | None = None


def asked(view: View, query: Mapping[str, Any]) -> Asked:
    """What a query is about. `part` may be the name of a network: parts go first, for administrators alone.

    Raises JitError not_permitted and not_found.
    """
    part, network = query.get("part"), query.get("network")
    if part is not None and network is not None:
        raise JitError("bad_request", "cannot examine a part and a network together", "Run it once for each.")
    if part is None and network is None:
        return Asked()
    if part in PARTS and view.by_admin:
        return Asked(part=part)
    name = network or part or ""
    there = networks.by_name(view.rows, name)
    known = there is not None and (
        view.decides(there) or view.people.may_use(there, *view.person_behind).answer is not Answer.NO
    )
    if known:
        return Asked(network=name)
    if part in PARTS:
        view.require_admin("examine the gateway")
    missing = no_network(view, name)
    if not view.by_admin:
        raise missing
    raise JitError(
        missing.code, missing.message, missing.hint + f" Parts of the gateway: {', '.join(PARTS)}."
    )


def examined(view: View, query: Mapping[str, Any]) -> None:
    """What a query is about. Raises JitError where the caller may not see it, or not for whom they name."""
    if asked(view, query).network is not None:
        view.subject(query.get("user"))


def doctor(examination: Examination, query: wire.DoctorQuery) -> wire.DoctorReply:
    """Examine one part of the gateway or one network just now; without either, tell what there is to examine."""
    view = examination.view
    what = asked(view, query)
    if what.part is not None:
        checks = registry.examine(what.part, examination)
        return {"now": view.now.wall_ms, "part": what.part, "checks": checks}
    if what.network is not None:
        return reach.examine(view, what.network, query.get("user"), examination.links)
    admin = view.by_admin
    return {
        "now": view.now.wall_ms,
        "part": "",
        "checks": [],
        "parts": list(PARTS) if admin else [],
        "networks": [] if admin else reach.networks_of(view),
    }
