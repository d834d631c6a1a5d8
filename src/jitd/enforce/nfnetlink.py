"""Talking with nftables over netlink: transactions of elements, and reading back. Each call is bounded by SECONDS."""

import contextlib
import errno
import itertools
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from jitd.enforce import nfmessages
from jitd.enforce.nfmessages import Family, Found, Kind, Message
from jitd.enforce.port import EnforceError

SECONDS: Final = 5.0
NETLINK_NETFILTER: Final = 12
#: The length of an attribute is 16 bits; an element takes some 50 bytes.
ELEMENTS_A_MESSAGE: Final = 500
#: So many single questions are asked before their answers are read.
QUESTIONS: Final = 100
DUMPS: Final = 10  # how often a dump is begun again because a transaction came between
_BUFFER: Final = 64 << 20  # bytes: a transaction of all elements is one datagram
_RECEIVE: Final = 1 << 20
_SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33


class NftError(EnforceError):
    """The kernel said no. `code` is the errno."""

    def __init__(self, code: int) -> None:
        reason = os.strerror(code)
        if code == errno.EPERM:
            reason = "not permitted: this needs the capability CAP_NET_ADMIN"
        super().__init__(f"nftables refused: {reason}")
        self.code = code


class Change(NamedTuple):
    """One step of a transaction: elements of one set, (address, timeout in milliseconds or None)."""

    kind: Kind  # NEW_ELEMENT or DEL_ELEMENT
    family: Family
    table: str
    set_name: str
    elements: Sequence[tuple[bytes, int | None]]


class NftSocket:
    """A netlink socket that is opened when it is first needed, and again after an error: no late answer stays in it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._sequence = itertools.count(int(time.time()) & 0x0FFFFFFF)

    @property
    def port(self) -> int:
        """What the kernel calls this socket; 0 while it is not open."""
        return int(self._socket.getsockname()[0]) if self._socket is not None else 0

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def transaction(self, changes: Iterable[Change]) -> None:
        """Do all of it or nothing. Raises NftError with the first refusal, and EnforceError."""
        begin = next(self._sequence)
        parts = [nfmessages.message(nfmessages.BATCH_BEGIN, 0, begin, 0, resource=nfmessages.SUBSYSTEM)]
        bodies = [
            (change, change.elements[start : start + ELEMENTS_A_MESSAGE])
            for change in changes
            for start in range(0, len(change.elements), ELEMENTS_A_MESSAGE)
        ]
        last = begin
        for number, (change, elements) in enumerate(bodies, start=1):
            last = next(self._sequence)
            flags = nfmessages.CREATE if change.kind == Kind.NEW_ELEMENT else 0
            flags |= nfmessages.ACK if number == len(bodies) else 0
            body = nfmessages.elements(change.table, change.set_name, elements)
            parts.append(nfmessages.nftables(change.kind, flags, last, change.family, body))
        if not bodies:
            return
        end = next(self._sequence)
        parts.append(nfmessages.message(nfmessages.BATCH_END, 0, end, 0, resource=nfmessages.SUBSYSTEM))

        refusals: list[int] = []

        def settled(message: Message) -> bool:
            if message.kind == nfmessages.NLMSG_ERROR and (code := nfmessages.error_of(message)):
                refusals.append(code)
            # A refusal of the whole bears the number of its beginning, and nothing need follow it.
            return message.sequence == last or (message.sequence == begin and bool(refusals))

        with self._talking() as line:
            line.send(b"".join(parts))
            for _ in self._answers(line, begin, settled):
                pass
        if refusals:
            # What could not be answered any more belongs to this transaction and not to the next.
            self.close()
            raise NftError(refusals[0])

    def get(self, family: Family, table: str, set_name: str, keys: Sequence[bytes]) -> list[Found]:
        """Those of the elements that live. Raises NftError and EnforceError; no such set counts as no elements."""
        found: list[Found] = []
        for start in range(0, len(keys), QUESTIONS):
            with self._talking() as line:
                numbers = [next(self._sequence) for _ in keys[start : start + QUESTIONS]]
                line.send(
                    b"".join(
                        nfmessages.nftables(
                            Kind.GET_ELEMENT,
                            nfmessages.ACK,
                            number,
                            family,
                            nfmessages.elements(table, set_name, [(key, None)]),
                        )
                        for number, key in zip(numbers, keys[start : start + QUESTIONS], strict=True)
                    )
                )
                final = numbers[-1]

                def settled(message: Message, final: int = final) -> bool:
                    return message.sequence == final and message.kind == nfmessages.NLMSG_ERROR

                for message in self._answers(line, numbers[0], settled):
                    if message.kind == nfmessages.NLMSG_ERROR:
                        code = nfmessages.error_of(message)
                        if code not in (0, errno.ENOENT):
                            self.close()
                            raise NftError(code)
                    else:
                        found += nfmessages.found_elements(message.body)
        return found

    def dump(self, kind: Kind, family: Family, body: bytes = b"") -> list[Message]:
        """Everything of a kind, from one state. Raises NftError (ENOENT: no such table or set) and EnforceError."""
        for _ in range(DUMPS):
            messages = self._dump(kind, family, body)
            if messages is not None:
                return messages
        raise EnforceError("nftables keeps changing: no consistent state could be read")

    def _dump(self, kind: Kind, family: Family, body: bytes) -> list[Message] | None:
        number = next(self._sequence)
        messages: list[Message] = []
        with self._talking() as line:
            line.send(nfmessages.nftables(kind, nfmessages.DUMP, number, family, body))

            def settled(message: Message) -> bool:
                return message.kind in (nfmessages.NLMSG_ERROR, nfmessages.NLMSG_DONE)

            interrupted = False
            for message in self._answers(line, number, settled):
                interrupted = interrupted or bool(message.flags & nfmessages.DUMP_INTERRUPTED)
                if message.kind in (nfmessages.NLMSG_ERROR, nfmessages.NLMSG_DONE):
                    code = nfmessages.error_of(message)
                    if code in (errno.EINTR, errno.EAGAIN):
                        return None
                    if code:
                        raise NftError(code)
                else:
                    messages.append(message)
        return None if interrupted else messages

    @contextlib.contextmanager
    def _talking(self) -> Iterator[socket.socket]:
        """The socket. Whatever goes wrong with it, the next talk has a new one."""
        try:
            if self._socket is None:
                self._socket = _open()
            yield self._socket
        except EnforceError:
            raise
        except TimeoutError as error:
            self.close()
            raise EnforceError(f"nftables did not answer within {SECONDS:.0f} s") from error
        except OSError as error:
            self.close()
            raise EnforceError(f"nftables cannot be asked: {error.strerror or error}") from error

    def _answers(
        self, line: socket.socket, first: int, settled: Callable[[Message], bool]
    ) -> Iterator[Message]:
        """Answers to questions from number `first` on, until one settles the matter."""
        deadline = time.monotonic() + SECONDS
        while True:
            line.settimeout(max(deadline - time.monotonic(), 0.001))
            for message in nfmessages.messages(line.recv(_RECEIVE)):
                if message.sequence < first:
                    continue
                done = settled(message)
                yield message
                if done:
                    return


def _open() -> socket.socket:
    line = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        line.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
        line.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER)
        line.settimeout(SECONDS)
        line.bind((0, 0))
    except PermissionError:
        line.close()
        raise NftError(errno.EPERM) from None
    except OSError:
        line.close()
        raise
    return line
