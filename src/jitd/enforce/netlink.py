"""One bounded talk with the kernel over netlink.

Each talk opens its sockets and closes them again (2 ms): none is left open over a fork, in another thread, or in
the middle of an answer that came too late.
"""

import asyncio
import errno
import os
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from pyroute2.netlink.exceptions import NetlinkError

from jitd.enforce.port import EnforceError, NoAnswer

T = TypeVar("T")

LIMIT: Final = 5.0  # seconds for one talk


def talk(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the talk to its end, for at most LIMIT seconds, in a thread that has no running event loop.

    Raises NetlinkError with the kernel's refusal, and EnforceError when the kernel could not be asked.
    """
    try:
        return asyncio.run(asyncio.wait_for(coroutine, LIMIT))
    except TimeoutError as error:
        raise NoAnswer(f"the kernel did not answer within {LIMIT:.0f} s") from error
    except NetlinkError:
        raise
    except OSError as error:
        raise EnforceError(f"the kernel cannot be asked over netlink: {error.strerror or error}") from error


def refusal(error: NetlinkError) -> str:
    """The kernel's reason, in words."""
    if error.code == errno.EPERM:
        return "not permitted: this needs the capability CAP_NET_ADMIN"
    return os.strerror(error.code)
