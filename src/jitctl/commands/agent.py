"""agent: what happens to the user's requests, told on the desktop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jitctl.api import following
from jitctl.api.client import Client
from jitctl.api.following import Lost, Moment
from jitctl.cli.app import settings
from jitctl.cli.shared import device_profile
from jitctl.desktop import attending, background
from jitctl.desktop.notifications import Desktop
from jitctl.machine import lately, ownfiles, profiles, tunnel
from jitctl.machine.profiles import Profile
from jitctl.machine.tunnel.manager import take_down
from jitctl.machine.tunnel.names import name_of
from jitctl.render import times
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitd import wire

#: Seconds until it tries again where it cannot go on.
_AGAIN: Final = 30.0
#: Seconds between two marks that the last answer still holds, for prompts.
_HOLDS: Final = 30.0


def agent(
    context: typer.Context,
    while_needed: Annotated[
        bool, typer.Option("--while-needed", help="Exit when no access is open and no request is pending.")
    ] = False,
) -> int:
    """Show desktop notifications when a request is decided, when access is about to end, and when it has
    ended.

    On a desktop, jitctl connect and jitctl request start the agent in the background, and it exits when it is
    no longer needed. When access has ended, the agent takes the tunnel down if that needs no password. One
    agent runs for each gateway.

    Example: jitctl agent --profile office
    """
    profile = device_profile(context, "follow your requests")
    with _only_one(profile):
        shown = Desktop()
        try:
            _Agent(settings(context).client(), profile, shown).run(while_needed=while_needed)
        finally:
            shown.close()
    return 0


class _Agent:
    """Belongs to one gateway."""

    def __init__(self, client: Client, profile: Profile, shown: Desktop) -> None:
        self._client = client
        self._profile = profile
        self._shown = shown
        self._lost = False
        self._seq = 0
        self._reply: wire.StatusReply
        self._asked = 0.0  # when, by a clock that goes on in a suspended machine
        self._held = 0.0
        self._left = ""  # what the user has to type about tunnels of no use
        self._told_ms = 0  # up to which moment of the gateway near ends were told

    def run(self, *, while_needed: bool) -> None:
        """Until Ctrl-C, or until nothing is needed any more. Raises JitError."""
        self._seq = self._client.health()["seq"]
        self._look()
        self._told_ms = self._now()
        while True:
            try:
                self._follow(while_needed=while_needed)
            except JitError:
                # Whatever keeps it from hearing, or showing: while something runs there is an end to tell of.
                if not attending.is_needed(self._reply) or self._now() > self._last_end():
                    raise
                time.sleep(_AGAIN)
            else:
                return

    def _last_end(self) -> int:
        """When the last of what runs ends, by the gateway's clock; 0 where nothing does."""
        return max((one["ends"] or 0 for one in self._reply["networks"]), default=0)

    def _follow(self, *, while_needed: bool) -> None:
        for happened in following.follow(self._client, self._wake, after=self._seq):
            match happened:
                case Lost():
                    self._lost = True
                case Moment.LISTENING if self._lost:
                    self._look()
                case Moment():
                    pass
                case event:
                    self._seq = event["seq"]
                    self._hear(event)
            self._go_on()
            if while_needed and not attending.is_needed(self._reply):
                return

    def _now(self) -> int:
        """The gateway's time, milliseconds UTC."""
        return self._reply["now"] + int((times.elapsed() - self._asked) * 1000)

    def _wake(self) -> float:
        now = self._now()
        at = attending.next_ending(self._reply, self._told_ms)
        waits = [_HOLDS] if at is None else [_HOLDS, (at - now) / 1000]
        return max(0.05, min(waits))

    def _look(self) -> None:
        """Ask how things are. What passes by itself is left to the next time."""
        try:
            self._reply = self._client.status()
        except JitError as error:
            if error.code not in following.PASSING or not self._asked:
                raise
            self._lost = True
            return
        self._lost = False
        self._asked = times.elapsed()
        self._hold()
        self._left = self._take_down()

    def _hear(self, event: wire.EventView) -> None:
        if event["user"] not in (self._reply["user"], None):
            return
        word = attending.of_event(event, self._reply["user"])
        self._look()
        if word is not None:
            body = f"{word.body}. {self._left}" if self._left else word.body
            self._shown.show(word.title, body, urgent=word.urgent)

    def _go_on(self) -> None:
        now = self._now()
        for word in attending.endings(self._reply, self._told_ms, now):
            self._shown.show(word.title, word.body, urgent=word.urgent)
        self._told_ms = now
        if not self._lost and times.elapsed() - self._held >= _HOLDS:
            self._hold()

    def _hold(self) -> None:
        """What was answered holds as long as no event says otherwise."""
        self._held = times.elapsed()
        lately.keep(self._profile.name, {**self._reply, "now": self._now()})

    def _take_down(self) -> str:
        """Take down each tunnel through which nothing is open or asked for any more. Returns what is left for the user to
        type, "" for nothing.
        """
        states = ("active", "standing", "pending", "scheduled")
        used = {one["interface"] for one in self._reply["networks"] if one["state"] in states}
        # Read again: connect writes down which tunnels there are.
        interfaces = profiles.read().named(self._profile.name).interfaces
        names = [name_of(self._profile.name, one) for one in interfaces if one not in used]
        for name in names:
            if not tunnel.is_up(name):
                continue
            try:
                take_down(name)
            except JitError:
                return "jitctl disconnect takes the tunnel down."
        return ""


@contextlib.contextmanager
def _only_one(profile: Profile) -> Iterator[None]:
    """Raises JitError conflict where another one runs for this gateway."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(ownfiles.locked(background.lock(profile)))
        except BlockingIOError:
            raise JitError(
                "conflict", f"cannot follow {profile.name}: another jitctl agent follows it already"
            ) from None
        yield
