"""Where the engine's threads are made: one place, so that whoever runs it otherwise can hand in others."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from jitd.engine.worker import Worker

T = TypeVar("T")


class SerialExecutor(Executor):
    """Runs calls one after the other, in order, in a daemon thread: what hangs in it does not hold the process."""

    def __init__(self, name: str) -> None:
        """The thread is started by the first call."""
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Queue a call."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._calls.put(call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - as Executor's
        """End the thread behind what is queued. `wait` for that."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._calls.put(None)
        if wait and thread is not None:
            thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


@dataclass(frozen=True, slots=True)
class Threads:
    """How threads are made. `serial` takes a name, `pool` a number of threads and a name."""

    worker: Callable[[], Worker] = Worker
    serial: Callable[[str], Executor] = SerialExecutor
    pool: Callable[[int, str], Executor] = ThreadPoolExecutor
