"""Key pairs that are made on this machine, with wg. Keys go through pipes: arguments can be read by others."""

from __future__ import annotations

from typing import Final

from jitctl.machine import programs
from jitctl.render.output import clean
from jitd.core.errors import JitError

_SECONDS: Final = 10.0


def private_key() -> str:
    """A new private key. Raises JitError bad_request where there is no wg."""
    return _wg("genkey")


def public_key(private: str) -> str:
    """The public half of a private key. Raises JitError bad_request."""
    return _wg("pubkey", private)


def _wg(verb: str, given: str = "") -> str:
    try:
        done = programs.run(["wg", verb], seconds=_SECONDS, given=f"{given}\n" if given else "")
    except FileNotFoundError:
        raise JitError(
            "bad_request",
            "cannot make a key: there is no program wg on this machine",
            "Install wireguard-tools.",
        ) from None
    if done.returncode or not done.stdout.strip():
        raise JitError("bad_request", f"cannot make a key: wg {verb} said: {clean(done.stderr)[:200]}")
    return done.stdout.strip()
