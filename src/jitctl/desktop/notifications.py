"""Notifications on the user's desktop, over the session bus (Desktop Notifications Specification)."""

from __future__ import annotations

import os
from typing import Any, Final

from jitctl.render.output import clean
from jitd.core.errors import JitError

_NAME: Final = "org.freedesktop.Notifications"
#: Seconds that the bus may take for an answer.
_SECONDS: Final = 5.0
#: Urgency, as the specification numbers it.
_NORMAL, _CRITICAL = 1, 2
#: Milliseconds; the service's own choice.
_AS_USUAL: Final = -1


def is_likely() -> bool:
    """Whether there may be a desktop to show something on: there is a session bus. Costs nothing."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return bool(os.environ.get("DBUS_SESSION_BUS_ADDRESS")) or (
        bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        and os.path.exists(f"{runtime}/bus")  # noqa: PTH110
    )


class Desktop:
    """A desktop that shows notifications. Raises JitError refused where there is none."""

    def __init__(self) -> None:
        try:
            from jeepney import DBusAddress
            from jeepney.io.blocking import open_dbus_connection

            self._address: Any = DBusAddress(
                "/org/freedesktop/Notifications", bus_name=_NAME, interface=_NAME
            )
            self._bus: Any = open_dbus_connection(bus="SESSION")
        except Exception as error:
            # Every way not to have a bus has an exception of its own: no library, no address, nobody who answers.
            raise _none(str(error)) from error
        # What a service does not take as markup, it shows as it is.
        self._escapes = "body-markup" in self._call("GetCapabilities")[0]

    def show(self, title: str, body: str, *, urgent: bool = False) -> None:
        """Show a notification. Raises JitError refused when the service is gone."""
        shown = clean(body)
        if self._escapes:
            shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        hints = {"urgency": ("y", _CRITICAL if urgent else _NORMAL)}
        self._call(
            "Notify", "susssasa{sv}i", ("jitctl", 0, "network-vpn", clean(title), shown, [], hints, _AS_USUAL)
        )

    def close(self) -> None:
        """Give the connection back."""
        self._bus.close()

    def _call(self, method: str, signature: str | None = None, body: tuple[Any, ...] = ()) -> Any:
        from jeepney import new_method_call
        from jeepney.wrappers import unwrap_msg

        try:
            asked = new_method_call(self._address, method, signature, body)
            return unwrap_msg(self._bus.send_and_get_reply(asked, timeout=_SECONDS))
        except Exception as error:
            raise _none(str(error)) from error


def _none(why: str) -> JitError:
    return JitError(
        "refused",
        f"cannot show notifications: no service for them answers on the session bus ({clean(why)[:120]})",
        "On a machine without a desktop: jitctl watch, or mail.",
    )
