"""jitctl's side of the stream against the server's: nothing missed, nothing twice, whatever breaks between them."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from jitctl.api import following
from jitctl.api.client import Client
from jitctl.api.following import Lost, Moment
from support.server import until, world


class Follower:
    """Follows in a thread until it has seen an event; stands still while a test wants it to."""

    def __init__(self, path: Path, last: int, **more: object) -> None:
        self.seen: list[int] = []
        self.told: list[str] = []  # errors, and "listening"
        self.may = threading.Event()
        self.may.set()
        self._done = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(path, last, more, loop), daemon=True).start()

    def _run(self, path: Path, last: int, more: dict[str, object], loop: asyncio.AbstractEventLoop) -> None:
        try:
            client = Client(socket=str(path), host="")
            for happened in following.follow(client, lambda: 0.05, after=0, patient=True, **more):
                assert self.may.wait(30)
                match happened:
                    case Lost(error):
                        self.told.append(error.message)
                    case Moment.LISTENING:
                        self.told.append("listening")
                    case Moment.AWAKE:
                        pass
                    case event:
                        self.seen.append(event["seq"])
                        if event["seq"] == last:
                            break
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed = error
            self._settle(loop, lambda: self._done.set_exception(failed))
        else:
            self._settle(loop, lambda: self._done.set_result(None))

    def _settle(self, loop: asyncio.AbstractEventLoop, how: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(how)

    async def end(self) -> None:
        """Wait until it has seen the last event. Raises what it ended with."""
        await asyncio.wait_for(self._done, 30)


async def test_a_slow_follower_is_dropped_told_and_goes_on(socket_path: Path) -> None:
    """It stops reading, is dropped, reads on: it is told why, comes back, and has every event once."""
    async with world(socket_path, slowest=0.3) as here:
        follower = Follower(socket_path, 400)
        await until(lambda: here.server._watchers.open == 1)
        follower.may.clear()
        for _ in range(399):
            here.service.happen(text="x" * 10_000)
        await until(lambda: here.server._watchers.open == 0)
        follower.may.set()
        here.service.happen()
        await follower.end()
        assert follower.seen == list(range(1, 401))
        assert "cannot continue to send events: the client has not read them for 0.3 seconds" in follower.told
        assert follower.told.count("listening") == 2


async def test_one_that_sleeps_for_longer_goes_on_all_the_same(socket_path: Path) -> None:
    """Dropped so long ago that not even the last line waited for it, it notices the cut, and has every event once."""
    async with world(socket_path, slowest=0.2) as here:
        follower = Follower(socket_path, 400)
        await until(lambda: here.server._watchers.open == 1)
        follower.may.clear()
        for _ in range(399):
            here.service.happen(text="x" * 10_000)
        await until(lambda: here.server._places.taken == 0)
        follower.may.set()
        here.service.happen()
        await follower.end()
        assert follower.seen == list(range(1, 401))
        assert any("the connection broke in the middle" in told for told in follower.told)


async def test_what_does_not_pass_is_raised(socket_path: Path) -> None:
    """A question that is wrong is not asked again and again."""
    async with world(socket_path):
        follower = Follower(socket_path, 1, folow=True)
        try:
            await follower.end()
        except Exception as error:  # noqa: BLE001
            assert "which does not know the key 'folow' of `events`" in str(error)
        else:
            raise AssertionError("it has ended well")


async def test_quiet_streams_let_it_do_other_things(socket_path: Path) -> None:
    """While nothing happens it is awake as often as it wants to be, signs of life or not."""
    async with world(socket_path, heartbeat=0.05) as here:
        awake = 0
        client = Client(socket=str(socket_path), host="")

        def follow() -> None:
            nonlocal awake
            for happened in following.follow(client, lambda: 0.02, after=0):
                awake += happened is Moment.AWAKE
                if isinstance(happened, dict):
                    return

        thread = asyncio.create_task(asyncio.to_thread(follow))
        await until(lambda: awake >= 5)
        here.service.happen()
        await asyncio.wait_for(thread, 10)
