"""Options that the verbs about devices share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jitctl.cli.shared import usage

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The device, if there are several.")]
Interface = Annotated[
    str | None,
    typer.Option(
        "--interface", "-i", metavar="NAME", help="The interface of the configuration, if there are several."
    ),
]

PublicKey = Annotated[
    str | None,
    typer.Option(
        "--public-key",
        "-k",
        metavar="KEY",
        help="The output of wg pubkey on the device; - reads it from standard input.",
    ),
]
Qr = Annotated[
    bool,
    typer.Option(
        "--qr", help="For a phone: make a key here and show it as a QR code; the key is not stored."
    ),
]


def check_qr(*, qr: bool, public_key: str | None, interface: str | None) -> None:
    """Raises JitError bad_request for options that contradict each other."""
    if qr and public_key is not None:
        raise usage("cannot use --qr together with --public-key", "With --qr, jitctl makes the key itself.")
    if interface is not None and not qr:
        raise usage("cannot use --interface without --qr", "A key is the same for all interfaces.")


def given_key(typed: str) -> str:
    """A public key as typed; - reads it from standard input. Raises JitError bad_request."""
    key = sys.stdin.readline(200).strip() if typed == "-" else typed
    if not key:
        raise usage(
            "cannot read a public key: standard input is empty", "Pipe the output of wg pubkey into it."
        )
    return key
