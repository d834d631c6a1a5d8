"""Looking for what keeps access from working, or lets somebody around it. Nothing here changes anything."""

from jitd import wire
from jitd.core.errors import JitError
from jitd.enforce.port import EnforceError
from jitd.service.call import Reply, View
from jitd.store import interfaces


def doctor(view: View, query: wire.DoctorQuery) -> Reply:
    """Look at one part of the gateway (`firewall`) just now."""
    view.require_admin("examine the gateway")
    if query["part"] != "firewall":
        raise JitError(
            "bad_request", f"cannot examine {query['part'][:40]!r}", "There is: jitctl doctor firewall"
        )
    return {"part": query["part"], "checks": _firewall(view)}


def look_around(view: View) -> tuple[wire.Check, ...]:
    """What other tables, routes and settings of this machine do to granted traffic."""
    every = interfaces.all_(view.rows)
    pools = {one.name: [pool for pool in (one.pool4, one.pool6) if pool is not None] for one in every}
    ports = {one.name: one.port for one in every}
    try:
        found = view.firewall.look_around(view.rules(view.rows), pools, ports)
    except EnforceError as error:
        return (_check("warning", f"cannot look around: {error}"),)
    return tuple(_check(one.level, one.what, one.fix) for one in found)


def _firewall(view: View) -> list[wire.Check]:
    checks = []
    if view.firewall.active:
        checks.append(
            _check("ok", f"the second layer is {view.firewall.name}: access ends on time by the kernel")
        )
    else:
        checks.append(
            _check(
                "warning",
                'enforce.firewall is "none": access stays open while jitd is dead',
                'set firewall = "nftables" under [enforce] in jitd.toml, then restart jitd',
            )
        )
    if view.backend == "memory":
        checks.append(_check("warning", "the memory backend enforces nothing: it is for dry runs"))
    waiting = view.agreement.waiting()
    checks += [_check("broken", one, "jitd tries again by itself; its log says more") for one in waiting]
    if not waiting:
        checks.append(_check("ok", "the kernel agrees with the store on every interface"))
    for interface in interfaces.all_(view.rows):
        if not interface.enforced:
            fix = f"jitctl interface enforce {interface.name} on"
            checks.append(
                _check("warning", f"{interface.name} is not enforced: its unmanaged peers pass", fix)
            )
    if view.firewall.active and not view.config.enforce.close_local_users:
        checks.append(
            _check(
                "warning",
                "ordinary users of this machine reach what networks open without asking (close_local_users is false)",
                "set close_local_users = true under [enforce] in jitd.toml, then restart jitd",
            )
        )
    around = look_around(view)
    checks += around
    if view.firewall.active and not around:
        checks.append(
            _check("ok", "nothing else on this machine drops granted traffic or gets around the rules")
        )
    return checks


def _check(level: str, what: str, fix: str = "") -> wire.Check:
    return {"level": level, "what": what, "fix": fix}
