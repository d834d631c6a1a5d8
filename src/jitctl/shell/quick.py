"""`jitctl list --status pending --count` without Typer: it stands in prompts, and is run whenever one is drawn."""

import json
from collections.abc import Sequence
from typing import Final

from jitctl.api import transport
from jitd.core.errors import JitError

_OPTIONS: Final = {
    "--status": "status",
    "-s": "status",
    "--tab": "tab",
    "--user": "user",
    "-u": "user",
    "--network": "network",
    "-n": "network",
}


def count(words: Sequence[str]) -> str | None:
    """What `list` prints for these words; None where that is for the whole command line to say: anything but a count
    with plain filters, other machines, errors.
    """
    query, socket, as_json = ["count=true"], transport.default_socket(), False
    rest = iter(words)
    for word in rest:
        if word == "--json":
            as_json = True
        elif word == "--socket":
            socket = next(rest, "")
        elif word != "--count":
            name, value = _OPTIONS.get(word), next(rest, "")
            # What means something in a query string, or is no name at all, is not for here.
            if name is None or not value.isascii() or not value.replace("-", "").replace("_", "").isalnum():
                return None
            query.append(f"{name}={value}")
    if not socket or transport.is_elsewhere():
        return None
    try:
        channel = transport.Channel(transport.connect(socket))
        reply = transport.ask(channel, "GET", f"/v1/list?{'&'.join(query)}")
        number = reply["count"]
    except (JitError, KeyError):
        return None
    return json.dumps({"count": number}) if as_json else str(number)
