"""The lines of doctor: how something stands, and what to type."""

from jitd import wire


def ok(what: str) -> wire.Check:
    """Something is as it should be."""
    return {"level": "ok", "what": what, "fix": ""}


def warning(what: str, fix: str = "") -> wire.Check:
    """Something works, and is worth a look."""
    return {"level": "warning", "what": what, "fix": fix}


def broken(what: str, fix: str = "") -> wire.Check:
    """Something does not work, or lets somebody around."""
    return {"level": "broken", "what": what, "fix": fix}


def unknown(what: str, fix: str = "") -> wire.Check:
    """Something that cannot be known from here."""
    return {"level": "unknown", "what": what, "fix": fix}
