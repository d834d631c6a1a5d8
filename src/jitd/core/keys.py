"""WireGuard keys as people type them."""

from jitd.core import parsing
from jitd.core.errors import JitError


def public_key(text: str) -> str:
    """A public key in its one canonical spelling: base64 of 32 bytes. Raises JitError bad_request."""
    try:
        return parsing.key(text.strip())
    except ValueError as error:
        raise JitError(
            "bad_request",
            f"cannot use this public key: {error}",
            "Type the output of wg pubkey: 44 characters that end with =.",
        ) from None
