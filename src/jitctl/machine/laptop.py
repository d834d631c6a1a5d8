"""What this machine adds to the status of a gateway that it was set up for: its tunnels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jitctl.machine import tunnel
from jitctl.machine.profiles import Profile
from jitctl.machine.tunnel.names import name_of

if TYPE_CHECKING:
    from jitd import wire


@dataclass(frozen=True, slots=True)
class Laptop:
    """A machine with a tunnel of its own, as the gateway of a profile knows it."""

    profile: Profile

    def interface(self, network: wire.NetworkStatus) -> str:
        """What the tunnel to a network is called here."""
        return name_of(self.profile.name, network["interface"])

    def is_up(self, network: wire.NetworkStatus) -> bool:
        """Whether that tunnel is there."""
        return tunnel.is_up(self.interface(network))

    def heard_ms(self, reply: wire.StatusReply) -> int:
        """When the gateway heard from this machine, milliseconds UTC; 0 for never."""
        return reply.get("heard", {}).get(self.profile.device, 0)

    def told(self, reply: wire.StatusReply) -> dict[str, Any]:
        """The status as JSON, with what this machine knows: `tunnels` by network."""
        return {
            **reply,
            "profile": self.profile.name,
            "tunnels": {
                one["network"]: {
                    "interface": self.interface(one),
                    "up": self.is_up(one),
                    "last_handshake": self.heard_ms(reply),
                }
                for one in reply["networks"]
            },
        }


def of(profile: Profile | None) -> Laptop | None:
    """The machine that this is, where a profile is meant that it was set up for."""
    return Laptop(profile) if profile is not None and profile.device else None
