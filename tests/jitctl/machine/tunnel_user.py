"""A user at a desk: brings tunnels up and down as the lines of its standard input say. No private key is an argument.

Each line is a JSON object: `verb` (a method of NetworkManager, take_down or manager), and for a tunnel the gateway's `file`,
this machine's `public_key` and `private_key`. For each, a line with `result`, or with `code`, `message` and `hint`.
"""

import json
import sys
from typing import Any

from jitctl.machine.tunnel import wanted
from jitctl.machine.tunnel.manager import manager, take_down
from jitctl.machine.tunnel.networkmanager import NetworkManager
from jitd.core.errors import JitError


def done(verb: str, name: str, asked: dict[str, str]) -> Any:
    """Do it. Raises JitError."""
    by = NetworkManager()
    if verb == "manager":
        return manager(asked.get("kind", "")).name
    if verb == "take_down":
        return take_down(name)
    if verb == "down":
        return by.down(name)
    tunnel = wanted.read(asked["file"], name=name, public_key=asked["public_key"])
    return by.is_as(tunnel) if verb == "is_as" else by.up(tunnel, asked["private_key"])


for line in sys.stdin:
    words = json.loads(line)
    try:
        answer = {"result": done(words["verb"], words["name"], words)}
    except JitError as error:
        answer = {"code": error.code, "message": error.message, "hint": error.hint}
    print(json.dumps(answer), flush=True)
