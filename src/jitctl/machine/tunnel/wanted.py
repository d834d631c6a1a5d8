"""What a tunnel of this machine has to be, from the file that a gateway sends.

Root brings the tunnel up, and the gateway is another machine: of its file only what makes a tunnel is taken, value by
value (`jitd.core.tunnelfile`). A line that would run something here (PostUp) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jitctl.render.output import clean
from jitd.core import parsing, tunnelfile
from jitd.core.errors import JitError
from jitd.core.tunnelfile import PrivateKey, TunnelFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """A tunnel as it has to be: what its interface is called here, this machine's own public key, and what the gateway
    says of it.
    """

    name: str
    public_key: str
    file: TunnelFile


def read(file: str, *, name: str, public_key: str) -> Tunnel:
    """What a gateway's file for wg-quick says. Raises JitError bad_request for anything that is no plain tunnel."""
    try:
        return Tunnel(name=parsing.interface_name(name), public_key=public_key, file=tunnelfile.read(file))
    except ValueError as error:
        raise _refused(str(error)) from error


def rewritten(file: str) -> str:
    """The same file, with a place for the private key, as this program writes it. Raises as `read`."""
    try:
        return tunnelfile.write(tunnelfile.read(file), PrivateKey.PLACE)
    except ValueError as error:
        raise _refused(str(error)) from error


def with_key(file: str, private_key: str) -> str:
    """The same file with a private key in it, and nothing that is only for people. Raises as `read`."""
    try:
        written = tunnelfile.write(replace(tunnelfile.read(file), comment="", preshared=False), private_key)
    except ValueError as error:
        raise _refused(str(error)) from error
    return "\n".join(line for line in written.splitlines() if line) + "\n"


def _refused(why: str) -> JitError:
    return JitError(
        "bad_request",
        f"cannot use the file for the tunnel that the gateway sent: {clean(why)}",
        "Tell the administrator of the gateway: it may have been tampered with.",
    )
