"""What goes wrong, where the program meets the world, and when: fail, hang, delay, kill."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulation.schedule import Killed, Process, Scheduler
from simulation.trace import Trace

#: Microseconds for which the program may wait for a kernel or for wireguard-go: the ports promise it.
EXCHANGE_US: Final = 5_000_000


class Failed(Exception):
    """The world refuses. `why` is an errno name: EIO, ENOSPC."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class Fault:
    """What happens at a place until some time: `fail` (with `chance`), `hang`, or `slow` by up to `slow_us`."""

    kind: str
    until_us: int
    why: str = "EIO"
    chance: float = 1.0
    slow_us: int = 0


class Faults:
    """Places are `disk`, `statement`, `file`, `names`, `nft` and `wg:INDEX`."""

    def __init__(self, scheduler: Scheduler, trace: Trace, kill: Callable[[Process], None]) -> None:
        self._scheduler, self._trace, self._kill = scheduler, trace, kill
        self._random = scheduler.random
        self.active: dict[str, Fault] = {}
        #: After so many seams of the daemon it is killed; None: it is not.
        self.kill_in: int | None = None

    def at(self, place: str) -> Fault | None:
        """The fault that holds at a place now."""
        fault = self.active.get(place)
        if fault is not None and fault.until_us <= self._scheduler.now_us:
            del self.active[place]
            return None
        return fault

    def clear(self) -> None:
        """Everything works again from now on, also what hangs."""
        for fault in self.active.values():
            fault.until_us = self._scheduler.now_us
        self.active.clear()
        self.kill_in = None

    def meet(self, place: str, detail: str, cost_us: int = 0, limit_us: int | None = None) -> None:
        """The program does something here. Raises Failed, or Killed. `limit_us`: for how long it waits at most."""
        scheduler = self._scheduler
        scheduler.refuse_dead()
        process = scheduler.current.process
        self._trace.note(scheduler.now_us, scheduler.current.name, place, detail)
        if process is not None and self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in <= 0:
                self.kill_in = None
                self._kill(process)
                raise Killed
        fault = self.at(place)
        if fault is not None and process is not None:
            if fault.kind == "fail" and self._random.random() < fault.chance:
                raise Failed(fault.why)
            if fault.kind == "hang":
                self._hang(fault, limit_us)
            if fault.kind == "slow":
                cost_us += self._random.randrange(fault.slow_us)
        scheduler.seam(cost_us)

    def _hang(self, fault: Fault, limit_us: int | None) -> None:
        begun = self._scheduler.now_us
        while self._scheduler.now_us < fault.until_us:
            left = fault.until_us - self._scheduler.now_us
            if limit_us is not None:
                left = min(left, begun + limit_us - self._scheduler.now_us)
                if left <= 0:
                    raise Failed("ETIMEDOUT")
            # In steps, because the world may be mended meanwhile.
            self._scheduler.sleep(min(left, 100_000))
