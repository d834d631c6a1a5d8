"""The parts of the gateway that doctor examines for administrators, one function for each."""

import shlex
from collections.abc import Callable, Mapping
from typing import Final

from jitd import wire
from jitd.core import durations, parsing
from jitd.core.commandline import jitctl, shell
from jitd.core.model import Interface
from jitd.core.people import Answer
from jitd.core.text import clean
from jitd.diagnostics import ownersfile
from jitd.diagnostics.checks.lines import broken, ok, unknown, warning
from jitd.diagnostics.examination import Examination, Machine
from jitd.enforce.port import EnforceError, InterfaceGone, LinkState
from jitd.store import accounts, devices, facts, interfaces, networks, outbox, restored, unreadable
from jitd.verbs import deciding, placing, restoring, rules
from jitd.verbs.context import View

#: The wall clock against the boot clock since the start: what is less was set gently, second by second.
_STEP_MS: Final = 2000
_HIGH_WATER: Final = "wall_high_ms"
_AGAIN: Final = "jitd tries again by itself; its log says more: journalctl -u jitd"


def look_around(view: View, machine: Machine) -> tuple[wire.Check, ...]:
    """What this machine does to granted traffic, or behind jitd's back: for status."""
    files = [line for one in interfaces.all_(view.rows) for line in ownersfile.look(view, one)]
    return (*files, *_around(view, machine))


def _around(view: View, machine: Machine) -> tuple[wire.Check, ...]:
    """What other tables, routes and settings of this machine do to granted traffic."""
    if not view.firewall.active or view.backend == "memory":
        return ()  # there is no second layer that something could drop or get around
    every = interfaces.all_(view.rows)
    pools = {one.name: [pool for pool in (one.pool4, one.pool6) if pool is not None] for one in every}
    ports = {one.name: one.port for one in every}
    try:
        found = machine.firewall(view.rules(view.rows), pools, ports)
    except EnforceError as error:
        return (warning(f"cannot look around: {error}"),)
    return tuple({"level": one.level, "what": one.what, "fix": one.fix} for one in found)


def _config(one: Examination) -> list[wire.Check]:
    return [*one.machine.config(one.view.config), *_groups(one.view), *_deciders(one.view)]


def _groups(view: View) -> list[wire.Check]:
    """Whether those who administer can."""
    groups = view.config.daemon.admin_groups
    if not groups:
        return [
            warning(
                "only root administers this gateway: [daemon] admin_groups is empty",
                'set admin_groups = ["GROUP"] in jitd.toml, then type: systemctl reload jitd',
            )
        ]
    found = []
    for group in groups:
        match view.people.directory.group_exists(group):
            case Answer.NO:
                found.append(
                    broken(
                        f"[daemon] admin_groups: there is no group {group}",
                        f"groupadd --system {shlex.quote(group)}",
                    )
                )
            case Answer.UNAVAILABLE:
                found.append(
                    broken(
                        f"the admin group {group} cannot be looked up: who administers is not known",
                        f"{shell('getent', 'group', group)} # shows when it can be again",
                    )
                )
    return found or [ok(f"the admin groups are there: {', '.join(groups)}")]


def _deciders(view: View) -> list[wire.Check]:
    """The networks where too few people are left who may decide."""
    found = []
    for network in networks.all_(view.rows):
        why = deciding.shortage(view.rows, view.people, network)
        if why:
            found.append(broken(why, jitctl("network", "set", network.name, "approvers+=@GROUP")))
    return found


def _socket(one: Examination) -> list[wire.Check]:
    return one.machine.socket(one.view.config)


def _store(one: Examination) -> list[wire.Check]:
    unrecorded = [broken(said, "df -h; journalctl -u jitd") for said in one.view.drift.unrecorded]
    if (doubted := restored.current(one.view.rows)) is not None:
        unrecorded.append(broken(restoring.sentence(doubted), "jitctl accept-restored"))
    return [*one.machine.store(one.view.config), *unrecorded]


def _clock(one: Examination) -> list[wire.Check]:
    found = one.machine.clock()
    behind_ms = (facts.get(one.view.rows, _HIGH_WATER) or 0) - one.view.now.wall_ms
    if behind_ms > 0:
        found.append(
            broken(
                f"the clock is {durations.show(behind_ms)} behind what it was: grants of an earlier boot, and those in"
                " advance, stay closed until it is right, or (if it was wrong before) are revoked and granted anew",
                "timedatectl set-ntp true # or: date --set '…'",
            )
        )
    if abs(one.stepped_ms) >= _STEP_MS:
        way = "forward" if one.stepped_ms > 0 else "back"
        found.append(
            warning(
                f"the clock was set {way} by {durations.show(abs(one.stepped_ms))} since jitd started: ends of grants"
                " are kept by the boot clock, dates of people and devices by this one",
                "journalctl -u systemd-timesyncd -u chrony -u ntpsec # who set it",
            )
        )
    else:
        found.append(ok("the clock was not set since jitd started"))
    return found


