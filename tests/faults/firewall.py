"""What others do to nftables, by mistake or not."""

from random import Random

from faults.agreement import TABLES, elements
from faults.outcome import Outcome
from faults.scene import BACK, played
from support.deployment import Deployment
from support.wait import until

#: A table that is loaded again is empty for a moment: those who are in lose so many milliseconds at most.
REPAIR_MS = 1000.0
SET = "n1-4"  # of the only network


def flushed(deployment: Deployment, chance: Random) -> Outcome:
    """`nft flush ruleset` while a grant runs, and again when it is over: WireGuard alone guards meanwhile."""
    with played(deployment) as scene:
        granted = scene.grant("15s")
        scene.wait(granted.end_ns - chance.randrange(2000, 4000) * 1_000_000)
        _flush(deployment)
        scene.shut(granted.end_ns)
        deployment.ended(granted.number, BACK)
        with scene.recovering("jitd was notified and loaded its table again"):
            _flush(deployment)
            until(lambda: elements(deployment, "inet"), "the table is back", 20)
        scene.told("firewall_repaired")
        scene.silent()
        return scene.finish(others_may_lose_ms=REPAIR_MS)


def flushed_at_the_end(deployment: Deployment, chance: Random) -> Outcome:
    """`nft flush ruleset` within the last half second of a grant: WireGuard has to cut before the table is back."""
    with played(deployment) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(20, 500) * 1_000_000)
        scene.shut(granted.end_ns)
        with scene.recovering("jitd was notified, cut in WireGuard, and loaded its table again"):
            _flush(deployment)
            deployment.ended(granted.number, BACK)
        scene.silent()
        return scene.finish(others_may_lose_ms=REPAIR_MS)


def refusing(deployment: Deployment, chance: Random) -> Outcome:
    """The table is flushed and nft fails for a while: a revoke takes the peer away and says what is wrong."""
    with played(deployment) as scene:
        granted = scene.grant("1h")
        deployment.world.run(["cp", "/usr/sbin/nft", "/root/nft"])
        deployment.world.run(["mount", "--bind", "/bin/false", "/usr/sbin/nft"])
        try:
            deployment.world.run(["/root/nft", "flush", "ruleset"])
            if chance.random() < 0.5:
                until(lambda: _waiting(deployment), "jitd says that nft fails", 40)
            scene.revoke(granted.number)
            scene.shut()
            assert deployment.keys["alice"] not in scene.gateway.peers()
            scene.silent()
            assert any("nft" in line for line in _waiting(deployment)), _waiting(deployment)
            assert "cutting" in scene.gateway.request(granted.number)["marks"]
        finally:
            deployment.world.run(["umount", "/usr/sbin/nft"])
        with scene.recovering("WireGuard cut; the next attempt of jitd loaded the table"):
            until(lambda: not scene.gateway.request(granted.number)["marks"], "nothing is left to cut", 60)
        scene.told("enforcement_failed")
        scene.told("enforcement_recovered")
        scene.silent()
        return scene.finish(others_may_lose_ms=REPAIR_MS)


def element_added(deployment: Deployment, chance: Random) -> Outcome:
    """An element by hand for somebody who has no grant: WireGuard has no such peer, and jitd takes it away."""
    with played(deployment) as scene, scene.recovering("jitd was notified and removed the entry"):
        _by_hand(deployment, "add")
        scene.told("element_removed")
        until(
            lambda: deployment.addresses["alice"] not in elements(deployment, "inet"),
            "the element is gone",
            20,
        )
        scene.silent()
    return scene.finish()


def element_lengthened(deployment: Deployment, chance: Random) -> Outcome:
    """An element by hand that would outlive its grant: jitd shortens it, and the grant ends on time."""
    with played(deployment) as scene:
        granted = scene.grant("15s")
        scene.wait(granted.end_ns - chance.randrange(2000, 4000) * 1_000_000)
        scene.shut(granted.end_ns)
        with scene.recovering("jitd was notified and shortened the entry"):
            _by_hand(deployment, "delete", "add")
            scene.told("element_shortened")
        deployment.ended(granted.number, BACK)
        scene.silent()
        return scene.finish()


def _flush(deployment: Deployment) -> None:
    deployment.world.run(["nft", "flush", "ruleset"])


def _by_hand(deployment: Deployment, *verbs: str) -> None:
    """Change alice's element in both tables, to last an hour."""
    lines = [
        f"{verb} element {family} jitd {SET} {{ {deployment.addresses['alice']}{' timeout 1h' * (verb == 'add')} }}\n"
        for family in TABLES
        for verb in verbs
    ]
    deployment.world.run(["nft", "-f", "-"], given="".join(lines))


def _waiting(deployment: Deployment) -> list[str]:
    found: list[str] = deployment.gateway.get("/v1/status")["gateway"]["waiting"]
    return found
