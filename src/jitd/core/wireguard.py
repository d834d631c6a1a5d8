"""Facts of WireGuard's protocol (https://www.wireguard.com/papers/wireguard.pdf, section 6)."""

from typing import Final

#: After so long without a new handshake a session passes nothing any more (REJECT_AFTER_TIME), milliseconds.
REJECT_AFTER_MS: Final = 180_000
