"""What the daemon needs to know of the machine's own addresses, routes and ports, on one screen.

`host.py` asks the kernel; `EmptyHost` is for dry runs.
"""

from typing import Protocol

from jitd.core.placing import Host


class HostReader(Protocol):
    """The machine as it is now. Both methods block for a bounded time (5 s)."""

    def read(self) -> Host:
        """Its addresses and routes. Raises EnforceError."""

    def port_taken(self, port: int) -> bool:
        """Whether some program has this UDP port, on any address. Raises nothing."""


class EmptyHost:
    """A machine without addresses, routes and programs."""

    def read(self) -> Host:
        """As the port says."""
        return Host()

    def port_taken(self, _port: int) -> bool:
        """As the port says."""
        return False
