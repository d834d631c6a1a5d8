"""What the tunnels of this machine are called."""

import hashlib
from typing import Final

#: What every interface that jitctl brings up is called at the beginning.
PREFIX: Final = "jit-"
#: Linux gives an interface's name 15 bytes (IFNAMSIZ).
_LONGEST: Final = 15


def name_of(profile: str, interface: str) -> str:
    """What the tunnel to this interface of a gateway is called here: `jit-office-wg0`, cut and told apart if it is long."""
    whole = f"{PREFIX}{profile}-{interface}"
    if len(whole) <= _LONGEST:
        return whole
    mark = hashlib.sha256(f"{profile}/{interface}".encode()).hexdigest()[:4]
    return f"{PREFIX}{profile[: _LONGEST - len(PREFIX) - 5]}-{mark}"