def _interfaces(one: Examination) -> list[wire.Check]:
    view = one.view
    every = interfaces.all_(view.rows)
    found = [_backend(view.backend)]
    if not every:
        found.append(
            warning(
                "there is no interface yet",
                "jitctl interface add wg0 --pool 10.9.0.0/24 --endpoint HOST:51820",
            )
        )
    for interface in every:
        found += [
            *_interface(view, interface, one.links.get(interface.name)),
            *ownersfile.look(view, interface),
        ]
    return [*found, *_unreadable(view)]


def _unreadable(view: View) -> list[wire.Check]:
    """Values of an older jitd, or of a file that was edited, which are stored and not used."""
    fixes = {
        ("network", "route"): "jitctl network set {} --route CIDR",
        ("interface", "pool"): "jitctl interface set {} --pool CIDR",
        ("interface", "endpoint"): "jitctl interface set {} --endpoint HOST:PORT",
        ("interface", "DNS server"): "jitctl interface set {} --dns ADDRESS",
        ("device", "address"): "jitctl device remove {} # and register it again",
    }
    return [
        broken(
            f"the {one.noun} {one.name} has a {one.what} that cannot be read, and is not used: {clean(one.value)[:80]!r}",
            fixes[one.noun, one.what].format(shell(one.name)),
        )
        for one in unreadable.all_(view.rows)
    ]


def _backend(name: str) -> wire.Check:
    match name:
        case "memory":
            return warning(
                "the memory backend enforces nothing: it is for dry runs",
                'set backend = "auto" under [enforce] in jitd.toml, then restart jitd',
            )
        case "userspace":
            return ok("WireGuard is wireguard-go, a process for each interface")
        case _:
            return ok("WireGuard is the kernel's own")


def _interface(view: View, interface: Interface, link: LinkState | EnforceError | None) -> list[wire.Check]:
    name = interface.name
    up = f"wg-quick up {name} # or whatever made it" if interface.adopted else _AGAIN
    if link is None:
        return [unknown(f"{name} was not read")]
    if isinstance(link, InterfaceGone):
        return [broken(f"{name} is gone: nobody passes through it", up)]
    if isinstance(link, EnforceError):
        return [broken(f"{name} cannot be read: {link}", "journalctl -u jitd")]
    found = []
    if link.name != name:
        called = clean(link.name)
        found.append(
            warning(
                f"{name} is called {called} on this machine: it is guarded under both names, and by its addresses",
                "; ".join(
                    shell("ip", "link", "set", *words)
                    for words in ((called, "down"), (called, "name", name), (name, "up"))
                ),
            )
        )
    if not link.up:
        found.append(broken(f"{name} is down: nobody passes through it", f"ip link set {name} up"))
    if link.public_key != interface.public_key:
        found.append(
            broken(
                f"{name} has another key than the one that clients were given: no client of it can connect",
                f"put the old key back where {name} is made, or give out new files: jitctl device config"
                if interface.adopted
                else _AGAIN,
            )
        )
    if link.port != interface.port:
        found.append(
            broken(
                f"{name} listens on UDP port {link.port} and not on {interface.port}, which clients were given",
                f"wg set {name} listen-port {interface.port}" if interface.adopted else _AGAIN,
            )
        )
    found += [
        broken(
            one, f"give one of them another address where {name} is made, then: wg show {name} allowed-ips"
        )
        for one in placing.doubles(view, interface)
    ]
    if not interface.endpoint:
        found.append(
            warning(
                f"{name} has no endpoint: files for clients do not say where to connect",
                f"jitctl interface set {name} --endpoint HOST:{interface.port}",
            )
        )
    found += _called(interface)
    if not networks.of_interface(view.rows, interface.id):
        found.append(
            warning(f"{name} has no network yet", f"jitctl network add NAME --interface {name} --route …")
        )
    if not any(one["level"] == "broken" for one in found):
        found.insert(
            0,
            ok(
                f"{name} is up on UDP port {link.port} with the key that clients have; peers: {len(link.peers)}"
            ),
        )
    return found


def _called(interface: Interface) -> list[wire.Check]:
    """Whether clients call where it listens."""
    if not interface.endpoint:
        return []
    outer = parsing.endpoint(interface.endpoint)
    if outer.port == interface.port:
        return []
    here = parsing.Endpoint(outer.host, interface.port)
    return [
        warning(
            f"clients are told to call UDP port {outer.port} ({outer}), and {interface.name} listens on {interface.port}: right only"
            " where something in between forwards the one to the other",
            jitctl("interface", "set", interface.name, options=["--endpoint", here]),
        )
    ]


