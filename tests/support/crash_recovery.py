"""A stream of verbs, a kill -9 at a seeded moment, and what has to be true afterwards."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from support.daemon import Daemon


@dataclass
class Acknowledged:
    """What the daemon has said yes to: the last acknowledged status of each request, by id."""

    status: dict[int, str] = field(default_factory=dict)
    sent: int = 0
    #: Verbs that were sent and not answered: each may have happened or not.
    open: dict[int, str] = field(default_factory=dict)
    wrong: list[Any] = field(default_factory=list)


def change_until_killed(daemon: Daemon, user: str, seed: int) -> Acknowledged:
    """Ask, grant, deny, revoke for `user` until the daemon is killed at a moment that `seed` decides."""
    chance = random.Random(seed)
    told = Acknowledged()
    begun = threading.Event()

    def run() -> None:
        while True:
            number = None
            verb = ""
            try:
                verb = "request"
                status, reply = daemon.post("/v1/request", network="office", reason="storm", user=user)
                told.sent += 1
                begun.set()
                if status != 200:
                    told.wrong.append(reply)
                    return
                number = reply["request"]["id"]
                told.status[number] = "pending"
                verb = chance.choice(["grant", "deny"])
                status, reply = daemon.post(f"/v1/{verb}", id=number)
                if status != 200:
                    told.wrong.append(reply)
                    return
                told.status[number] = reply["request"]["status"]
                if verb == "grant":
                    verb = "revoke"
                    status, reply = daemon.post("/v1/revoke", id=number)
                    if status != 200:
                        told.wrong.append(reply)
                        return
                    told.status[number] = reply["request"]["status"]
            except OSError:
                if number is not None:
                    told.open[number] = verb
                return

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30), told.wrong
    # The moment itself is what is tried out: anywhere within some thirty verbs.
    time.sleep(chance.uniform(0, 0.08))
    daemon.kill()
    thread.join(30)
    assert not told.wrong, told.wrong
    return told


#: What a request may be after an unanswered verb, besides what was acknowledged.
AFTER = {"grant": "active", "deny": "denied", "revoke": "revoked"}


def compare(daemon: Daemon, told: Acknowledged) -> None:
    """Every acknowledged verb is there, no event is missing or twice, and nothing else has happened."""
    for number, status in told.status.items():
        code, reply = daemon.get(f"/v1/show?id={number}")
        assert code == 200, reply
        allowed = {status}
        if number in told.open:
            allowed.add(AFTER[told.open[number]])
        assert reply["request"]["status"] in allowed, (
            number,
            status,
            told.open.get(number),
            reply["request"],
        )
        kinds = [event["kind"] for event in reply["events"]]
        wanted = {
            "pending": ["requested"],
            "active": ["requested", "granted"],
            "denied": ["requested", "denied"],
            "revoked": ["requested", "granted", "revoked", "cut_confirmed"],
        }[reply["request"]["status"]]
        # Who grants for a device that they registered themselves is to be reviewed, and that is told once.
        assert kinds.count("unreviewed") <= 1, (number, kinds)
        assert [kind for kind in kinds if kind != "unreviewed"] == wanted, (number, kinds)


def settle(daemon: Daemon, user: str) -> None:
    """End what a storm left open, so that the next one can begin."""
    _, listed = daemon.get(f"/v1/list?user={user}&status=pending&status=active")
    for request in listed["requests"]:
        verb = "deny" if request["status"] == "pending" else "revoke"
        code, reply = daemon.post(f"/v1/{verb}", id=request["id"])
        assert code == 200, reply
