"""What the tunnels of this machine are called."""

import hashlib
from typing import Final

from jitd.core import parsing
from jitd.core.errors import JitError

#: What every interface that jitctl brings up is called at the beginning.
PREFIX: Final = "jit-"


def name_of(profile: str, interface: str) -> str:
    """What the tunnel to this interface of a gateway is called here: `jit-office-wg0`, cut and told apart if it is long.

    It is the name of a file that root reads, and the gateway says what its interface is called: raises JitError
    bad_request for what is no name of an interface.
    """
    try:
        checked = parsing.interface_name(interface)
        whole = f"{PREFIX}{parsing.profile_name(profile)}-{checked}"
    except ValueError as error:
        raise JitError(
            "bad_request",
            f"cannot use the name of the interface that the gateway sent: {error}",
            "Tell the administrator of the gateway: it may have been tampered with.",
        ) from error
    longest = parsing.INTERFACE_NAME_LENGTH
    if len(whole) <= longest:
        return whole
    mark = hashlib.sha256(f"{profile}/{checked}".encode()).hexdigest()[:4]
    return f"{PREFIX}{profile[: longest - len(PREFIX) - 5]}-{mark}"
