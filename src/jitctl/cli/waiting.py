"""Waiting until a request is decided and the kernel agrees, and saying what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import typer

from jitctl.api import following
from jitctl.api.client import Client
from jitctl.api.following import Lost, Moment
from jitctl.cli.app import settings
from jitctl.cli.shared import answer
from jitctl.render import sentences, times
from jitctl.render.line import EVERY, Line
from jitctl.render.output import clean, out, say
from jitd.core import durations
from jitd.core.errors import EXIT_INTERRUPTED, JitError, exit_status

if TYPE_CHECKING:
    from jitd import wire

#: Seconds between looks while the kernel does not agree yet, which is no event of its user's.
_LOOK: Final = 1.0
_LOOK_FIRST: Final = 0.1
#: Seconds between looks while the daemon answers, but has no place for another listener.
_LOOK_DEAF: Final = 5.0
#: Seconds that a wait without --timeout goes on trying to reach the daemon.
GIVE_UP: Final = 300.0


def finish(
    context: typer.Context, reply: wire.RequestReply, limit_ms: int | None, tell: Callable[[], int]
) -> int:
    """Wait for what a verb has asked for. `tell` shows a reply behind which there is nothing to wait for."""
    made = reply["request"]
    if made is None:
        return tell()
    if made["status"] != "pending" and reply["agrees"]:
        return tell() or _exit(made)
    return decided(
        context, made["id"], limit_ms, [sentences.outcome(made, reply["now"]), clean(reply["note"])]
    )


def decided(
    context: typer.Context, number: int, limit_ms: int | None, asked: Sequence[str] | None = None
) -> int:
    """Wait for a decision, at most so long (None: for ever), and show it. Returns the exit status."""
    waiting = Waiting(settings(context).client(), number, limit_ms)
    if not waiting.wait(asked):
        return EXIT_INTERRUPTED
    return became(context, waiting)


def became(context: typer.Context, waiting: Waiting) -> int:
    """Show what became of what somebody has waited for. Returns the exit status."""
    one, now = waiting.request, waiting.now
    reply: wire.RequestReply = {
        "now": now,
        "agrees": waiting.agrees,
        "waiting": "" if waiting.agrees else f"access to {one['network']}",
        "request": one,
        "already": False,
        "note": "",
    }
    status = answer(context, reply, lambda: out(_became(one, now)))
    if one["status"] == "pending":
        say(f"{waiting.stands()} (still pending after {durations.show(waiting.limit_ms or 0)})")
    return status or _exit(one)


class Waiting:
    """A request that somebody waits for, as it was seen last."""

    request: wire.RequestView
    now: int  # the daemon's time of the last look, milliseconds UTC
    agrees: bool  # whether the kernel does, as far as access is granted

    def __init__(self, client: Client, number: int, limit_ms: int | None) -> None:
        self.line = Line()
        self.limit_ms = limit_ms
        self._client = client
        self._number = number
        self._begun = time.monotonic()
        self._end = None if limit_ms is None else self._begun + limit_ms / 1000
        self._look_at: float | None = None  # when to look again whatever happens
        self._unreached: float | None = None  # since when the daemon has not answered
        self._told_lost = False
        self._disagrees: float | None = None  # since when it is granted and the kernel does not agree
        self._told_granted = False
        self._pending = True
        self._seq = 0

    def wait(self, asked: Sequence[str] | None = None) -> bool:
        """Wait; False where that was interrupted, which is told. Raises JitError.

        `asked` is what there is to say about a request that was made a moment ago; it is not given up because jitd is
        not there just now.
        """
        try:
            for remark in asked or ():
                if remark:
                    say(remark)
            try:
                self._run(asked=asked is not None)
            finally:
                self.line.clear()
        except KeyboardInterrupt:
            self.line.begin()
            say(self.stands())
            return False
        return True

    def _run(self, *, asked: bool) -> None:
        """Return when there is nothing to wait for any more, or the time is over. Raises JitError."""
        if self._begin() if asked else self._look():
            return
        if self.request["approved_by"]:
            agreed, needed = self.request["approved_by"], self.request["approvals"]
            self._say(f"{len(agreed)} of {needed} have approved: {clean(', '.join(agreed))}")
        # What was seen was seen with the SEQ of its newest event: nothing can happen in between.
        for happened in following.follow(
            self._client,
            self._wake,
            after=self._seq,
            patient=True,
            user=self.request["user"],
            network=self.request["network"],
        ):
            match happened:
                case Lost(error):
                    self._lose(error)
                case Moment.LISTENING:
                    if self._unreached is not None:
                        self._look_at = time.monotonic()
                case Moment.AWAKE:
                    pass
                case event:
                    if event["id"] is not None and event["id"] in (self._number, self.request["extends"]):
                        self._say_vote(event)
                        self._look_at = time.monotonic()
            if self._is_over():
                return
            self.line.draw(self._doing())

    def _say_vote(self, event: wire.EventView) -> None:
        from jitctl.render import events
        from jitd.core.events import EventKind

        if event["kind"] in (EventKind.APPROVED, EventKind.APPROVAL_VOID):
            self._say(f"{events.by(event)}: {events.sentence(event)}")

    def stands(self) -> str:
        """What holds when nobody waits any more."""
        if self._pending:
            return f"request {self._number} stands: jitctl wait {self._number} | jitctl cancel {self._number}"
        return f"grant {self._number} stands: jitctl wait {self._number} | jitctl release {self._number}"

    def _begin(self) -> bool:
        """The first look, as soon as there is an answer."""
        while True:
            try:
                return self._look()
            except JitError as error:
                if error.code not in following.PASSING:
                    raise
                self._lose(error)
            self._refuse_silence(time.monotonic())
            self.line.draw(self._doing())
            time.sleep(min(self._wake(), _LOOK))

    def _look(self) -> bool:
        """See how it is now; returns whether there is nothing to wait for."""
        reply = self._client.show(self._number)
        one = reply["request"]
        self._look_at = self._unreached = None
        if self._told_lost:
            self._say("jitd is back")
            self._told_lost = False
        self.request, self.now = one, reply["now"]
        self._seq = max((event["seq"] for event in reply["events"]), default=0)
        self._pending = one["status"] == "pending"
        self.agrees = True
        if one["status"] != "active":
            return not self._pending
        # More time is given to the grant that it was asked for.
        grant = one if one["extends"] is None else self._client.show(one["extends"])["request"]
        self.agrees = "activating" not in grant["marks"]
        if not self.agrees:
            now = time.monotonic()
            self._disagrees = self._disagrees or now
            # For a moment that is so after every grant.
            if not self._told_granted and now > self._disagrees + _LOOK:
                self._say(f"granted by {clean(one['decided_by'])}; the kernel does not agree yet")
                self._told_granted = True
            self._look_at = now + (_LOOK if self._told_granted else _LOOK_FIRST)
        return self.agrees

    def _is_over(self) -> bool:
        """Look where it is time to. Returns whether to wait no longer."""
        now = time.monotonic()
        late = self._end is not None and now >= self._end
        if (self._look_at is not None and now >= self._look_at) or late:
            self._look_at = None
            try:
                if self._look():
                    return True
            except JitError as error:
                if error.code not in following.PASSING:
                    raise
                self._lose(error)
                self._look_at = now + _LOOK_DEAF
        self._refuse_silence(now)
        return late

    def _refuse_silence(self, now: float) -> None:
        """Raise JitError unreachable when jitd has not answered for too long."""
        if self._unreached is None or now < (self._end or self._unreached + GIVE_UP):
            return
        raise JitError(
            "unreachable",
            f"cannot tell the outcome of request {self._number}: jitd does not answer",
            f"The request stands: jitctl wait {self._number}",
        )

    def _lose(self, error: JitError) -> None:
        now = time.monotonic()
        if error.code == "limit":
            # There is a daemon, with no place for another listener: it can be asked.
            self._look_at = self._look_at or now + _LOOK_DEAF
            return
        self._unreached = self._unreached or now
        if not self._told_lost:
            self._say("jitd does not answer; the request stands; waiting for jitd")
            self._told_lost = True

    def _wake(self) -> float:
        """Seconds until there is something to do besides listening."""
        now = time.monotonic()
        moments = [at for at in (self._end, self._look_at) if at is not None]
        if self.line.is_shown:
            moments.append(now + EVERY)
        return max(0.01, min(moments, default=now + GIVE_UP) - now)

    def _doing(self) -> str:
        passed = times.left(int(time.monotonic() - self._begun) * 1000)
        if self._told_lost:
            return f"request {self._number}: waiting for jitd, {passed}"
        if self._pending:
            return f"request {self._number}: waiting for a decision, {passed}"
        return f"grant {self._number}: waiting for the kernel to agree, {passed}"

    def _say(self, remark: str) -> None:
        self.line.clear()
        say(remark)


def _became(one: wire.RequestView, now: int) -> str:
    """What became of a request, by whom and why."""
    told = sentences.outcome(one, now)
    if one["ended"] is not None and one["status"] not in ("active", "scheduled", "denied"):
        by, why = one["ended_by"], one["ended_comment"]
    elif one["status"] == "denied":
        by, why = one["decided_by"], one["comment"]
    elif one["status"] == "lapsed":
        # Its time is over, and that was not recorded yet.
        by, why = "", "nobody decided in time"
    else:
        by, why = "", one["comment"] if one["status"] != "pending" else ""
    return told + (f" by {clean(by)}" if by else "") + (f": {clean(why)}" if why else "")


def _exit(one: wire.RequestView) -> int:
    """The exit status for somebody who waits for access."""
    match one["status"]:
        case "active":
            return exit_status("pending") if "frozen" in one["marks"] else 0
        case "pending" | "scheduled":
            return exit_status("pending")
        case "denied":
            return exit_status("denied")
        case _:
            return exit_status("ended")
