"""Key pairs that are made on this machine, with wg. Keys go through pipes: arguments can be read by others."""

from __future__ import annotations

import shutil
import subprocess

from jitctl.render.output import clean
from jitd.core.errors import JitError


def private_key() -> str:
    """A new private key. Raises JitError bad_request where there is no wg."""
    return _wg("genkey")


def public_key(private: str) -> str:
    """The public half of a private key. Raises JitError bad_request."""
    return _wg("pubkey", private)


def _wg(verb: str, given: str = "") -> str:
    program = shutil.which("wg")
    if program is None:
        raise JitError(
            "bad_request",
            "cannot make a key: there is no program wg on this machine",
            "Install wireguard-tools.",
        )
    done = subprocess.run(  # noqa: S603 - the words are ours
        [program, verb],
        input=f"{given}\n" if given else "",
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        raise JitError("bad_request", f"cannot make a key: wg {verb} said: {clean(done.stderr)[:200]}")
    return done.stdout.strip()
