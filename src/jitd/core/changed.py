"""Changes of rules and people in sentences, for all who administer. Pure."""

from datetime import UTC
from typing import Final

from jitd.core.events import EventKind
from jitd.core.localtime import show_moment
from jitd.core.model import Event

#: The messages that tell of them.
TEMPLATES: Final = frozenset({"rules_changed", "people_changed", "change_proposed"})


def is_own(event: Event) -> bool:
    """Whether somebody did it on their own behalf, as registering a key in their own name."""
    if event.actor is None:
        return True
    login = None if event.actor.login_is_claimed else event.actor.login_user
    return event.user in (event.actor.user, login)


def what(event: Event) -> list[str]:
    """What was changed, a sentence each."""
    data = event.data
    before, after = data.get("before"), data.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            f"{key}: {_shown(key, before.get(key))} -> {_shown(key, after[key])}"
            for key in after
            if after[key] != before.get(key)
        ]
    kind = EventKind.of(event.kind)
    said = [kind.row.change.format_map(data) + _more(event)] if kind is not None and kind.row.change else []
    if isinstance(after, dict):
        said += [
            f"{key}: {_shown(key, value)}" for key, value in after.items() if value not in ([], "", False)
        ]
    told = data.get("what")
    said += [str(one) for one in told] if isinstance(told, list) else []
    if event.kind == EventKind.CHANGE_PROPOSED:
        said.append(f"{data.get('quorum')} people have to agree (change {data.get('change')})")
    if event.kind == EventKind.CHANGE_REJECTED:
        said.append(f"change {data.get('change')} is rejected")
    return said


def _more(event: Event) -> str:
    device = f": {event.device}" if event.device else ""
    comment = f": {event.data['comment']}" if event.data.get("comment") else ""
    return device + comment


def _shown(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if key == "ends" and isinstance(value, int):
        return show_moment(value, UTC)
    return str(value) if value not in ("", None) else "none"
