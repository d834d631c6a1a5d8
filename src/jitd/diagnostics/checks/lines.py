"""The lines of an examination: ok, warning, broken, or what cannot be known, and what to type."""

from typing import Final

from jitd import wire

OK: Final = "ok"
WARNING: Final = "warning"
BROKEN: Final = "broken"
UNKNOWN: Final = "unknown"


def ok(what: str) -> wire.Check:
    """Something is as it should be."""
    return {"level": OK, "what": what, "fix": ""}


def warning(what: str, fix: str = "") -> wire.Check:
    """Something works, and is worth a look."""
    return {"level": WARNING, "what": what, "fix": fix}


def broken(what: str, fix: str = "") -> wire.Check:
    """Something does not work, or lets somebody around."""
    return {"level": BROKEN, "what": what, "fix": fix}


def unknown(what: str, fix: str = "") -> wire.Check:
    """Something that cannot be known from here."""
    return {"level": UNKNOWN, "what": what, "fix": fix}
