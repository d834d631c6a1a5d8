"""What the engine works with: the machine around it, its clock and its threads."""

from collections.abc import Callable
from dataclasses import dataclass, field

from jitd.core.clock import Clock
from jitd.core.people import Directory
from jitd.diagnostics.machine import Machine
from jitd.enforce.firewallport import Firewall
from jitd.enforce.hostport import HostReader
from jitd.enforce.owner import Owner, find_owner
from jitd.enforce.port import WireGuard
from jitd.engine.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """`machine` is what `doctor` examines beside store and interfaces; None: it says that it cannot."""

    clock: Clock
    wireguard: WireGuard
    firewall: Firewall
    host: HostReader
    directory: Directory
    owner_of: Callable[[str], Owner] = find_owner  # who makes an interface that is adopted
    machine: Machine | None = None
    threads: Threads = field(default_factory=Threads)
