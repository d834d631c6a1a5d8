"""Key pairs for interfaces of jitd's own."""

import base64

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def generate() -> tuple[str, str]:
    """A new Curve25519 key pair, (private, public), base64 as WireGuard writes it."""
    private = X25519PrivateKey.generate()
    return (
        base64.b64encode(private.private_bytes_raw()).decode(),
        base64.b64encode(private.public_key().public_bytes_raw()).decode(),
    )
