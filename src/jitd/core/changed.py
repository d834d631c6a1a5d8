"""Changes of rules and people in sentences, for all who administer. Pure."""

from datetime import UTC
from typing import Final

from jitd.core.localtime import show_moment
from jitd.core.model import Event

#: The messages that tell of them.
TEMPLATES: Final = frozenset({"rules_changed", "people_changed", "change_proposed"})
_KEYS: Final = frozenset({"device_added", "device_imported", "device_rotated"})
_SAID: Final = {
    "network_added": "the network is added",
    "network_removed": "the network is removed",
    "jit_on": "just-in-time access is on: everybody has to ask",
    "jit_off": "just-in-time access is off: members have access without asking",
    "enforce_on": "the interface is enforced: jitd decides about every peer",
    "enforce_off": "the interface is not enforced: peers that nobody was named for pass",
    "decided_alone": "root decided alone",
    "unreviewed": "somebody else has to look at what was decided",
    "user_added": "registered",
    "user_disabled": "disabled",
    "user_enabled": "enabled again",
    "user_confirmed": "confirmed to be the same person after more than 24 h",
    "device_added": "a key was registered in their name",
    "device_imported": "a peer that was there was named as theirs",
    "device_rotated": "another key was put in the place of theirs",
}


def gives_key(event: Event) -> bool:
    """Whether somebody has registered a key in another's name."""
    if event.kind not in _KEYS or event.actor is None:
        return False
    return event.user not in (
        event.actor.user,
        None if event.actor.login_is_claimed else event.actor.login_user,
    )


def what(event: Event) -> list[str]:
    """What was changed, a sentence each."""
    data = event.data
    if event.kind == "directory_fault":
        return [
            f"the directory has lost {data.get('number')} of {data.get('of')} users at once: they are closed out"
        ]
    before, after = data.get("before"), data.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            f"{key}: {_shown(key, before.get(key))} -> {_shown(key, after[key])}"
            for key in after
            if after[key] != before.get(key)
        ]
    said = [f"{_SAID[event.kind]}{_more(event)}"] if event.kind in _SAID else []
    if isinstance(after, dict):
        said += [
            f"{key}: {_shown(key, value)}" for key, value in after.items() if value not in ([], "", False)
        ]
    told = data.get("what")
    said += [str(one) for one in told] if isinstance(told, list) else []
    if event.kind == "change_proposed":
        said.append(f"{data.get('quorum')} people have to agree (change {data.get('change')})")
    if event.kind == "change_rejected":
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
