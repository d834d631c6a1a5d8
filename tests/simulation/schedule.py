"""One seeded scheduler for every thread: exactly one runs at a time, and time goes on only when all of them wait.

Threads are real ones that hand a baton on. They do so where they would wait anyway (locks, queues, the event loop's
selector) and at the seams where the program meets the world (statements, exchanges, questions). Who goes next is drawn
from the seed, so that a run is the same each time.
"""

import random
import threading
from collections.abc import Callable
from typing import Any, Final

#: How often a thread that could go on lets another one go first at a seam.
PREEMPT: Final = 0.15
#: So many hand-overs in one run are a loop without end: usual runs have at most 15,000.
MOST_TURNS: Final = 60_000


class Killed(BaseException):
    """The process of this thread was killed: nothing that it does reaches the world any more."""


class Stuck(Exception):
    """Nobody can go on, and no time is waited for."""


class Process:
    """What dies together. `dead` ends every thread of it at its next seam."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.kept: list[
            object
        ] = []  # must not be collected while the run goes on: finalizers would run anywhere


class Thread:
    """A thread under the scheduler. `until_us` is when it wants to go on without being woken."""

    def __init__(self, name: str, process: Process | None) -> None:
        self.name = name
        self.process = process
        self.baton = threading.Lock()
        self.baton.acquire()
        self.ready = True
        self.done = False
        self.until_us: int | None = None
        self.joiners: list[Thread] = []
        self.locals: dict[str, Any] = {}

    @property
    def is_dead(self) -> bool:
        """Whether its process was killed."""
        return self.process is not None and self.process.dead


class Scheduler:
    """Time in integer microseconds of the monotonic clock, and whose turn it is."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_us = 1_000_000_000
        self.turns = 0
        self.driver = Thread("driver", None)
        self.current = self.driver
        self.threads: list[Thread] = [self.driver]
        self.failure: BaseException | None = None

    # --- what threads call ---

    def spawn(self, name: str, function: Callable[[], None], process: Process | None) -> Thread:
        """Begin a thread; it has its first turn when it is drawn."""
        made = Thread(name, process)
        self.threads.append(made)

        todo = [function]
        del function

        def work() -> None:
            made.baton.acquire()
            try:
                if not made.is_dead:
                    todo[0]()
            except Killed:
                pass
            except BaseException as error:  # noqa: BLE001 - handed to the driver
                if not made.is_dead:
                    self.failure = self.failure or error
            # What goes with it goes while it is still its turn.
            todo.clear()
            made.done = True
            made.ready = False
            for joiner in made.joiners:
                joiner.ready = True
            self.threads.remove(made)
            self._next().baton.release()

        threading.Thread(target=work, name=f"sim-{name}", daemon=True).start()
        return made

    def wait(self, until_us: int | None = None) -> None:
        """Wait to be woken, or for that time."""
        me = self.current
        self.refuse_dead()
        me.ready, me.until_us = False, until_us
        self._hand_over(me)
        self.refuse_dead()

    def sleep(self, us: int) -> None:
        """Let that much time pass for this thread."""
        until, me = self.now_us + us, self.current
        if all(one is me or not (one.ready or (one.until_us or until + 1) <= until) for one in self.threads):
            self.refuse_dead()
            self.now_us = until
        while self.now_us < until:
            self.wait(until)

    def seam(self, us: int = 0) -> None:
        """A place where this thread may lose its turn, and which takes some time."""
        if us:
            self.sleep(us)
            return
        self.refuse_dead()
        if self.random.random() < PREEMPT:
            self._hand_over(self.current)
            self.refuse_dead()

    def wake(self, thread: Thread) -> None:
        """A waiting thread can go on."""
        thread.ready = True

    def refuse_dead(self) -> None:
        """End the current thread when its process was killed."""
        if self.current.is_dead:
            raise Killed

    def kill(self, process: Process) -> None:
        """Everything of this process ends at its next turn."""
        process.dead = True
        for thread in self.threads:
            if thread.process is process:
                thread.ready = True

    def drain(self) -> None:
        """Every thread of a process that was killed comes to its end."""
        self.turns = 0  # also behind a loop without end
        for _ in range(10_000):
            dead = [one for one in self.threads if one.is_dead]
            if not dead:
                return
            for one in dead:
                one.ready = True
            self.sleep(1)
        raise Stuck(", ".join(one.name for one in self.threads))

    # --- whose turn it is ---

    def _hand_over(self, me: Thread) -> None:
        following = self._next()
        if following is not me:
            following.baton.release()
            me.baton.acquire()
        me.until_us = None
        if me is self.driver and self.turns > MOST_TURNS:
            raise Stuck("a loop without end")

    def _next(self) -> Thread:
        self.turns += 1
        while True:
            ready = [one for one in self.threads if one.ready or _is_due(one, self.now_us)]
            if ready:
                break
            times = [one.until_us for one in self.threads if one.until_us is not None]
            if not times:
                # The driver finds out why.
                self.failure = self.failure or Stuck(", ".join(one.name for one in self.threads))
                ready = [self.driver]
                break
            self.now_us = min(times)
        if self.turns > MOST_TURNS:
            self.failure = self.failure or Stuck("a loop without end")
            ready = [self.driver]
        found = ready[0] if len(ready) == 1 else self.random.choice(ready)
        found.ready = True
        self.current = found
        return found


def _is_due(thread: Thread, now_us: int) -> bool:
    return thread.until_us is not None and thread.until_us <= now_us
