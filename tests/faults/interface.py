"""What happens to the WireGuard interface."""

import signal
from random import Random

from faults.outcome import Outcome
from faults.scene import BACK, Scene, played
from support import tunnel
from support.site import Site
from support.wait import until

#: Where the interface itself is gone, everybody waits for it.
ANY_MS = 120_000.0
STRANGER = "c3RyYW5nZXJzdHJhbmdlcnN0cmFuZ2Vyc3RyYW5nZXI="


def deleted(site: Site, chance: Random) -> Outcome:
    """The interface deleted with grants live: it comes back with its peers, and packets pass again."""
    with played(site) as scene:
        granted = scene.grant("1h")
        with scene.recovering("jitd made it again, with its peers"):
            site.world.run(["ip", "link", "delete", "wg0"])
            scene.told("interface_recreated")
        scene.passes()
        _others_are_back(scene)
        scene.revoke(granted.number)
        scene.shut()
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def renamed(site: Site, chance: Random) -> Outcome:
    """The interface renamed with a grant live that ends, and one that is revoked; jitd started again meanwhile."""
    with played(site) as scene:
        granted = scene.grant("8s")
        with scene.recovering("jitd knows it by its index, the firewall by its addresses, too"):
            _rename(site, "wg0", "renamed")
            scene.told("interface_renamed")
        scene.shut(granted.end_ns)
        site.ended(granted.number, BACK)
        scene.silent()
        if chance.random() < 0.5:
            scene.gateway.stop()
            scene.start()
        second = scene.grant("1h")
        scene.revoke(second.number)
        scene.shut()
        scene.silent()
        _rename(site, "renamed", "wg0")
        _others_are_back(scene)
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def renamed_without_jitd(site: Site, chance: Random) -> Outcome:
    """The interface renamed while jitd is killed, before a grant ends: it ends all the same, and jitd finds it."""
    with played(site) as scene:
        granted = scene.grant("8s")
        scene.gateway.stop(signal.SIGKILL)
        _rename(site, "wg0", "renamed")
        scene.wait(granted.end_ns)
        scene.shut(granted.end_ns)
        scene.silent()
        with scene.recovering("jitd found it by its addresses at its start"):
            scene.start()
            site.ended(granted.number, BACK)
        _rename(site, "renamed", "wg0")
        _others_are_back(scene)
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def _rename(site: Site, name: str, new: str) -> None:
    # A kernel before 6.2 renames no interface that is up.
    for line in (f"set {name} down", f"set {name} name {new}", f"set {new} up"):
        site.world.run(["ip", "link", *line.split()])


def process_killed(site: Site, chance: Random) -> Outcome:
    """wireguard-go killed before a grant ends: the interface comes back without that peer."""
    with played(site) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(100, 3000) * 1_000_000)
        with scene.recovering("jitd started it again, with its peers"):
            site.world.run(["pkill", "-KILL", "-f", "wireguard-go .*wg0$"])
            scene.shut(granted.end_ns)
            site.ended(granted.number, BACK)
            scene.told("interface_recreated")
        _others_are_back(scene)
        scene.silent()
        assert site.keys["alice"] not in scene.gateway.peers()
        return scene.finish(others_may_lose_ms=ANY_MS)


def peers_by_hand(site: Site, chance: Random) -> Outcome:
    """`wg set` lets in who has no grant, widens another's addresses, adds a stranger: the firewall stops them all."""
    with played(site) as scene:
        bob = f"{site.addresses['bob']}/32"
        peers = [
            *("peer", site.keys["alice"], "allowed-ips", f"{site.addresses['alice']}/32"),
            *("peer", site.keys["bob"], "allowed-ips", f"{bob},10.9.0.77/32"),
            *("peer", STRANGER, "allowed-ips", "10.9.0.78/32"),
        ]
        with scene.recovering("the firewall let nobody pass; jitd looked and took them away"):
            site.world.run(["wg", "set", "wg0", *peers])
            scene.silent()
            for kind in ("peer_repaired", "stranger_removed"):
                scene.told(kind)
        scene.silent()
        return scene.finish()


def quick_restarted(site: Site, chance: Random) -> Outcome:
    """wg-quick takes an adopted interface down and up, with peers in its file that have no grant."""
    with played(site) as scene:
        granted = scene.grant("8s")
        with scene.recovering("the firewall let nobody else pass; jitd looked and took the peer away"):
            tunnel.down(site.world, "gateway", "wg0")
            tunnel.up(site.world, "gateway", "wg0", site.world.path("/etc/wireguard/wg0.conf").read_text())
            scene.shut(granted.end_ns)
            site.ended(granted.number, BACK)
        _others_are_back(scene)
        scene.silent()
        return scene.finish(others_may_lose_ms=ANY_MS)


def file_loaded(site: Site, chance: Random) -> Outcome:
    """`wg syncconf` with the file of an adopted interface brings the peer of somebody without a grant back."""
    with (
        played(site) as scene,
        scene.recovering("the firewall let nobody pass; jitd looked and took it away"),
    ):
        site.world.run(["bash", "-c", "wg syncconf wg0 <(wg-quick strip wg0)"])
        scene.silent()
        until(lambda: site.keys["alice"] not in scene.gateway.peers(), "the peer is gone", BACK)
    return scene.finish()


def _others_are_back(scene: Scene) -> None:
    for stream in scene.others:
        stream.arrives(BACK)
