"""Faults that are planted in jitd on purpose, to see that the search finds them: without them it is worth nothing.

Each is a small patch of one function's text, applied in the running process. A patch that does not apply any more is an
error, and is to be written anew for what the function has become.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final

from jitd.core import firewallrules, model, policy
from jitd.enforce import firewall
from jitd.engine import service, startup, transact
from jitd.reconcile import access
from jitd.reconcile import firewall as reconcile_firewall
from jitd.store import database, requests, tombstones
from jitd.verbs import context as call
from jitd.verbs import granting, grants


@dataclass(frozen=True, slots=True)
class Patch:
    """`old` stands exactly once in the text of a function, and `new` in its place."""

    function: Callable[..., Any]
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault, the words of the failure that it has to be found by, and the steps that are made often to find it soon."""

    name: str
    patches: tuple[Patch, ...]
    found: str  # a regular expression
    often: tuple[str, ...] = ()


PLANTED: Final = (
    Planted(
        "the firewall identifies interfaces only by name",
        (
            Patch(firewallrules._dispatch, "if numbers:", "if False:"),
            Patch(firewallrules._dispatch, "if _SAFE.fullmatch(one.called):", "if False:"),
            Patch(
                firewallrules._dispatch,
                "    for one in rules.interfaces\n        for ip",
                "    for one in ()\n        for ip",
            ),
            Patch(firewall._devices, "if one.index in there:", "if False:"),
        ),
        r"after its end|without a reason",
        often=("rename",),
    ),
    Planted(
        "a closing verb cuts after the commit",
        (Patch(transact.Transactor.change, "cuts = bool(call.touched) and", "cuts = False and"),),
        r"it is being closed",
        often=("squeeze",),
    ),
    Planted(
        "a closing verb waits while the exchange of another interface hangs",
        (
            Patch(
                service.Service._close,
                "if not await _either(running, cut.wait(), PROMPT_SECONDS):",
                "if await _either(running, cut.wait(), PROMPT_SECONDS) is None:",
            ),
        ),
        r"it is being closed",
        often=("squeeze",),
    ),
    Planted(
        "a uid that returns with another name counts as its former user",
        (Patch(policy.is_own, "who == (account.uid, account.name)", "who[0] == account.uid"),),
        r"what is \w+'s",
        often=("people", "ask"),
    ),
    Planted(
        "a user who returns with another uid has the former access",
        (
            Patch(policy.is_there, "person.uid != account.uid", "False"),
            Patch(access.People.person, "found.uid is not None and found.uid != uid", "False"),
        ),
        r"is gone",
        often=("people",),
    ),
    Planted(
        "the login uid of every caller is trusted",
        (
            Patch(policy.is_own, "actor.login_is_claimed", "actor.login_uid is None"),
            Patch(
                call.View.person_behind,
                "self.actor.uid == 0 and self.actor.login_uid",
                "self.actor.login_uid",
            ),
        ),
        r"what is \w+'s",
        often=("forge",),
    ),
    Planted(
        "a restored older store counts as the newest",
        (Patch(startup._compare_with_mark, "elif last < mark:", "elif False:"),),
        r"before an older store was restored",
        often=("restore",),
    ),
    Planted(
        "elements have no timeout",
        (Patch(reconcile_firewall.FirewallReconciler._apply, "given[entry].left_ms - spent", "10**10"),),
        r"after its end",
        often=("stay_dead",),
    ),
    Planted(
        "a grant ends only by the wall clock",
        (
            Patch(model.Grant.left_ms, "self.ends_boot_ms - now.boot_ms", "self.ends_ms - now.wall_ms"),
            Patch(model.Grant.is_over, "now.boot_ms >= self.ends_boot_ms", "False"),
            Patch(requests.due, "r.boot_id = ? AND r.ends_boot_ms <= ?", "r.boot_id = ? AND ? < 0"),
        ),
        r"after its end|boot clock",
        often=("step_clock",),
    ),
    Planted(
        "tombstones are not written",
        (
            Patch(
                tombstones.TombstoneFile._write, "os.pwrite(self._file, text.", "os.pwrite(self._file, b''."
            ),
        ),
        r"being closed|revoked|released",
        often=("squeeze", "stay_dead"),
    ),
    Planted(
        "a denial is accepted in every state of the request",
        (
            Patch(grants.deny, "request.status(call.now) is not Status.PENDING or", ""),
            Patch(requests.deny, "state = 'pending'", "state IN ('pending', 'denied')"),
        ),
        r"decided twice",
        often=("deny",),
    ),
    Planted(
        "users decide on their own requests",
        (Patch(granting.refuse_own, "if policy.may_be_own(call.actor, account)", "if False"),),
        r"which is their own",
        often=("grant",),
    ),
    Planted(
        "standing access stays after a membership is lost",
        (
            Patch(access.Memory.decide, "answer is Answer.NO", "False"),
            # It is looked for in two ways.
            Patch(access.People.is_lost, "if self.lost", "if kind == 'grant' and self.lost"),
            Patch(access.People.is_lost, 'kind == "standing" and', "False and"),
        ),
        r"there was never one|no member|is gone",
        often=("people", "wait"),
    ),
    Planted(
        "commits are not synced",
        (Patch(database._prepare, "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),),
        r"events were lost|acknowledged, and not there|cannot be read",
        often=("power",),
    ),
    Planted(
        "a flushed table is not noticed",
        (Patch(firewall.NftFirewall.ensure, "if same and self._fingerprint() == self._print:", "if same:"),),
        r"without a reason|after its end|held out",
        often=("flush",),
    ),
)


class DoesNotApply(Exception):
    """The text that a patch is for is not there any more."""


def named(name: str) -> Planted:
    """The one whose name holds these words."""
    (found,) = [one for one in PLANTED if name in one.name]
    return found


@contextmanager
def planted(fault: Planted) -> Iterator[None]:
    """Within it, jitd has this fault."""
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        patches: dict[FunctionType, list[Patch]] = {}
        for patch in fault.patches:
            patches.setdefault(_plain(patch.function), []).append(patch)
        for function, some in patches.items():
            before.append((function, function.__code__))
            function.__code__ = _patched(function, some)
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


def _plain(function: Any) -> FunctionType:
    found = inspect.unwrap(getattr(function, "fget", function))
    assert isinstance(found, FunctionType)
    return found


def _patched(function: FunctionType, patches: Iterable[Patch]) -> CodeType:
    text = textwrap.dedent(inspect.getsource(function))
    for patch in patches:
        if text.count(patch.old) != 1:
            raise DoesNotApply(f"{function.__qualname__} does not hold {patch.old!r} once:\n{text}")
        text = text.replace(patch.old, patch.new)
    names: dict[str, Any] = {}
    # In a namespace of its own: only the code is taken.
    exec(compile(text, inspect.getfile(function), "exec"), dict(function.__globals__), names)
    return _plain(names[function.__name__]).__code__
