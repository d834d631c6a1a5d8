"""What happens to the WireGuard interface."""

import signal
from random import Random

from faults.outcome import Outcome
from faults.scene import BACK, Scene, played
from support import tunnel
from support.deployment import Deployment
from support.wait import until

#: Where the interface itself is gone, everybody waits for it.
ANY_MS = 120_000.0
STRANGER = "c3RyYW5nZXJzdHJhbmdlcnN0cmFuZ2Vyc3RyYW5nZXI="


def deleted(deployment: Deployment, chance: Random) -> Outcome:
    """The interface deleted with grants live: it comes back with its peers, and packets pass again."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        with scene.recovering("jitd created it again, with its peers"):
            deployment.world.run(["ip", "link", "delete", "wg0"])
            scene.told("interface_recreated")
        scene.passes()
        _others_are_back(scene)
        scene.revoke(granted.number)
        scene.shut()
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def renamed(deployment: Deployment, chance: Random) -> Outcome:
    """The interface renamed with a grant live that ends, and one that is revoked; jitd started again meanwhile."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        with scene.recovering("jitd recognised it by its index, the firewall also by its addresses"):
            _rename(deployment, "wg0", "renamed")
            scene.told("interface_renamed")
        scene.shut(granted.end_ns)
        deployment.ended(granted.number, BACK)
        scene.silent()
        if chance.random() < 0.5:
            scene.gateway.stop()
            scene.start()
        second = scene.grant("1h")
        scene.revoke(second.number)
        scene.shut()
        scene.silent()
        _rename(deployment, "renamed", "wg0")
        _others_are_back(scene)
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def renamed_without_jitd(deployment: Deployment, chance: Random) -> Outcome:
    """The interface renamed while jitd is killed, before a grant ends: it ends all the same, and jitd finds it."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        scene.gateway.stop(signal.SIGKILL)
        _rename(deployment, "wg0", "renamed")
        scene.wait(granted.end_ns)
        scene.shut(granted.end_ns)
        scene.silent()
        with scene.recovering("jitd recognised it by its addresses at its start"):
            scene.start()
            deployment.ended(granted.number, BACK)
        _rename(deployment, "renamed", "wg0")
        _others_are_back(scene)
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def _rename(deployment: Deployment, name: str, new: str) -> None:
    # A kernel before 6.2 renames no interface that is up.
    for line in (f"set {name} down", f"set {name} name {new}", f"set {new} up"):
        deployment.world.run(["ip", "link", *line.split()])


def process_killed(deployment: Deployment, chance: Random) -> Outcome:
    """wireguard-go killed before a grant ends: the interface comes back without that peer."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(100, 3000) * 1_000_000)
        with scene.recovering("jitd started it again, with its peers"):
            deployment.world.run(["pkill", "-KILL", "-f", "wireguard-go .*wg0$"])
            scene.shut(granted.end_ns)
            deployment.ended(granted.number, BACK)
            scene.told("interface_recreated")
        _others_are_back(scene)
        scene.silent()
        assert deployment.keys["alice"] not in scene.gateway.peers()
        return scene.finish(others_may_lose_ms=ANY_MS)


def peers_by_hand(deployment: Deployment, chance: Random) -> Outcome:
    """`wg set` lets in who has no grant, widens another's addresses, adds a stranger: the firewall stops them all."""
    with played(deployment) as scene:
        bob = f"{deployment.addresses['bob']}/32"
        peers = [
            *("peer", deployment.keys["alice"], "allowed-ips", f"{deployment.addresses['alice']}/32"),
            *("peer", deployment.keys["bob"], "allowed-ips", f"{bob},10.9.0.77/32"),
            *("peer", STRANGER, "allowed-ips", "10.9.0.78/32"),
        ]
        with scene.recovering("the firewall let nothing pass; jitd found and removed them"):
            deployment.world.run(["wg", "set", "wg0", *peers])
            scene.silent()
            for kind in ("peer_repaired", "stranger_removed"):
                scene.told(kind)
        scene.silent()
        return scene.finish()


def quick_restarted(deployment: Deployment, chance: Random) -> Outcome:
    """wg-quick takes an adopted interface down and up, with peers in its file that have no grant."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        with scene.recovering("the firewall let no other peer pass; jitd found and removed the peer"):
            tunnel.down(deployment.world, "gateway", "wg0")
            tunnel.up(
                deployment.world,
                "gateway",
                "wg0",
                deployment.world.path("/etc/wireguard/wg0.conf").read_text(),
            )
            scene.shut(granted.end_ns)
            deployment.ended(granted.number, BACK)
        _others_are_back(scene)
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def file_loaded(deployment: Deployment, chance: Random) -> Outcome:
    """`wg syncconf` with the file of an adopted interface brings the peer of somebody without a grant back."""
    with (
        played(deployment) as scene,
        scene.recovering("the firewall let nothing pass; jitd found and removed it"),
    ):
        deployment.world.run(["bash", "-c", "wg syncconf wg0 <(wg-quick strip wg0)"])
        scene.silent()
        until(lambda: deployment.keys["alice"] not in scene.gateway.peers(), "the peer is gone", BACK)
    return scene.finish()


def _others_are_back(scene: Scene) -> None:
    for stream in scene.others:
        stream.arrives(BACK)
