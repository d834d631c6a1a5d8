"""Recording what jitd itself did or saw."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from jitd.core.errors import JitError
from jitd.core.events import EventKind, Nothing
from jitd.store.database import Store
from jitd.store.events import About, Recorder

log = logging.getLogger("jitd.service")


@dataclass(slots=True)
class RecordEvent:
    """Records an event of jitd's own in a transaction of its own. What cannot be recorded is logged and stops nothing."""

    store: Callable[[], Store]
    now_ms: Callable[[], int]

    def __call__(self, kind: EventKind, data: Nothing | None = None, **about: Unpack[About]) -> None:
        """Record it, or log why not."""
        try:
            with self.store().transaction() as rows:
                Recorder(rows, self.now_ms())(kind, data, **about)
        except JitError as error:
            log.error("cannot record %s on %s: %s", kind, about.get("interface"), error.message)  # noqa: TRY400
