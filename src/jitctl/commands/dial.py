"""dial-stdio: the far end of jitctl --host."""

import typer

from jitctl.api.pump import pump
from jitctl.api.transport import default_socket
from jitctl.cli.app import settings


def dial_stdio(context: typer.Context) -> int:
    """Connect standard input and output to jitd's socket. ssh runs it for jitctl --host; people do not need it.

    Example: ssh gateway jitctl dial-stdio
    """
    return pump(settings(context).socket or default_socket())
