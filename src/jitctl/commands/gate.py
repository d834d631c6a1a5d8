"""What ssh runs on a gateway: dial-stdio for jitctl --host, and gate for a shared account."""

import os
import shlex
from typing import Annotated, Final

import typer

from jitctl.api import client
from jitctl.api.pump import pump
from jitctl.api.transport import default_socket
from jitctl.cli.app import settings
from jitctl.cli.shared import usage
from jitctl.render.output import clean
from jitd.core.errors import JitError

#: What may be typed through a gate: nothing that reads a file of the gateway, starts a program or goes elsewhere.
ALLOWED: Final = (
    "request",
    "ensure",
    "wait",
    "status",
    "cancel",
    "pause",
    "resume",
    "release",
    "extend",
    "list",
    "show",
    "events",
    "watch",
    "why",
    "device add",
    "device list",
    "device remove",
    "device config",
    "network list",
    "network show",
)
#: Options that would lead to another jitd.
_ELSEWHERE: Final = ("--socket", "--host", "--profile")


def dial_stdio(context: typer.Context) -> int:
    """Connect standard input and output to jitd's socket. jitctl --host runs it over ssh; there is no need to
    type it.

    Example: ssh gateway jitctl dial-stdio
    """
    return pump(settings(context).socket or default_socket())


def gate(
    context: typer.Context,
    user: Annotated[
        str, typer.Option("--user", metavar="NAME", help="The user, registered with jitctl user add.")
    ],
) -> int:
    """Run a command from ssh for a user of a shared account. It is a forced command in authorized_keys; there
    is no need to type it.

    Example: restrict,command="jitctl gate --user zoe" ssh-ed25519 AAAA… zoe
    """
    typed = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    try:
        words = shlex.split(typed)
    except ValueError:
        raise usage(
            "cannot read the command: a quotation mark is missing", "Write it as for a shell."
        ) from None
    if words[:1] != ["jitctl"] or len(words) == 1:
        raise _refused(typed)
    words = words[1:]
    if words == ["dial-stdio"]:
        return pump(settings(context).socket or default_socket(), user)
    verb = words[0] if words[0] in ALLOWED else " ".join(words[:2])
    if verb not in ALLOWED or any(word.partition("=")[0] in _ELSEWHERE for word in words):
        raise _refused(typed)
    from jitctl.cli.run import main

    client.speaking_for = user
    return main(words)


def _refused(typed: str) -> JitError:
    what = f"{clean(typed)[:60]!r}" if typed else "a shell"
    return JitError(
        "not_permitted",
        f"cannot give you {what} here",
        "Use jitctl with a verb, for example: ssh jit@gateway jitctl status; or on your own machine:"
        " jitctl --host ssh://jit@gateway status",
    )
