"""Options that the verbs about devices share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jitctl.cli.shared import usage

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The device, if there are several.")]
Interface = Annotated[
    str | None,
    typer.Option("--interface", "-i", metavar="NAME", help="With --qr: the interface, if there are several."),
]


def given_key(typed: str) -> str:
    """A public key as typed; - reads it from standard input. Raises JitError bad_request."""
    key = sys.stdin.readline(200).strip() if typed == "-" else typed
    if not key:
        raise usage(
            "cannot read a public key: standard input is empty", "Pipe the output of wg pubkey into it."
        )
    return key
