"""What happens to the daemon itself: killed, stopped, started under another boot clock."""

import signal
from random import Random

from faults.outcome import Outcome
from faults.scene import played
from support.site import Site


def killed_before_expiry(site: Site, chance: Random) -> Outcome:
    """kill -9 up to two seconds before a grant ends, and a start after it."""
    with played(site) as scene:
        granted = scene.grant("8s")
        scene.wait(granted.end_ns - chance.randrange(50, 2000) * 1_000_000)
        scene.gateway.stop(signal.SIGKILL)
        scene.shut(granted.end_ns)
        scene.wait(granted.end_ns + chance.randrange(100, 1500) * 1_000_000)
        scene.silent()
        with scene.recovering("the kernel cut; a start recorded it"):
            scene.gateway.start()
            site.ended(granted.number, 20)
        return scene.finish()


def stopped_across_expiry(site: Site, chance: Random) -> Outcome:
    """SIGSTOP before a grant ends, SIGCONT after it."""
    with played(site) as scene:
        granted = scene.grant("8s")
        daemon = scene.gateway.daemon
        assert daemon is not None
        scene.wait(granted.end_ns - chance.randrange(20, 2000) * 1_000_000)
        daemon.send(signal.SIGSTOP)
        scene.shut(granted.end_ns)
        scene.wait(granted.end_ns + chance.randrange(100, 1500) * 1_000_000)
        scene.silent()
        with scene.recovering("the kernel cut; jitd recorded it when it went on"):
            daemon.send(signal.SIGCONT)
            # nsenter stops with its program, and has to be woken by itself.
            daemon.popen.send_signal(signal.SIGCONT)
            site.ended(granted.number, 20)
        return scene.finish()
