"""Devices whose app reads a QR code: a key is made here, shown once with its file, and kept nowhere."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Final

import typer

from jitctl.cli.app import settings
from jitctl.cli.shared import usage
from jitctl.cli.terminal import key
from jitctl.render.output import clean, control, next_step, out
from jitd.core.commandline import command
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitctl.render.qr import Code
    from jitd import wire

#: Another screen, which leaves nothing in what can be scrolled back to; and the one from before.
_OTHER_SCREEN: Final = "\x1b[?1049h\x1b[H\x1b[2J"
_BACK: Final = "\x1b[2J\x1b[?1049l"
_ADVICE: Final = (
    "Scan the code with the WireGuard app, then press Enter: the code disappears and cannot be shown again. "
    "A photograph of it contains the private key."
)


def add(
    context: typer.Context, name: str, interface: str | None, until_ms: int | None, user: str | None
) -> int:
    """Make a key, register it, and show it with its file."""
    _require_terminal(context)
    from jitctl.machine import keypair

    client = settings(context).client()
    private = keypair.private_key()
    body: wire.DeviceAddBody = {
        "name": name,
        "public_key": keypair.public_key(private),
        "until": until_ms,
        "user": user,
        "interface": interface,
        "config": True,
    }
    planned: wire.DeviceAddBody = {**body, "plan": True}
    _require_room(_code(client.device_add(**planned)["config"], private))
    reply = client.device_add(**body)
    _show(_code(reply["config"], private))
    out(clean(f"{reply['device']['user']}'s device {reply['device']['name']} is registered"))
    _tell(name)
    return 0


def rotate(context: typer.Context, name: str | None, interface: str | None, user: str | None) -> int:
    """Make another key for a device, register it in the place of the one before, and show it with its file."""
    _require_terminal(context)
    from jitctl.machine import keypair

    client = settings(context).client()
    private = keypair.private_key()
    file = client.device_config(name=name, interface=interface, user=user)
    code = _code(file["config"], private)
    _require_room(code)
    reply = client.device_rotate(name=file["device"], public_key=keypair.public_key(private), user=user)
    _show(code)
    out(
        clean(
            f"{reply['device']['user']}'s device {reply['device']['name']} has a new key; the old key has no "
            "access any more"
        )
    )
    _tell(reply["device"]["name"])
    return 0


def _require_terminal(context: typer.Context) -> None:
    """Raises JitError bad_request where a code would not be seen by somebody, or by too many."""
    hint = "Run it in a terminal, where nobody else can see the screen."
    if not (sys.stdout.isatty() and sys.stdin.isatty()) or settings(context).json:
        raise usage("cannot show a QR code without a terminal: it contains the private key", hint)
    try:
        "▀".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        raise usage("cannot show a QR code: this terminal does not use UTF-8", "Set LANG=C.UTF-8.") from None
    if os.environ.get("TERM", "dumb") == "dumb":
        raise usage("cannot show a QR code: this terminal has no colours (TERM=dumb)", hint)


def _code(file: str, private: str) -> Code:
    """The file with the key in it, without comments and blank lines: the code is smaller."""
    from jitctl.machine.tunnel import wanted
    from jitctl.render.qr import Code

    lines = [line for line in wanted.with_key(file, private).splitlines() if line]
    try:
        return Code("\n".join(lines) + "\n")
    except OverflowError:
        raise JitError(
            "refused",
            "cannot show a QR code: the configuration is too long for one; nothing was changed",
            "Fewer routes or search domains make it shorter. Or use the file itself: jitctl device add NAME"
            " --public-key KEY, then jitctl device config NAME",
        ) from None


def _require_room(code: Code) -> None:
    """Raises JitError bad_request when a code does not fit on the terminal as a whole."""
    columns, lines = os.get_terminal_size(sys.stdout.fileno())
    if not columns or not lines:
        return  # it does not say
    needed = code.lines + len(_advice(columns))
    if code.columns > columns or needed > lines:
        raise usage(
            f"cannot show the QR code here: it needs {code.columns} columns and {needed} lines, and this terminal has"
            f" {columns} and {lines}; nothing was changed",
            "Make the window larger or the font smaller (often Ctrl and -), and run it again.",
        )


def _show(code: Code) -> None:
    """Show it until Enter is pressed, and leave nothing of it."""
    columns = os.get_terminal_size(sys.stdout.fileno()).columns or 80
    try:
        control(_OTHER_SCREEN + "\n".join([*code.drawn(), *_advice(columns)]))
        while key("") not in ("\n", ""):
            pass
    except KeyboardInterrupt:
        pass  # it was seen
    finally:
        control(_BACK)


def _advice(columns: int) -> list[str]:
    return textwrap.wrap(_ADVICE, max(20, columns - 1))


def _tell(name: str) -> None:
    out("the private key in the code was made here and is not stored")
    next_step(
        f"{command('device rotate', name)} --qr  shows a new code, if this one was not scanned",
        f"{command('device remove', name)} --lost  if somebody else may have seen it",
    )
