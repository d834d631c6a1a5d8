"""dial-stdio: the far end of jitctl --host."""

import typer

from jitctl.cli import settings
from jitctl.pump import pump
from jitctl.transport import default_socket


def dial_stdio(context: typer.Context) -> int:
    """Connect standard input and output to jitd's socket. ssh runs it for jitctl --host; people do not need it.

    Example: ssh gateway jitctl dial-stdio
    """
    return pump(settings(context).socket or default_socket())
