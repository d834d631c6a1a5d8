"""Questions to the system that may hang: asked in a few threads, each with a limit of time."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

T = TypeVar("T")


class Unanswered(Exception):
    """There was no answer in time, or every thread hangs in a question of before."""


class _Question:
    """A question that a thread is busy with."""

    def __init__(self, ask: Callable[[], Any], late: Callable[["_Question"], None], seconds: float) -> None:
        self.ask = ask
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Any] = self.loop.create_future()
        self.timer = self.loop.call_later(seconds, late, self)


class Questions:
    """Asks at most `threads` questions at a time, and waits `seconds` for each.

    A question that takes longer keeps its thread until it comes back, which may be never; meanwhile the others do the
    work. The threads are daemons of Python's: one that hangs must not keep jitd from ending, as those of a
    ThreadPoolExecutor do, which are joined at the end of the process.
    """

    def __init__(self, threads: int, seconds: float) -> None:
        self._threads: Final = threads
        self._seconds: Final = seconds
        self._free = asyncio.Semaphore(threads)
        self._asked: dict[Hashable, _Question] = {}
        self._hanging = 0
        self._queue: queue.SimpleQueue[tuple[Hashable, _Question] | None] = queue.SimpleQueue()
        self._started = False

    async def ask(self, key: Hashable, question: Callable[[], T]) -> T:
        """The answer. Equal keys mean the same question: while a thread is busy with it, it is not asked again.

        Raises Unanswered, or what the question raises.
        """
        asked = self._asked.get(key) or await self._begin(key, question)
        # Shielded: others may wait for the same answer.
        answer: T = await asyncio.shield(asked.answer)
        return answer

    def close(self) -> None:
        """Let the threads end, each as soon as it is idle."""
        for _ in range(self._threads if self._started else 0):
            self._queue.put(None)

    async def _begin(self, key: Hashable, question: Callable[[], Any]) -> _Question:
        if self._hanging >= self._threads:
            raise Unanswered
        try:
            # The limit of a question begins when a thread takes it: waiting behind many quick ones is no failure.
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Unanswered from None
        if same := self._asked.get(key):
            self._free.release()
            return same
        asked = self._asked[key] = _Question(question, self._late, self._seconds)
        self._start()
        self._queue.put((key, asked))
        return asked

    def _start(self) -> None:
        if not self._started:
            self._started = True
            for number in range(self._threads):
                threading.Thread(target=self._work, name=f"jitd-nss-{number}", daemon=True).start()

    def _work(self) -> None:
        while (taken := self._queue.get()) is not None:
            key, asked = taken
            result: Any = None
            error: BaseException | None = None
            try:
                result = asked.ask()
            except BaseException as raised:  # noqa: BLE001 - handed to whoever asks
                error = raised
            # A loop that is closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                asked.loop.call_soon_threadsafe(self._finish, key, asked, result, error)

    def _late(self, asked: _Question) -> None:
        self._hanging += 1
        _fail(asked.answer, Unanswered())

    def _finish(self, key: Hashable, asked: _Question, result: Any, error: BaseException | None) -> None:
        del self._asked[key]
        self._free.release()
        if asked.answer.done():
            self._hanging -= 1
            return
        asked.timer.cancel()
        if error is not None:
            _fail(asked.answer, error)
        else:
            asked.answer.set_result(result)


def _fail(answer: "asyncio.Future[Any]", error: BaseException) -> None:
    answer.set_exception(error)
    # Whoever asked may have been cancelled meanwhile: asyncio is not to complain that nobody took the error.
    answer.exception()
