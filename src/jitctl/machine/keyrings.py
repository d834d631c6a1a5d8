"""The system's keyring, as far as there is one: asked within a limit of time, because it may be locked, and the question
that unlocks it may stand where nobody looks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from jitctl.render.output import say
from jitd.core.errors import JitError

_T = TypeVar("_T")

#: Under which name a keyring has what is ours.
SERVICE: Final = "jitctl"
#: Backends that keep nothing, or keep it for everybody to read.
_USELESS: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
#: Seconds that a keyring may take: where there is no screen to ask on, and where somebody may be typing a password.
_SECONDS: Final = 5.0
_TYPING_SECONDS: Final = 120.0
#: Seconds after which somebody is told what is waited for.
_TELL_SECONDS: Final = 2.0


class KeyringError(JitError):
    """There is a keyring, and it does not say what it has."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "busy",
            f"cannot read the private key: {why}",
            "Unlock it where you log in on this machine's desktop, and type the same again.",
        )
        self.why = why


def is_there() -> bool:
    """Whether there is a keyring that can be used from here."""
    return _keyring() is not None


def get(name: str) -> str | None:
    """What the keyring has under this name, None where it has nothing or there is none. Raises KeyringError."""
    found = _keyring()
    return None if found is None else _within(lambda: found.get_password(SERVICE, name)) or None


def put(name: str, secret: str) -> str:
    """Keep a secret. Returns "" when the keyring has it, else in words why it has not."""
    found = _keyring()
    if found is None:
        return "there is no keyring here"

    def kept() -> bool:
        found.set_password(SERVICE, name, secret)
        return bool(found.get_password(SERVICE, name) == secret)

    try:
        return "" if _within(kept) else "your keyring does not keep it"
    except KeyringError as error:
        return error.why


def drop(name: str) -> bool:
    """Forget it. Returns whether there was something to forget. Raises nothing."""
    try:
        if get(name) is None:
            return False
        found = _keyring()
        _within(lambda: found.delete_password(SERVICE, name))
    except KeyringError:
        return False
    return True


def _keyring() -> Any:
    """The keyring, None where there is none that can be used."""
    try:
        import keyring
        from keyring.backends.chainer import ChainerBackend
    except ImportError:
        return None
    try:
        found: Any = keyring.get_keyring()
    except Exception:  # noqa: BLE001 - a backend that cannot even be made is none
        return None
    if isinstance(found, ChainerBackend):
        found = next((one for one in found.backends if _is_useful(one)), None)
    return found if found is not None and _is_useful(found) else None


def _is_useful(backend: Any) -> bool:
    return not type(backend).__module__.startswith(_USELESS)


#: Why the keyring is not asked again by this process: it did not answer, and its question may still stand somewhere.
_given_up: list[str] = []


def _within(ask: Callable[[], _T]) -> _T:
    """What the keyring answers. Raises KeyringError."""
    if _given_up:
        raise KeyringError(_given_up[0])
    answers: list[_T] = []
    troubles: list[str] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # noqa: BLE001 - every backend has errors of its own kind
            troubles.append(_words(error))

    # It is left behind when it hangs, and ends with the process.
    thread = threading.Thread(target=run, name="jitctl-keyring", daemon=True)
    thread.start()
    limit = _TYPING_SECONDS if _somebody_can_type() else _SECONDS
    thread.join(_TELL_SECONDS)
    if thread.is_alive():
        say(f"jitctl: waiting for your keyring, for {limit:.0f} s at most: it may be locked")
        thread.join(limit - _TELL_SECONDS)
    if answers:
        return answers[0]
    if troubles:
        raise KeyringError(troubles[0])
    _given_up.append(f"your keyring did not answer within {limit:.0f} s")
    raise KeyringError(_given_up[0])


def _words(error: Exception) -> str:
    if type(error).__name__ == "KeyringLocked":
        return "your keyring is locked"
    return f"your keyring failed ({type(error).__name__}: {error})"[:200]


def _somebody_can_type() -> bool:
    """Whether there is a screen on which the keyring can ask."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
