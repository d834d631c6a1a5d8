"""Chat and everything else that apprise knows: chat rooms, pagers, telephones.

Each delivery is a process of its own (`apprise_once.py`): a hundred kinds of services are spoken to by other people's
code, which has no business in the process that owns the interfaces, may hang, and is ended after a time.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jitd.core.configuration import PLACEHOLDER, Chat
from jitd.core.errors import JitError
from jitd.core.model import Message
from jitd.notify import secret
from jitd.notify.channel import DeliveryError
from jitd.notify.render import Rendered
from jitd.notify.typed import NAMES

#: What chats take for markup, mentions or links, as letters that look the same and do nothing.
_INERT: Final = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "<>[]*_~`|@"})
_ONCE: Final = Path(__file__).with_name("apprise_once.py")


class ChatChannel:
    """The destinations that the configuration names."""

    name: Final = "chat"

    def __init__(self, config: Chat, *, keyring: str, secrets: Path) -> None:
        """`keyring` and `secrets` say where secrets are, as for mail."""
        self._config = config
        self._keyring = keyring
        self._secrets = secrets
        self.digest_from = config.digest_from

    def facts(self, data: Mapping[str, object]) -> Mapping[str, object]:
        """With typed texts in which nothing is markup, a mention or a link."""
        return {
            key: value.translate(_INERT) if isinstance(value, str) and key not in NAMES else value
            for key, value in data.items()
        }

    @asynccontextmanager
    async def converse(self) -> AsyncIterator["ChatChannel"]:
        """Nothing to open: every message is a delivery of its own."""
        yield self

    is_open: Final = True  # a destination that is closed keeps nobody out of the others

    async def send(self, first: Message, rendered: Rendered, *, together: bool) -> None:  # noqa: ARG002
        """Hand one message to a destination. Raises DeliveryError with the service's own words."""
        destination = first.recipient
        url = self._config.urls.get(destination)
        if url is None:
            raise DeliveryError(f"{destination} is no longer in [chat] urls", permanent=True)
        kept = ""
        if PLACEHOLDER in url:
            try:
                kept = secret.find(f"chat-{destination}", keyring=self._keyring, directory=self._secrets)
            except JitError as error:
                raise DeliveryError(f"{error.message}. {error.hint}", permanent=False) from error
            # A whole address is kept as it is; a part of one may have characters that mean something there.
            url = kept if url == PLACEHOLDER else url.replace(PLACEHOLDER, quote(kept, safe=""))
        said = await self._notify({"url": url, "title": rendered.subject, "body": rendered.text})
        if said:
            for hidden in {kept, quote(kept, safe="")} - {""}:
                said = said.replace(hidden, "…")
            raise DeliveryError(said, permanent=False)

    async def _notify(self, message: dict[str, str]) -> str:
        """What the service has said against it, "" when it took the message."""
        # The address, with its secret, goes through a pipe: arguments and environments can be read by others.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_ONCE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            given = json.dumps(message).encode()
            answered, _ = await asyncio.wait_for(process.communicate(given), self._config.timeout_seconds)
        except TimeoutError:
            return f"no answer within {self._config.timeout_seconds} s"
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            return "the library apprise failed: is it installed? (pip install 'jitctl[chat]')"
        said: str = json.loads(answered)
        return said
