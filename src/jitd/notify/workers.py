"""The delivery workers: one for each channel that the configuration has."""

import logging
from collections.abc import Coroutine
from typing import Any

from jitd.core.clock import Clock
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.notify.channel import Channel
from jitd.notify.chat import ChatChannel
from jitd.notify.delivery import DeliveryWorker, Outbox
from jitd.notify.mail import MailChannel
from jitd.notify.render import Templates

log = logging.getLogger("jitd.notify")


class DeliveryWorkers:
    """All of them, with the templates that they share."""

    def __init__(self, service: Outbox, config: Config, clock: Clock) -> None:
        """Raises JitError when a template cannot be used."""
        mail, chat = config.mail, config.chat
        self._config = config
        channels: list[Channel] = []
        if mail.server:
            channels.append(MailChannel(mail))
        if chat.urls:
            channels.append(ChatChannel(chat, keyring=mail.keyring, secrets=mail.secrets))
        templates = self._read()
        self._all = [
            DeliveryWorker(service, channel, templates, clock, service.watch_outbox()) for channel in channels
        ]

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """What each of them does until it is cancelled."""
        return [worker.run() for worker in self._all]

    def reread(self) -> None:
        """Read the templates again; what cannot be used changes nothing, and is told in the log."""
        try:
            templates = self._read()
        except JitError as error:
            log.error("%s; going on with the templates as they were", error.message)  # noqa: TRY400
            return
        for worker in self._all:
            worker.templates = templates

    def _read(self) -> Templates:
        mail = self._config.mail
        return Templates(mail.templates, jitctl_host=mail.jitctl_host, review_url=mail.review_url)
