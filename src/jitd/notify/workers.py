"""The couriers: one for each way to reach people that the configuration has."""

import logging
from collections.abc import Coroutine
from typing import Any

from jitd.core.clock import Clock
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.notify.channel import Way
from jitd.notify.chat import ChatWay
from jitd.notify.delivery import Courier, Outbox
from jitd.notify.mail import MailWay
from jitd.notify.render import Templates

log = logging.getLogger("jitd.notify")


class Couriers:
    """All of them, with the templates that they share."""

    def __init__(self, service: Outbox, config: Config, clock: Clock) -> None:
        """Raises JitError when a template cannot be used."""
        mail, chat = config.mail, config.chat
        self._config = config
        ways: list[Way] = []
        if mail.server:
            ways.append(MailWay(mail))
        if chat.urls:
            ways.append(ChatWay(chat, keyring=mail.keyring, secrets=mail.secrets))
        templates = self._read()
        self._all = [Courier(service, way, templates, clock, service.watch_outbox()) for way in ways]

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """What each of them does until it is cancelled."""
        return [courier.run() for courier in self._all]

    def reread(self) -> None:
        """Read the templates again; what cannot be used changes nothing, and is told in the log."""
        try:
            templates = self._read()
        except JitError as error:
            log.error("%s; going on with the templates as they were", error.message)  # noqa: TRY400
            return
        for courier in self._all:
            courier.templates = templates

    def _read(self) -> Templates:
        mail = self._config.mail
        return Templates(mail.templates, jitctl_host=mail.jitctl_host, review_url=mail.review_url)
