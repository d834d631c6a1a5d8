"""What others do to nftables, by mistake or not."""

from random import Random

from faults.agreement import elements
from faults.outcome import Outcome
from faults.scene import played
from support.site import Site
from support.wait import until

#: A table that is loaded again is empty for a moment: those who are in lose so many milliseconds at most.
REPAIR_MS = 1000.0


def flushed(site: Site, chance: Random) -> Outcome:
    """`nft flush ruleset` while a grant runs, and again when it is over: WireGuard alone guards meanwhile."""
    with played(site) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(1500, 3000) * 1_000_000)
        _flush(site)
        scene.shut(granted.end_ns)
        site.ended(granted.number, 20)
        with scene.recovering("jitd heard of it and loaded its table again"):
            _flush(site)
            until(lambda: elements(site, "inet"), "the table is back", 20)
        scene.told("firewall_repaired")
        scene.silent()
        return scene.finish(others_may_lose_ms=REPAIR_MS)


def _flush(site: Site) -> None:
    site.world.run(["nft", "flush", "ruleset"])
