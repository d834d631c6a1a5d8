"""Whether the kernel is as the store says, as seen with the programs that an administrator has: wg and nft."""

import re
import time

from support.deployment import Deployment
from support.wait import until

TABLES = ("inet", "netdev")
#: Retries have a backoff of up to 30 s, and peers of an own interface are looked at every 30 s.
SECONDS = 60
_SET = re.compile(r"set (n\d+-[46]) \{([^}]*?)(?:elements = \{([^}]*)\})?\s*\}", re.DOTALL)
_ELEMENT = re.compile(r"^([0-9a-f.:]+) timeout \w+ expires (\w+)$")
_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def disagreement(deployment: Deployment) -> str:
    """What is not as it should be, for people; empty when all agrees.

    A peer and an element for each active grant and for nobody else, no element that lives longer than its grant, and
    nothing that jitd itself waits for.
    """
    gateway = deployment.gateway
    now_ms = time.time() * 1000
    ends: dict[str, float] = {}
    for request in gateway.get("/v1/list?status=active")["requests"]:
        ends[request["user"]] = max(request["ends"], ends.get(request["user"], 0))
    expected = {deployment.keys[user]: [f"{deployment.addresses[user]}/32"] for user in ends}
    if waiting := gateway.get("/v1/status")["gateway"]["waiting"]:
        return f"jitd itself says: {waiting}"
    if (peers := gateway.peers()) != expected:
        return f"WireGuard has {peers}, the store {expected}"
    for family in TABLES:
        found = elements(deployment, family)
        if found.keys() != {deployment.addresses[user] for user in ends}:
            return f"the table {family} has {found}, the store {ends}"
        for user, end_ms in ends.items():
            if found[deployment.addresses[user]] > end_ms - now_ms:
                return f"{family}: {user}'s element has {found[deployment.addresses[user]]} ms, of {end_ms - now_ms}"
    return ""


def agreed(deployment: Deployment, seconds: float = SECONDS) -> None:
    """Wait until all agrees."""
    last = ""

    def agrees() -> bool:
        nonlocal last
        last = disagreement(deployment)
        return not last

    try:
        until(agrees, "kernel and store agree", seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}") from None


def elements(deployment: Deployment, family: str) -> dict[str, int]:
    """Milliseconds left by address, of all networks of a family's table; empty when there is no table."""
    return listed(deployment.world.run(["nft", "list", "table", family, "jitd"], check=False).stdout)


def listed(table: str) -> dict[str, int]:
    """The same from what `nft list table` printed."""
    found = {}
    for _, _, text in _SET.findall(table):
        for entry in filter(None, (part.strip() for part in text.split(","))):
            match = _ELEMENT.match(entry)
            assert match, f"an element without an end: {entry}"
            found[match[1]] = _milliseconds(match[2])
    return found


def _milliseconds(spelled: str) -> int:
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[dhms])", spelled))
