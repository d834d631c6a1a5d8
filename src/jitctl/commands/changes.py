"""Changes of rules that several have to agree to: list, approve, reject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Yes, answer, planned
from jitctl.render.output import clean, next_step, out

if TYPE_CHECKING:
    from jitd import wire

Number = Annotated[int, typer.Argument(metavar="ID", help="The change.")]
Comment = Annotated[
    str | None, typer.Option("--comment", "-m", metavar="TEXT", help="A comment for the other approvers.")
]


def list_(context: typer.Context) -> int:
    """List the rule changes that wait for approvals.

    Example: jitctl change list
    """
    reply = settings(context).client().change_list()

    def tell() -> None:
        if not reply["changes"]:
            out("no rule change waits for approvals")
            return
        for one in reply["changes"]:
            _show(one)
        waiting = next((one["id"] for one in reply["changes"] if not one["mine"]), None)
        if waiting is not None:
            next_step(f"jitctl change approve {waiting}", f"jitctl change reject {waiting}")

    return answer(context, reply, tell)


def approve(context: typer.Context, number: Number, comment: Comment = None, yes: Yes = False) -> int:
    """Approve a rule change. Shows its effect and asks for confirmation; the last approval that is needed
    applies the change.

    Example: jitctl change approve 3
    """
    client = settings(context).client()
    body = {"id": number, "comment": comment}
    reply = planned(client.change_approve, body, yes=yes, question=f"Approve change {number}?")
    return answer(context, reply, lambda: _told(reply))


def reject(context: typer.Context, number: Number, comment: Comment = None) -> int:
    """Reject a rule change, or withdraw your own. One rejection is enough.

    Example: jitctl change reject 3 --comment "not before the audit"
    """
    reply = settings(context).client().change_reject(id=number, comment=comment)
    return answer(context, reply, lambda: out(clean(f"change {number} is rejected")))


def _told(reply: wire.ChangeApproveReply) -> None:
    one = reply["change"]
    if reply["done"]:
        out(clean(f"change {one['id']} is applied: {'; '.join(one['what'])}"))
        return
    out(clean(f"{len(one['approved_by'])} of {one['quorum']} have approved change {one['id']}"))


def _show(one: wire.ChangeView) -> None:
    from jitctl.cli.moments import shown

    agreed = ", ".join(one["approved_by"]) or "nobody"
    proposed = f"{one['verb']}, proposed by {one['proposed_by']}: {'; '.join(one['what'])}"
    out(f"{one['id']}  {clean(proposed)}")
    why = f"{one['reason']}; " if one["reason"] else ""
    number, quorum, until = len(one["approved_by"]), one["quorum"], shown(one["lapses"])
    state = f"{why}{number} of {quorum} approvals ({agreed}); lapses at {until}"
    out(f"    {clean(state)}")
