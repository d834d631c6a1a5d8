"""WireGuard keys as text."""

import base64
import binascii
from typing import Final

from jitd.core.errors import JitError

KEY_BYTES: Final = 32


def public_key(text: str) -> str:
    """A public key in its one canonical spelling: base64 of 32 bytes. Raises JitError bad_request."""
    hint = "Type what wg pubkey prints: 44 characters that end with =."
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise JitError("bad_request", "cannot use this public key: it is not base64", hint) from None
    if len(raw) != KEY_BYTES:
        raise JitError(
            "bad_request", f"cannot use this public key: it has {len(raw)} bytes, not {KEY_BYTES}", hint
        )
    canonical = base64.b64encode(raw).decode()
    if canonical != text.strip():
        # The last character carries unused bits: two spellings of one key would be two devices.
        raise JitError("bad_request", "cannot use this public key: its last character has stray bits", hint)
    if not any(raw):
        raise JitError("bad_request", "cannot use this public key: it is all zeros", hint)
    return canonical
