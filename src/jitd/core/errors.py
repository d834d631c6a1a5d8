"""What can go wrong, once: each stable code with its HTTP status and the exit status of jitctl."""

from typing import Final, NamedTuple


class Kind(NamedTuple):
    """What one error code means outside the service."""

    http: int
    exit: int


KINDS: Final[dict[str, Kind]] = {
    "bad_request": Kind(400, 2),  # the request cannot be read: a missing field, a value of the wrong form
    "too_large": Kind(413, 2),
    "unknown_route": Kind(404, 1),  # usually a jitctl and a jitd of different versions
    "unknown_key": Kind(400, 1),  # likewise: a field that the other side does not know
    "method_not_allowed": Kind(405, 1),
    "denied": Kind(403, 3),  # a person said no
    "refused": Kind(422, 3),  # a rule said no, and the message names the rule
    "limit": Kind(429, 3),  # too many of something; the message says when it will work again
    "ended": Kind(409, 4),  # lapsed, or ended meanwhile
    "pending": Kind(409, 5),
    "unreachable": Kind(503, 6),  # said by jitctl itself: nobody answers on the socket
    "untrusted": Kind(502, 6),  # said by jitctl itself: ssh does not know who answers there
    "not_permitted": Kind(403, 7),
    "conflict": Kind(409, 8),  # the state is not the one the caller decided on
    "disagrees": Kind(503, 9),  # recorded, but the kernel does not agree yet
    "not_found": Kind(404, 10),
    "busy": Kind(503, 1),  # the daemon is stopping, or a limit of time ran out
    "enforcement": Kind(500, 1),  # the kernel refused, and nothing was recorded
    "store": Kind(500, 1),  # the store refused, and nothing was recorded
    "unrecorded": Kind(507, 9),  # cut, because closing is never stuck, and to be recorded later
    "internal": Kind(500, 1),
}

EXIT_DONE: Final = 0
EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


class JitError(Exception):
    """A refusal or failure with a stable code, a message for people and a hint of what to type instead.

    Messages begin with "cannot …" and name the thing; the hint, if any, is a whole sentence or a command.
    `code` must be a key of KINDS.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        assert code in KINDS, code
        self.code = code
        self.message = message
        self.hint = hint

    def body(self) -> dict[str, str]:
        """As it is sent, and as --json prints it."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def adding(self, hint: str) -> "JitError":
        """The same error with more behind its hint."""
        return JitError(self.code, self.message, f"{self.hint}{hint}".strip())

    @property
    def http_status(self) -> int:
        """HTTP status of the reply."""
        return KINDS[self.code].http

    @property
    def exit_status(self) -> int:
        """Exit status of jitctl."""
        return exit_status(self.code)


def exit_status(code: str) -> int:
    """Exit status for a code from the wire; a code from a newer daemon counts as an ordinary failure."""
    kind = KINDS.get(code)
    return kind.exit if kind else EXIT_FAILURE
