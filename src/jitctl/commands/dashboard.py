"""dashboard: everything on one screen, live."""

from typing import Annotated

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import interactive, usage
from jitd.core.errors import EXIT_INTERRUPTED, JitError


def dashboard(
    context: typer.Context,
    light: Annotated[bool, typer.Option("--light", help="Use colours for a light background.")] = False,
) -> int:
    """Show requests, grants, peers and events on one screen, live, and decide with single keys.

    1 to 4 choose a tab, / searches, Enter shows a request with its history; the last line names the other
    keys. The mouse works too, also over ssh. Users who are not approvers see their own networks and requests,
    with the time left.

    Example: jitctl dashboard --host ssh://carol@gateway
    """
    if not interactive():
        raise usage("cannot show a dashboard without a terminal", "See jitctl list, or jitctl watch.")
    try:
        from jitctl.dashboard.app import Dashboard
        from jitctl.dashboard.keyboard import Keyboard
    except ImportError as error:
        if not (error.name or "").startswith("textual"):
            raise
        raise JitError(
            "bad_request",
            "cannot show a dashboard: the library Textual is not installed",
            "Install it: pip install 'jitctl[dashboard]'",
        ) from None
    client = settings(context).client()
    client.health()  # who cannot be reached at all is told in the usual words
    shown = Dashboard(client, light=light, keyboard=Keyboard)
    shown.run()
    if shown.return_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    return shown.return_code or 0
