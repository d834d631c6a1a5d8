"""Users from a real LDAP directory, which is stopped while they are connected."""

from pathlib import Path

import pytest

from support import tunnel
from support.deployment import Deployment, deployment
from support.ldap import Ldap
from support.wait import until

pytestmark = pytest.mark.root


def _laptop(place: Deployment, user: str, where: str) -> None:
    """A laptop of somebody who has no home on the gateway: carol registers it; alice's or bob's machine is where it is."""
    key = tunnel.key_pair(place.world, where, where)
    gateway = place.gateway
    gateway.jitctl("carol", "device", "add", "laptop", "--user", user, "--public-key", "-", given=f"{key}\n")
    config = gateway.jitctl("carol", "device", "config", "laptop", "--user", user)
    place.addresses[where] = tunnel.address(config)
    tunnel.up(place.world, where, f"{where}0", tunnel.put_key(place.world, where, config))


def _warnings(place: Deployment) -> str:
    return "; ".join(place.gateway.json("root", "status")["gateway"]["warnings"])


def test_a_directory_that_does_not_answer(tmp_path: Path) -> None:
    """While it is gone, grants go on, standing access keeps its last answer, status warns, and nothing new opens; when it
    is back, everything works again.
    """
    with deployment(tmp_path) as place:
        world, gateway = place.world, place.gateway
        gateway.stop()
        ldap = Ldap(
            world,
            tmp_path / "ldap.log",
            users={"lena": 71001, "luis": 71002, "lars": 71003},
            groups={"remote": ["lena", "luis", "lars"], "trusted": ["luis"]},
        )
        gateway.start()
        rules = ["members=@remote", "jit.exempt=@trusted"]
        gateway.jitctl("carol", "network", "set", "office", *rules, "--yes")
        _laptop(place, "lena", "alice")
        _laptop(place, "luis", "bob")
        gateway.jitctl(
            "carol", "request", "office", "--user", "lena", "--reason", "on the road", "--duration", "2h"
        )
        gateway.jitctl("root", "grant", "1")
        streams = [place.both_ways("alice", rate=100)[0], place.both_ways("bob", rate=100)[0]]
        for stream in streams:
            stream.arrives(20)

        ldap.stop()
        until(lambda: "cannot look up lena, luis" in _warnings(place), "status warns", seconds=60)
        until(lambda: not ldap.knows("lars"), "nobody answers", seconds=20)
        refused = gateway.refusal("carol", "request", "office", "--user", "lars", "--reason", "me too")
        assert (refused.status, "cannot look up" in refused.stderr) == (1, True)
        # Another whole round of checks goes by: 30 seconds of packets.
        for stream in streams:
            count = len(stream.sent())
            until(lambda s=stream, c=count: len(s.sent()) > c + 3200, "a check goes by", seconds=60)  # type: ignore[misc]  # a loop's value, which a default binds
            stream.arrives(2)
        assert gateway.request(1)["status"] == "active"
        gateway.jitctl("carol", "revoke", "1", "--reason", "closing works all the same")
        assert streams[0].silent(100)

        ldap.start()
        until(lambda: "cannot look up" not in _warnings(place), "the warning is gone", seconds=60)
        gateway.jitctl("carol", "request", "office", "--user", "lena", "--reason", "again")
        streams[1].arrives(2)
