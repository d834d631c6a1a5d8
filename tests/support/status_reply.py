"""A user's answer to status about one network."""

from typing import cast

from jitd import wire

NOW = 1_790_000_000_000
HOUR = 3_600_000


def reply(**network: object) -> wire.StatusReply:
    """A user's answer about one network."""
    usual: wire.NetworkStatus = {
        "network": "office",
        "interface": "wg0",
        "state": "active",
        "paused": False,
        "id": 1,
        "since": NOW,
        "starts": NOW,
        "ends": NOW + HOUR,
        "devices": ["laptop"],
        "asked": None,
        "frozen": False,
        "error": "",
    }
    row = cast("wire.NetworkStatus", {**usual, **network})
    return {"now": NOW, "user": "alice", "admin": False, "networks": [row], "devices": 1}
