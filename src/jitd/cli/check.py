"""`jitd check`: what a valid configuration still needs of the machine before jitd can run with it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jitd import wire
from jitd.cli import stop
from jitd.core import policyfile
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.firewall import NetworkRules, ambiguous
from jitd.diagnostics import registry
from jitd.diagnostics.checks.files import state_dir_problem
from jitd.diagnostics.examination import Alone
from jitd.enforce.choose import choose, choose_firewall
from jitd.enforce.port import EnforceError
from jitd.identity import nss
from jitd.reconcile.firewall import network_rules


def problems(config: Config) -> list[str]:
    """One sentence for each thing that would keep jitd from running, or administrators from administering."""
    found = []
    if problem := state_dir_problem(config.daemon.state_dir):
        found.append(f"[daemon] state_dir: {problem[0]}. {problem[1]}")
    for group in config.daemon.admin_groups:
        try:
            if nss.group_by_name(group) is None:
                found.append(f"[daemon] admin_groups: there is no group {group}: groupadd --system {group}")
        except nss.Unavailable as error:
            found.append(f"[daemon] admin_groups: the group {group} cannot be looked up: {error}")
    try:
        choose(config.enforce.backend, config.enforce.wireguard_go).close()
    except EnforceError as error:
        found.append(f"[enforce] backend: {error}")
    try:
        enforce = config.enforce
        choose_firewall(enforce.firewall, enforce.backend, closed=None, boot_ms=lambda: 0).close()
    except EnforceError as error:
        found.append(
            f'[enforce] firewall: {error}; firewall = "none" works without it, but leaves access open while '
            "jitd is dead"
        )
    return found


def examine(config: Config, path: Path) -> Iterator[wire.Check]:
    """What the machine looks like without asking a jitd, which may be dead: one line for each thing, part by part.

    What `problems` says is not said again. Blocks for some 20 seconds at most.
    """
    pid = None
    with contextlib.suppress(JitError):
        pid = stop.running(config.daemon.state_dir) or None
    yield from registry.alone(Alone(config=config, path=path, pid=pid))


def policy_problems(path: Path) -> tuple[list[str], int]:
    """(one sentence for each thing that is wrong with a policy file, with its line; how many cases it has).

    Raises JitError bad_request when it cannot be read at all, or has a wrong line.
    """
    try:
        policy = policyfile.read(path.read_text("utf-8"))
    except OSError as error:
        raise JitError(
            "bad_request", f"cannot read {path}: {error.strerror}", "Name a file that you may read."
        ) from error
    except UnicodeDecodeError as error:
        raise JitError("bad_request", f"cannot read {path}: it is not UTF-8", "Write it in UTF-8.") from error
    networks = [policyfile.network(entry, policyfile.usual(entry.name, 0)) for entry in policy.entries]
    found = []
    by_interface: dict[str, list[NetworkRules]] = {}
    for entry, network in zip(policy.entries, networks, strict=True):
        by_interface.setdefault(entry.interface, []).append(network_rules(network))
    for rules in by_interface.values():
        unclear = ambiguous(rules)
        if unclear is not None:
            one, other, route = unclear
            found.append(
                f"the route {route} is in both {one.name} and {other.name}: it is not clear which network "
                "applies"
            )
    return found + policyfile.failures(networks, policy.cases), len(policy.cases)
