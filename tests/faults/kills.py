"""Kills at random moments of a stream of requests, grants, denials and revokes, with packets."""

from pathlib import Path
from random import Random

from faults.outcome import Outcome
from faults.scene import played
from support.deployment import Deployment

#: Packets a second. A thousand, which go before everything else on the machine, would slow each start down.
RATE = 100
#: Two of the 100 packets a second that others send.
ONE_PACKET_MS = 20
TESTS = Path(__file__).resolve().parents[1]


def few_kills(deployment: Deployment, chance: Random) -> Outcome:
    """Ten of them."""
    return _kills(deployment, chance, 10)


def many_kills(deployment: Deployment, chance: Random) -> Outcome:
    """Fifty of them."""
    return _kills(deployment, chance, 50)


def _kills(deployment: Deployment, chance: Random, number: int) -> Outcome:
    with played(deployment, RATE) as scene:
        scene.gateway.stop()
        python = deployment.world.path("/usr/local/bin/jitd").read_text().splitlines()[0].removeprefix("#!")
        file = deployment.streams.directory / f"kills-{scene.calm}"
        seed = chance.randrange(1_000_000)
        done = deployment.world.run(
            [
                *(
                    "env",
                    f"PYTHONPATH={TESTS}:/usr/local/lib/jitctl/src",
                    python,
                    "-m",
                    "faults.kills_inside",
                ),
                *(str(number), str(seed), deployment.keys["alice"], deployment.addresses["alice"], str(file)),
            ],
            check=False,
            seconds=60 + number * 20,
        )
        assert done.returncode == 0, f"seed {seed}: {done.stdout}{done.stderr}"
        requests, unanswered, slowest = done.stdout.split()
        for line in file.read_text().splitlines():
            what, moment = line.split()
            (scene.open if what == "open" else scene.shut)(int(moment))
        scene.start()
        scene.silent()
        scene.trials = number
        scene.recovery = "at its start, jitd reconciled the kernel with the store"
        scene.recovered_ms = float(slowest)
        scene.note = f"{requests} requests, {unanswered} verbs cut short"
        # In some ten thousand packets beside fifty starts of Python, a busy machine loses one by itself; it is told.
    return scene.finish(others_may_lose_ms=ONE_PACKET_MS)
