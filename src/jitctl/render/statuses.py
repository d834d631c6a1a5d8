"""What each status looks like: its symbol and its colour, here and nowhere else. Colour never says anything alone."""

from typing import Final

#: Symbol and style (see output.paint) of the status of a request.
STATUS: Final[dict[str, tuple[str, str]]] = {
    "pending": ("?", "yellow"),
    "scheduled": (">", "cyan"),
    "active": ("*", "green"),
    "denied": ("x", "red"),
    "expired": ("-", "dim"),
    "revoked": ("x", "red"),
    "released": ("-", "dim"),
    "cancelled": ("-", "dim"),
    "lapsed": ("-", "dim"),
}
#: The same for what a network is to its user.
STATE: Final[dict[str, tuple[str, str]]] = {
    **STATUS,
    "paused": ("=", "yellow"),
    "frozen": ("x", "red"),
    "standing": STATUS["active"],
    "closed": STATUS["denied"],
    "request": (" ", ""),
}
