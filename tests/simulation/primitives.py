"""What the standard library's `threading`, `queue` and `concurrent.futures` stand on, under the scheduler.

The classes above (`queue.Queue`, `ThreadPoolExecutor`, `Future`) are the standard library's own.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from simulation import schedule
from simulation.schedule import Scheduler


class Primitives:
    """A namespace that stands where the module `threading` does."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.local = threading.local
        self.get_ident = threading.get_ident
        self.TIMEOUT_MAX = threading.TIMEOUT_MAX
        self.ExceptHookArgs = threading.ExceptHookArgs
        self.excepthook = threading.excepthook
        self._names = itertools.count(1)

    def Lock(self) -> "Lock":  # noqa: N802 - as the standard library names it
        """As threading.Lock."""
        return Lock(self.scheduler)

    def RLock(self) -> "RLock":  # noqa: N802
        """As threading.RLock."""
        return RLock(self.scheduler)

    def Condition(self, lock: Any = None) -> "Condition":  # noqa: N802
        """As threading.Condition."""
        return Condition(self.scheduler, lock or RLock(self.scheduler))

    def Event(self) -> "Event":  # noqa: N802
        """As threading.Event."""
        return Event(self.scheduler)

    def Semaphore(self, value: int = 1) -> "Semaphore":  # noqa: N802
        """As threading.Semaphore."""
        return Semaphore(self.scheduler, value)

    BoundedSemaphore = Semaphore

    def Thread(  # noqa: N802
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> "Thread":
        """As threading.Thread."""
        del group
        number = next(self._names)
        return Thread(
            self.scheduler,
            number,
            target,
            name or f"thread-{number}",
            tuple(args),
            dict(kwargs or {}),
            daemon,
        )

    def current_thread(self) -> object:
        """As threading.current_thread: something with a name."""
        return self.scheduler.current


class Lock:
    """As threading.Lock."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._owner: schedule.Thread | None = None
        self._waiting: deque[schedule.Thread] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As threading.Lock.acquire."""
        me = self._scheduler.current
        until = None if timeout < 0 else self._scheduler.now_us + int(timeout * 1e6)
        while self._owner is not None:
            if not blocking or (until is not None and self._scheduler.now_us >= until):
                return False
            self._waiting.append(me)
            try:
                self._scheduler.wait(until)
            finally:
                if me in self._waiting:
                    self._waiting.remove(me)
        self._owner = me
        return True

    def release(self) -> None:
        """As threading.Lock.release."""
        if self._owner is None and not self._scheduler.current.is_dead:
            raise RuntimeError("release unlocked lock")
        self._owner = None
        if self._waiting:
            self._scheduler.wake(self._waiting.popleft())

    def locked(self) -> bool:
        """As threading.Lock.locked."""
        return self._owner is not None

    def _at_fork_reinit(self) -> None:
        self._owner = None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    """As threading.RLock."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As threading.RLock.acquire."""
        if self._owner is not self._scheduler.current and not super().acquire(blocking, timeout):
            return False
        self._count += 1
        return True

    def release(self) -> None:
        """As threading.RLock.release."""
        self._count -= 1
        if self._count <= 0:
            self._count = 0
            super().release()


class Condition:
    """As threading.Condition."""

    def __init__(self, scheduler: Scheduler, lock: Lock) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._waiting: deque[schedule.Thread] = deque()
        self.acquire = lock.acquire
        self.release = lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """As threading.Condition.wait."""
        me = self._scheduler.current
        until = None if timeout is None else self._scheduler.now_us + int(timeout * 1e6)
        count = self._lock._count if isinstance(self._lock, RLock) else 1
        self._waiting.append(me)
        if isinstance(self._lock, RLock):
            self._lock._count = 1
        self._lock.release()
        woken = True
        try:
            while me in self._waiting:
                if until is not None and self._scheduler.now_us >= until:
                    self._waiting.remove(me)
                    woken = False
                    break
                self._scheduler.wait(until)
        finally:
            if me in self._waiting:
                self._waiting.remove(me)
            self._lock.acquire()
            if isinstance(self._lock, RLock):
                self._lock._count = count
        return woken

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """As threading.Condition.wait_for."""
        until = None if timeout is None else self._scheduler.now_us + int(timeout * 1e6)
        while not (result := predicate()):
            left = None if until is None else (until - self._scheduler.now_us) / 1e6
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        """As threading.Condition.notify."""
        for _ in range(min(n, len(self._waiting))):
            self._scheduler.wake(self._waiting.popleft())

    def notify_all(self) -> None:
        """As threading.Condition.notify_all."""
        self.notify(len(self._waiting))


class Event:
    """As threading.Event."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._condition = Condition(scheduler, Lock(scheduler))
        self._set = False

    def is_set(self) -> bool:
        """As threading.Event.is_set."""
        return self._set

    def set(self) -> None:
        """As threading.Event.set."""
        with self._condition:
            self._set = True
            self._condition.notify_all()

    def clear(self) -> None:
        """As threading.Event.clear."""
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """As threading.Event.wait."""
        with self._condition:
            self._condition.wait_for(lambda: self._set, timeout)
        return self._set


class Semaphore:
    """As threading.Semaphore."""

    def __init__(self, scheduler: Scheduler, value: int = 1) -> None:
        self._condition = Condition(scheduler, Lock(scheduler))
        self._value = value

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """As threading.Semaphore.acquire."""
        with self._condition:
            if not blocking and not self._value:
                return False
            if not self._condition.wait_for(lambda: self._value > 0, timeout):
                return False
            self._value -= 1
            return True

    def release(self, n: int = 1) -> None:
        """As threading.Semaphore.release."""
        with self._condition:
            self._value += n
            self._condition.notify(n)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Thread:
    """As threading.Thread."""

    def __init__(
        self,
        scheduler: Scheduler,
        number: int,
        target: Callable[..., object] | None,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        daemon: bool | None,
    ) -> None:
        self._scheduler, self._target, self._args, self._kwargs = scheduler, target, args, kwargs
        self._number = number
        self.name = name
        self.daemon = bool(daemon)
        self.ident: int | None = None
        self._thread: schedule.Thread | None = None

    def __hash__(self) -> int:
        # Executors walk through a set of them.
        return self._number

    def start(self) -> None:
        """As threading.Thread.start."""
        self.ident = self._number
        self._thread = self._scheduler.spawn(self.name, self.run, self._scheduler.current.process)

    def run(self) -> None:
        """As threading.Thread.run."""
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def join(self, timeout: float | None = None) -> None:
        """As threading.Thread.join."""
        until = None if timeout is None else self._scheduler.now_us + int(timeout * 1e6)
        assert self._thread is not None, "not started"
        while not self._thread.done and (until is None or self._scheduler.now_us < until):
            self._thread.joiners.append(self._scheduler.current)
            self._scheduler.wait(until)

    def is_alive(self) -> bool:
        """As threading.Thread.is_alive."""
        return self._thread is not None and not self._thread.done
