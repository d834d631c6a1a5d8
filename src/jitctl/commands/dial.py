"""dial-stdio: the far end of jitctl --host."""

import typer

from jitctl.api.pump import pump
from jitctl.api.transport import default_socket
from jitctl.cli.app import settings


def dial_stdio(context: typer.Context) -> int:
    """Connect standard input and output to jitd's socket. jitctl --host runs it over ssh; there is no need to
    type it.

    Example: ssh gateway jitctl dial-stdio
    """
    return pump(settings(context).socket or default_socket())
