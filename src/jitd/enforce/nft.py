"""Loading rules with the program `nft`: one transaction a call, all of it or nothing.

The program of the distribution, because it fits the distribution's kernel and gets its fixes (libnftables from PyPI
is a copy without them), and a process can be ended when it takes too long. It runs only when rules change (10 ms).
Elements change all the time and go through `nfnetlink.py`: libnftables 1.0.6 needs 0.07 ms for a change too, but asks
for all elements where one is missing or rules are listed (57 ms at 10,000), and its error leaves the context cold.
"""

import subprocess
from typing import Final

from jitd.enforce.port import EnforceError

SECONDS: Final = 5.0
_ERROR_LENGTH: Final = 400  # characters


class Refused(EnforceError):
    """nftables did not take the rules, which says something about them or the kernel."""


def load(text: str, *, check: bool = False) -> None:
    """Load a file in nft's language; with `check` only ask the kernel whether it would do.

    Raises Refused when it is refused, EnforceError when nft is missing, not permitted or does not answer within
    SECONDS.
    """
    argv = ["nft", *(["--check"] if check else []), "--file", "-"]
    try:
        done = subprocess.run(  # noqa: S603 - the argument list is fixed, the rules go in on standard input
            argv, input=text, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise EnforceError("there is no program nft: install the package nftables") from error
    except subprocess.TimeoutExpired as error:
        raise EnforceError(f"nft did not answer within {SECONDS:.0f} s") from error
    except OSError as error:
        raise EnforceError(f"the program nft cannot be run: {error.strerror or error}") from error
    if done.returncode == 0:
        return
    said = " ".join(done.stderr.split())[:_ERROR_LENGTH] or f"exit status {done.returncode}"
    if "Operation not permitted" in said:
        raise EnforceError("nftables cannot be changed: this needs the capability CAP_NET_ADMIN")
    raise Refused(f"nftables refused: {said}")
