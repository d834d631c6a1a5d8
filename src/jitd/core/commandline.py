"""What people are told to type: made from words, so that it does what it says when it is pasted into a shell."""

import shlex
from collections.abc import Iterable


def jitctl(*words: object, operands: Iterable[object] = (), options: Iterable[object] = ()) -> str:
    """`jitctl` with these words, each quoted for a shell where it needs to be.

    `options` stand behind the `operands`; before them where an operand begins with a dash, as names of users may.
    """
    named = [str(one) for one in operands]
    if any(one.startswith("-") for one in named):
        return shell("jitctl", *words, *options, "--", *named)
    return shell("jitctl", *words, *named, *options)


def shell(*words: object) -> str:
    """A command line of these words."""
    return shlex.join(str(word) for word in words)