def _firewall(one: Examination) -> list[wire.Check]:
    view = one.view
    every = interfaces.all_(view.rows)
    found = []
    if view.backend == "memory":
        found.append(warning("the memory backend enforces nothing: it is for dry runs"))
    elif view.firewall.active:
        found.append(ok(f"the second layer is {view.firewall.name}: access ends on time by the kernel"))
    else:
        found.append(
            warning(
                'enforce.firewall is "none": access stays open while jitd is dead',
                'set firewall = "nftables" under [enforce] in jitd.toml, then restart jitd',
            )
        )
    waiting = view.drift.waiting()
    found += [broken(said, "jitd tries again by itself; its log says more") for said in waiting]
    if not waiting:
        found.append(ok("the kernel agrees with the store on every interface"))
    for interface in every:
        if not interface.enforced:
            fix = f"jitctl interface enforce {interface.name} on"
            found.append(warning(f"{interface.name} is not enforced: its unmanaged peers pass", fix))
    if view.firewall.active and not view.config.enforce.close_local_users:
        found.append(
            warning(
                "ordinary users of this machine reach what networks open without asking (close_local_users is false)",
                "set close_local_users = true under [enforce] in jitd.toml, then restart jitd",
            )
        )
    around = _around(view, one.machine)
    found += around
    if view.backend != "memory" and view.firewall.active and every and not around:
        found.append(
            ok(
                "packets are forwarded and find their way back, and nothing else on this machine drops granted"
                " traffic or gets around the rules"
            )
        )
    return found


def _sshd(one: Examination) -> list[wire.Check]:
    view = one.view
    if view.backend == "memory":
        return [ok("the memory backend closes nothing that a login over ssh could get around")]
    closed = view.firewall.active and view.config.enforce.close_local_users
    users = [
        account.name
        for account in devices.owners(view.rows)
        if not account.is_registered and not view.admin(account.name, account.uid)
    ]
    return one.machine.sshd(users, closed=closed)


def _mail(one: Examination) -> list[wire.Check]:
    view = one.view
    found = one.machine.mail(view.config)
    if view.config.chat.urls:
        names = ", ".join(view.config.chat.urls)
        found.append(
            unknown(f"rooms ({names}) cannot be tried without a message", "jitctl notify test --help")
        )
    waiting = outbox.counts(view.rows).waiting if view.config.tells else 0
    why = (
        next((message.error for message in outbox.waiting(view.rows, 50) if message.error), "")
        if waiting
        else ""
    )
    if why:
        found.append(warning(f"{waiting} messages wait to be delivered: {why}", "jitctl outbox list"))
    return found


def _people(one: Examination) -> list[wire.Check]:
    """Those who are gone, and rules that name them."""
    view = one.view
    found = [
        warning(f"{stale.network}: {stale.key} names {stale.name}, and {stale.why}", stale.command)
        for stale in rules.stale(view.rows, view.people)
    ]
    for account in accounts.at_stake(view.rows):
        if account.suspended_ms is None:
            continue
        label, since = view.label(account), durations.show(max(0, view.now.wall_ms - account.suspended_ms))
        there = view.people.there(account, view.now)
        mine = [device.name for device in devices.of_account(view.rows, account.id)]
        removing = jitctl("device", "remove", mine[0], "--user", label) if mine else ""
        if account.suspended_in_fault:
            found.append(
                warning(
                    f"{label} was lost by the directory with others, {since} ago: closed until it is back"
                )
            )
        elif account.is_retired(view.now.wall_ms):
            if there:
                fix = f"{jitctl('user', 'confirm', operands=[label])} # if it is the same person"
                found.append(
                    warning(f"{label} is back, and was away for too long: closed until confirmed", fix)
                )
            else:
                found.append(warning(f"devices of {label} are retired: {there.why}", removing))
        elif not there:
            found.append(warning(f"devices of {label} are suspended for {since}: {there.why}", removing))
    return found or [ok("everybody whom rules name, and everybody who has a device, is there")]


def _files(one: Examination) -> list[wire.Check]:
    return one.machine.files(one.view.config)


#: The parts of the gateway, in the order in which they are examined.
PARTS: Final[Mapping[str, Callable[[Examination], list[wire.Check]]]] = {
    "config": _config,
    "socket": _socket,
    "store": _store,
    "clock": _clock,
    "interfaces": _interfaces,
    "firewall": _firewall,
    "sshd": _sshd,
    "people": _people,
    "mail": _mail,
    "files": _files,
}
