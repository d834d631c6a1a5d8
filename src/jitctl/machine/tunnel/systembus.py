"""A program on the system bus (D-Bus): calls to it, each with a limit of time, and what comes from it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Self

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_error, new_method_call
from jeepney.io.blocking import open_dbus_connection

_BUS: Final = "org.freedesktop.DBus"
#: How the bus itself is called.
_ITSELF: Final = DBusAddress("/org/freedesktop/DBus", _BUS, _BUS)
#: Seconds for an answer of the bus itself.
_SECONDS: Final = 5.0


class Unreachable(Exception):
    """There is no system bus, or the program is not on it, or has left it."""


class Slow(Exception):
    """Not done within the time that there was."""


class Refused(Exception):
    """The program answered with an error: `name` is what the bus calls it, the text is for people."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Peer:
    """A program on the system bus, as it is there now: one that is started anew is another. A context manager."""

    def __init__(self, name: str) -> None:
        """Find it. Raises Unreachable."""
        #: Takes what the program sends by itself, signals and calls; returns the answer to a call.
        self.takes: Callable[[Message], Message | None] = lambda _: None
        self._owner = ""
        self._left = False
        try:
            self._line = open_dbus_connection("SYSTEM")
        except (OSError, ValueError, KeyError) as error:
            raise Unreachable(f"no system bus: {error}") from error
        try:
            self._match(f"sender='{_BUS}',member='NameOwnerChanged',arg0='{name}'")
            (self._owner,) = self._ask(new_method_call(_ITSELF, "GetNameOwner", "s", (name,)), _SECONDS)
        except (Refused, Slow) as error:
            self.close()
            raise Unreachable(f"not on the system bus: {error}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bus."""
        self._line.close()

    def call(
        self, path: str, interface: str, member: str, signature: str = "", *body: object, seconds: float
    ) -> tuple[Any, ...]:
        """Call a method. Raises Refused, Slow, and Unreachable when the program leaves meanwhile."""
        address = DBusAddress(path, self._owner, interface)
        return self._ask(new_method_call(address, member, signature or None, body), seconds)

    def property(self, path: str, interface: str, name: str, *, seconds: float) -> Any:
        """The value of a property. Raises as `call`."""
        properties = "org.freedesktop.DBus.Properties"
        ((_, value),) = self.call(path, properties, "Get", "ss", interface, name, seconds=seconds)
        return value

    def hear(self, interface: str, signal: str) -> None:
        """Have this signal of the program's from now on. Raises as `call`."""
        self._match(f"sender='{self._owner}',interface='{interface}',member='{signal}'")

    def wait(self, is_over: Callable[[], bool], *, seconds: float) -> None:
        """Take what comes until something is so. Raises Slow and Unreachable."""
        end = time.monotonic() + seconds
        while not is_over():
            self._take(self._receive(end))

    def _match(self, rule: str) -> None:
        self._ask(new_method_call(_ITSELF, "AddMatch", "s", (rule,)), _SECONDS)

    def _ask(self, question: Message, seconds: float) -> tuple[Any, ...]:
        end = time.monotonic() + seconds
        serial = next(self._line.outgoing_serial)
        self._send(question, serial)
        while True:
            message = self._receive(end)
            if message.header.fields.get(HeaderFields.reply_serial) != serial:
                self._take(message)
            elif message.header.message_type is MessageType.error:
                words = [one for one in message.body if isinstance(one, str)]
                raise Refused(message.header.fields.get(HeaderFields.error_name, ""), " ".join(words))
            else:
                return tuple(message.body)

    def _send(self, message: Message, serial: int | None = None) -> None:
        try:
            self._line.send(message, serial=serial)
        except OSError as error:
            raise Unreachable(str(error)) from error

    def _receive(self, end: float) -> Message:
        if self._left:
            raise Unreachable("it has ended")
        try:
            return self._line.receive(timeout=max(0.0, end - time.monotonic()))
        except TimeoutError:
            raise Slow from None
        except OSError as error:
            raise Unreachable(str(error)) from error

    def _take(self, message: Message) -> None:
        """What is no answer: that the program has left, what it sends by itself, and nothing from anybody else."""
        fields = message.header.fields
        sender = fields.get(HeaderFields.sender)
        if sender == _BUS and fields.get(HeaderFields.member) == "NameOwnerChanged":
            self._left = self._left or message.body[2] != self._owner
        answer = self.takes(message) if sender == self._owner else None
        if message.header.message_type is MessageType.method_call:
            self._send(answer or new_error(message, f"{_BUS}.Error.UnknownMethod"))
