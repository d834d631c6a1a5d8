"""The policy as a file: export, apply."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import Why, Yes, answer, confirm, show_plan, usage, warn
from jitctl.render import progress
from jitctl.render.output import clean, document, next_step, out, say
from jitd.core.commandline import command
from jitd.core.errors import EXIT_FAILURE
from jitd.core.text import visible_lines

if TYPE_CHECKING:
    from jitd import wire

_LONGEST: Final = 1_000_000  # bytes


def export(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of the terminal."),
    ] = None,
) -> int:
    """Print every network with its rules as a policy file (TOML).

    Example: jitctl policy export --output policy.toml
    """
    reply = settings(context).client().policy_export()

    def tell() -> None:
        if output is None:
            document(reply["text"])
            return
        try:
            output.write_text(visible_lines(reply["text"]), encoding="utf-8")
        except OSError as error:
            raise usage(f"cannot write {output}: {error.strerror}", "Choose another file.") from None
        progress.changed = True
        out(f"wrote {output}")
        next_step(command("policy apply", output))

    return answer(context, reply, tell)


def apply(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The policy file; - reads it from standard input.")
    ],
    yes: Yes = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 if there is a difference.")
    ] = False,
    reason: Why = None,
) -> int:
    """Change the networks to match a policy file, all or nothing. Shows the plan, and asks for confirmation.

    A network that is not in the file is removed.

    Example: jitctl policy apply policy.toml
    """
    text = _read(file)
    client = settings(context).client()
    plan = client.policy_apply(text=text, plan=True)
    if not settings(context).json or not check:
        _show(plan)
    if check or not plan["changes"]:
        status = answer(context, plan, lambda: None if plan["changes"] else out("nothing to change"))
        return EXIT_FAILURE if plan["changes"] else status
    if not yes:
        confirm(
            "Apply it?",
            "cannot continue without confirmation: the policy would change as shown above",
            "Add --yes to apply the plan.",
        )
    reply = client.policy_apply(text=text, confirm=plan["plan"]["token"], reason=reason)
    return answer(context, reply, lambda: out(f"the policy is applied: {_counted(reply)}"))


def _read(file: str) -> str:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            # Never a part of it: what a policy does not name is removed.
            raise usage(
                f"cannot read {clean(file)}: it has more than {_LONGEST} bytes", "Is it a policy file?"
            )
        return data.decode()
    except OSError as error:
        raise usage(
            f"cannot read {clean(file)}: {error.strerror}", "Name a file that you may read."
        ) from None
    except UnicodeDecodeError:
        raise usage(f"cannot read {clean(file)}: it is not UTF-8", "Write it in UTF-8.") from None


def _show(reply: wire.PolicyApplyReply) -> None:
    for change in reply["changes"]:
        name = change["network"]
        match change["sign"]:
            case "+":
                say(clean(f"+ network {name}: {_rules(change['after'])}"))
            case "-":
                say(clean(f"- network {name}: removed, with its grants and requests"))
            case _:
                say(
                    clean(
                        f"~ network {name}: {change['key']} {_value(change['before'])} -> {_value(change['after'])}"
                    )
                )
    # A jitd of before told it for grants alone.
    for wider in () if "reaches" in reply["plan"] else reply["wider"]:
        say(
            clean(
                f"! grant {wider['id']} of {wider['user']} reaches more destinations now: "
                f"{', '.join(wider['more'])}"
            )
        )
    show_plan(reply["plan"])
    warn(reply["plan"]["warnings"])


def _rules(after: object) -> str:
    """What a new network has that is not as usual."""
    from jitd.core import policyfile
    from jitd.core import settings as keys

    usual = keys.plain(policyfile.usual("new", 0))
    assert isinstance(after, dict)
    return "; ".join(f"{key} {_value(value)}" for key, value in after.items() if usual.get(key) != value)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _counted(reply: wire.PolicyApplyReply) -> str:
    named = {sign: {one["network"] for one in reply["changes"] if one["sign"] == sign} for sign in "+~-"}
    words = {"+": "added", "~": "changed", "-": "removed"}
    return ", ".join(f"{len(named[sign])} {words[sign]}" for sign in "+~-" if named[sign])
