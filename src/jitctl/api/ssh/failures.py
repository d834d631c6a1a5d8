"""Why ssh could not do it, in one sentence with what to type. ssh's own words are read for that; they are never
translated, and its user has seen them already.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jitctl.api.ssh import configured
from jitctl.api.transport import Cut
from jitd.core.commandline import command
from jitd.core.errors import JitError

if TYPE_CHECKING:
    from jitctl.api.ssh import Login
    from jitctl.machine.tunnel import behind

#: How ssh itself ends when it could not do what it was told (ssh(1), EXIT STATUS).
SSH_FAILED: Final = 255
#: How a shell ends that does not find the program, or may not run it (POSIX, 2.8.2).
NOT_FOUND: Final = 127
NOT_RUN: Final = 126
#: Exit statuses of a jitctl there that say more than that jitd is not reached.
_CODES: Final = {3: "refused", 7: "not_permitted"}


class End(NamedTuple):
    """How an ssh ended: its exit status (negative: by a signal), what it said, what was missing of an answer, and the
    limit in seconds that there was (None: none).
    """

    status: int
    said: str
    cut: Cut
    patience: float | None


class _Case(NamedTuple):
    """A failure of ssh that is known by its words."""

    way: Login
    end: End
    matched: re.Match[str]


def of(way: Login, end: End) -> JitError:
    """What to say of a login that gave no answer."""
    if end.status == SSH_FAILED or end.cut.late:
        for pattern, tell in _KNOWN:
            if matched := pattern.search(end.said):
                return tell(_Case(way, end, matched))
    if end.cut.late:
        return _no_answer(way, f"no answer within {end.patience or 0:g} s")
    if end.status == SSH_FAILED:
        return _unreachable(
            f"cannot reach {way.host}: ssh failed; its message is above", f"Try: {way.typed()}"
        )
    return _there(way, end)


def _there(way: Login, end: End) -> JitError:
    """It was logged in, and what runs there is not a jitctl that reaches jitd."""
    if end.status in (NOT_FOUND, NOT_RUN):
        return _unreachable(
            f"cannot reach jitd on {way.host}: jitctl is not installed there",
            f"An administrator installs jitctl on {way.host}, in a directory that ssh searches: "
            f"{way.typed()}",
        )
    # A jitctl of that machine that says what it has against it; older ones say it in words.
    told = re.findall(r"^jitctl: (cannot .*)$", end.said, re.MULTILINE)
    if told:
        return JitError(
            _CODES.get(end.status, "unreachable"), f"{told[-1]} (said on {way.host})", f"Try: {way.typed()}"
        )
    by = f", exit status {end.status}" if end.status else ""
    return _unreachable(
        f"cannot get an answer from jitd on {way.host}: {end.cut.why}{by}",
        f"The account may have a forced command, or its shell may print text at login. Try: {way.typed()}",
    )


def _changed(case: _Case) -> JitError:
    seen = re.search(r"^(SHA256:[A-Za-z0-9+/]+)\.?$", case.end.said, re.MULTILINE)
    shown = f" This one is {seen[1]}." if seen else ""
    name = re.search(r"^Host key for (\S+) has changed", case.end.said, re.MULTILINE)
    file = re.search(r"^Offending \S+ key in (.+):[0-9]+$", case.end.said, re.MULTILINE)
    forget = ""
    if name and file:
        usual = Path(file[1]) == Path.home() / ".ssh" / "known_hosts"
        where = "" if usual else f"-f {shlex.quote(file[1])} "
        forget = f" If they are the same, forget the old key: ssh-keygen {where}-R {shlex.quote(name[1])}"
    return JitError(
        "untrusted",
        f"cannot trust {case.way.host}: its host key has changed, so nothing was sent. The gateway may have "
        "been reinstalled, or the connection may be intercepted",
        f"Ask an administrator for its fingerprint, and not over this connection.{shown}{forget}",
    )


def _unknown(case: _Case) -> JitError:
    asking = case.way.typed("-o", "BatchMode=no", "-o", "StrictHostKeyChecking=ask")
    return JitError(
        "untrusted",
        f"cannot trust {case.way.host} yet: its host key is not known on this machine, and has not been "
        "accepted",
        f"Ask an administrator for its fingerprint, and compare it at a terminal: {asking}",
    )


def _denied(case: _Case) -> JitError:
    import time

    from jitctl.api.ssh import certificates
    from jitctl.render import times

    now = int(time.time() * 1000)
    found = certificates.found(configured.settings(case.way))
    invalid = [one for one in found if not one.is_valid(now)]
    if invalid and len(invalid) == len(found):
        one = invalid[0]
        look = f"ssh-keygen -L -f {shlex.quote(str(one.file))}" if one.file else "ssh-add -L"
        if one.end is not None and one.end <= now:
            return JitError(
                "not_permitted",
                f"cannot log in on {case.way.host}: your ssh certificate {one.name} expired at {times.local(one.end, now)}",
                f"Get a new one from the place that issued it. To show it: {look}",
            )
        return JitError(
            "not_permitted",
            f"cannot log in on {case.way.host}: your ssh certificate {one.name} is not valid before"
            f" {times.local(one.begin or now, now)}",
            f"Check the clock of this machine. To show the certificate: {look}",
        )
    if "UNPROTECTED PRIVATE KEY FILE" in case.end.said:
        return JitError(
            "not_permitted",
            f"cannot log in on {case.way.host}: ssh does not use your key, because other users can read the "
            "file",
            "Other users may have copied it. If you are sure that they have not, run chmod 600 on the file "
            "that ssh names above",
        )
    asleep = (
        "A key with a passphrase has to be loaded first: ssh-add. " if case.end.patience is not None else ""
    )
    return JitError(
        "not_permitted",
        f"cannot log in on {case.way.host}: it accepts none of your ssh keys{case.matched[1]}",
        f"{asleep}An administrator adds your public key there (~/.ssh/authorized_keys); to see which keys "
        "are offered:"
        f" {case.way.typed('-v')}",
    )


def _silent(case: _Case) -> JitError:
    return _no_answer(case.way, case.matched[1].lower())


def _no_answer(way: Login, why: str) -> JitError:
    """Nobody answers: perhaps because the way there is the tunnel that access is asked for."""
    from jitctl.machine.tunnel.behind import which

    settings = configured.settings(way)
    if not configured.is_through_another(settings):
        for address in configured.addresses(settings):
            found = which(address)
            if found is not None:
                return _through_its_tunnel(way, why, found)
    return _unreachable(
        f"cannot reach {way.host}: {why}",
        "Check that this machine is online and the gateway is up. If the gateway is only reachable from "
        "some networks, connect from one of them. Try:"
        f" {way.typed()}",
    )


def _through_its_tunnel(way: Login, why: str, found: behind.Behind) -> JitError:
    how = "up, but passes no traffic: no grant is active now" if found.is_up else "down"
    user = f"{way.address[way.address.index('-l') + 1]}@" if "-l" in way.address else ""
    other = found.endpoint if found.endpoint and found.endpoint != str(found.address) else "PUBLIC-NAME"
    return _unreachable(
        f"cannot reach {way.host}: {why}. {found.address} is an address behind the tunnel {found.tunnel}, "
        f"which is {how}. With this address, the gateway can only be reached while you have access",
        f"Use an address that is reachable without the tunnel: {command('setup', f'ssh://{user}{other}')}; or "
        "contact an administrator in another way, who can grant access with jitctl grant --user",
    )


def _unreachable(message: str, hint: str) -> JitError:
    return JitError("unreachable", message, hint)


def _says(code: str, message: str, hint: str) -> Callable[[_Case], JitError]:
    """Tells a failure in these words, in which {host}, {look} for a command that shows more, and the groups of its
    pattern ({1}, {2}) are put.
    """

    def tell(case: _Case) -> JitError:
        facts = (case.matched[0], *case.matched.groups())
        named = {"host": case.way.host, "look": case.way.typed("-v")}
        return JitError(code, message.format(*facts, **named), hint.format(*facts, **named))

    return tell


_revoked = _says(
    "untrusted",
    "cannot trust {host}: its host key is revoked on this machine, so nothing was sent",
    "Ask an administrator; a key is revoked when it may be known to others.",
)
_certificate_of_host = _says(
    "untrusted",
    "cannot trust {host}: the certificate of its host key is not valid ({1})",
    "Check the clock of this machine. If it is right, an administrator has to renew the certificate on "
    "the gateway.",
)
_too_many = _says(
    "not_permitted",
    "cannot log in on {host}: it refused further tries before ssh offered the right key",
    "Name the key in ~/.ssh/config, under Host: IdentityFile and IdentitiesOnly yes",
)
_no_name = _says(
    "unreachable",
    "cannot reach {host}: the name {1} does not resolve ({2})",
    "Check that this machine is online and that the name is right; jitctl setup sets another name.",
)
_refused = _says(
    "unreachable",
    "cannot reach {host}: no server listens on port {2} of {1}",
    "Check that sshd runs there, on this port. Another port is typed as ssh://you@gateway:2222",
)
_shut = _says(
    "unreachable",
    "cannot reach {host}: it closes the connection before the login",
    "It may be busy, restarting, or blocking this machine for a while (fail2ban). Try again in a few "
    "minutes, or:"
    " {look}",
)
_lost = _says(
    "unreachable",
    "cannot get an answer from {host}: the connection was lost",
    "The request may have been carried out: check with jitctl status before you try again.",
)
_no_agreement = _says(
    "unreachable",
    "cannot talk to {host}: its sshd and this ssh support no common {1}",
    "One of them is too old: update OpenSSH.",
)

#: What ssh says at the beginning of a line, and what that means; the first one that is there decides.
_KNOWN: Final[tuple[tuple[re.Pattern[str], Callable[[_Case], JitError]], ...]] = tuple(
    (re.compile(pattern, re.MULTILINE), tell)
    for pattern, tell in (
        (r"^@\s+WARNING: REVOKED HOST KEY DETECTED!", _revoked),
        (r"^Host key for \S+ has changed and you have requested strict checking", _changed),
        (r"^(?:\S+ )?[Cc]ertificate invalid: (.+?)\.?$", _certificate_of_host),
        (r"^Host key verification failed", _unknown),
        (r"^Received disconnect from .*: Too many authentication failures", _too_many),
        (r"^(?:\S+: )?Permission denied( \([a-z0-9,@.-]+\))\.?$", _denied),
        (r"^ssh: Could not resolve hostname (\S+): (.+)$", _no_name),
        (r"^ssh: connect to host (\S+) port ([0-9]+): Connection refused", _refused),
        (
            r"^ssh: connect to host \S+ port [0-9]+:"
            r" (Connection timed out|Operation timed out|No route to host|Network is unreachable|Host is down)",
            _silent,
        ),
        (r"^Connection to \S+ port [0-9]+ (timed out)", _silent),
        (r"^Unable to negotiate with .*: no matching (.+) found", _no_agreement),
        (r"^(?:kex_exchange_identification|ssh_exchange_identification|banner exchange): ", _shut),
        (r"^(?:Connection (?:closed|reset) by \S+ port [0-9]+)", _shut),
        (
            r"^(?:Timeout, server \S+ not responding|client_loop: send disconnect|Connection to \S+ closed)",
            _lost,
        ),
    )
)
