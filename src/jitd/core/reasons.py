"""Whether a reason is one: what the network asks of it."""

from typing import Final

from jitd.core import text
from jitd.core.errors import JitError
from jitd.core.model import Network

#: Seconds that a pattern may take on one reason. A pattern can be such that a reason keeps it busy for years.
LONGEST_MATCH: Final = 0.1


def check(network: Network, typed: str, *, break_glass: bool = False) -> str:
    """The cleaned reason, "" where none is needed. Raises JitError bad_request or refused, with what is expected."""
    if not text.clean(typed):
        if network.reason_required or break_glass:
            text.reason("")
        return ""
    reason = text.reason(typed)
    least = network.jit_break_glass_reason_min_length if break_glass else network.reason_min_length
    if len(reason) < least:
        raise JitError(
            "refused",
            f"cannot use this reason for {network.name}: it has {len(reason)} characters, at least {least} are needed",
            "Describe the purpose, so that the approver understands it.",
        )
    if network.reason_pattern and not break_glass and not matches(network.reason_pattern, reason):
        expected = network.reason_expected or f"a reason that matches {network.reason_pattern}"
        raise JitError(
            "refused",
            f"cannot use this reason for {network.name}: {expected} is expected",
            f"Write it as --reason, with {expected}.",
        )
    return reason


def matches(pattern: str, reason: str) -> bool:
    """Whether the whole reason matches a regular expression. Raises JitError refused when it takes too long."""
    import regex

    try:
        return regex.fullmatch(pattern, reason, timeout=LONGEST_MATCH) is not None
    except TimeoutError:
        raise JitError(
            "refused",
            "cannot check this reason: matching it with the pattern of the network takes too long",
            "Make it shorter, or ask an administrator to simplify reason_pattern.",
        ) from None
