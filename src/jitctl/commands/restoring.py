"""After the store was restored from an older copy."""

from __future__ import annotations

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Yes, answer, planned
from jitctl.render.output import out


def accept_restored(context: typer.Context, yes: Yes = False) -> int:
    """Reopen access after the store was restored from an older copy. Shows who gets access again, and asks
    for confirmation.

    Grants that were revoked and keys that were reported lost after the copy was made are valid in it. End
    those first with jitctl revoke, jitctl device remove --lost and jitctl user disable.

    Example: jitctl accept-restored
    """
    client = settings(context).client()
    reply = planned(client.accept_restored, {}, yes=yes, question="Reopen their access?")

    def tell() -> None:
        out("the restored store is accepted: its grants, keys and accounts are valid again")

    return answer(context, reply, tell)
