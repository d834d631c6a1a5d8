"""Who reads metrics, and how they get them: on the socket, at a port of this machine, and as a file."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from aiohttp import web

from jitd.core.configuration import Metrics
from jitd.core.errors import KINDS
from jitd.core.metrics import Metric, Sample
from jitd.engine.threads import SerialExecutor
from jitd.server.exposition import Answer, Text, expose
from jitd.server.scraping import Scraping
from jitd.server.textfile import Textfile

#: What connections are refused with.
_REFUSED: Final = ("limit", "not_permitted", "busy")


class Monitoring:
    """Adds to what the service knows what the server does, and makes a text of it. Belongs to the event loop."""

    def __init__(self, config: Metrics, measured: Callable[[], Awaitable[Sequence[Sample]]]) -> None:
        self.errors: Counter[str] = Counter()  # requests that were answered with an error, by its code
        #: How many connections are open, and how many were refused, by code of the error.
        self.connections: Callable[[], tuple[int, Mapping[str, int]]] = lambda: (0, {})
        self._measured = measured
        # One text at a time, beside the loop; the file has a thread of its own, whose disk may hang.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jitd-metrics")
        self._readers: list[Scraping | Textfile] = []
        if (address := config.address()) is not None:
            self._readers.append(Scraping(address, self._expose))
        if config.textfile:
            path = Path(config.textfile)
            self._readers.append(Textfile(path, self._expose, SerialExecutor("jitd-textfile")))

    async def start(self) -> None:
        """Begin. What cannot be is told, and tried again; jitd starts all the same."""
        for one in self._readers:
            await one.start()

    async def look(self) -> list[str]:
        """Try again what could not be, and say what is wrong."""
        for one in self._readers:
            await one.keep()
        return [problem for one in self._readers if (problem := one.problem())]

    async def close(self) -> None:
        """Tell nobody any more."""
        for one in self._readers:
            await one.close()
        self._thread.shutdown(wait=False)

    async def reply(self, samples: Sequence[Sample], accept: str) -> web.Response:
        """The reply to who may read them on the socket, in the format that an Accept header asks for."""
        text, media = await self._render(samples, Text.wanted(accept))
        return web.Response(body=text, headers={"Content-Type": media})

    async def _expose(self, how: Text) -> Answer:
        return await self._render(await self._measured(), how)

    async def _render(self, samples: Sequence[Sample], how: Text) -> Answer:
        taken, refused = self.connections()
        own = [
            Sample(Metric.CONNECTIONS, taken),
            *(Sample(Metric.REFUSED, refused.get(code, 0), (code,)) for code in _REFUSED),
            *(Sample(Metric.ERRORS, self.errors[code], (code,)) for code in KINDS),
        ]
        running = asyncio.get_running_loop().run_in_executor(self._thread, expose, [*samples, *own], how)
        return await running
