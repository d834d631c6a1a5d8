"""sshd's forwarding rules: a login on the gateway must be no way around it."""

import re
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from jitd import wire
from jitd.diagnostics.check import Check
from jitd.diagnostics.examination import Alone, Examination
from jitd.diagnostics.lines import broken, ok, unknown, warning
from jitd.diagnostics.programs import Answer, ask
from jitd.identity import nss
from jitd.store import devices

#: Whom the shipped snippet (packaging/jitd-sshd.conf) is for.
GROUP: Final = "jit-remote"
#: How many users are asked about, and how long all of it may take in seconds.
USERS: Final = 20
SECONDS: Final = 5.0
_PROGRAMS: Final = ("sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd")
#: A name that needs no quoting in sshd's own `-C user=…`, where a comma ends it.
_NAME: Final = re.compile(r"[\w.@-]+", re.ASCII)
_FIX: Final = "set 'DisableForwarding yes' and 'PermitTunnel no' in /etc/ssh/sshd_config.d, then reload sshd"

Settings = Mapping[str, str]


def examine(users: Sequence[str], *, closed: bool) -> list[wire.Check]:
    """What sshd lets these users forward. `closed`: the firewall stops what their uids send by themselves.

    Blocks for SECONDS at most. sshd is asked for the settings of its usual file; it need not run.
    """
    program = next((path for path in map(shutil.which, _PROGRAMS) if path), None)
    if program is None:
        return [ok("there is no sshd on this machine")]
    deadline = time.monotonic() + SECONDS

    def settings(user: str) -> Settings | Answer:
        left = max(deadline - time.monotonic(), 0.1)
        said = ask([program, "-T", "-C", f"user={user},host=client.invalid,addr=192.0.2.1"], left)
        return said if said.trouble else _read(said.text)

    names = [one for one in dict.fromkeys(users) if _NAME.fullmatch(one)]
    found = _ordinary(names[:USERS], settings, closed=closed)
    if len(names) > USERS:
        found.append(unknown(f"only {USERS} of {len(names)} users were examined"))
    return found + _remote(settings)


def _ordinary(
    users: Sequence[str], settings: Callable[[str], Settings | Answer], *, closed: bool
) -> list[wire.Check]:
    # Somebody whom no rule names, for those who have not been here yet.
    ways: dict[str, list[str]] = {}
    for user in (*users, "nobody"):
        said = settings(user)
        if isinstance(said, Answer):
            return [
                unknown(
                    f"the forwarding settings of sshd cannot be read: {said.trouble}",
                    "sshd -T -C user=NAME,host=x,addr=192.0.2.1 | grep -i forward",
                )
            ]
        for way in _open(said):
            ways.setdefault(way, []).append(user)
    found = [_judge(way, who, closed=closed) for way, who in ways.items()]
    return found or [ok("sshd forwards no connections for users of this gateway")]


def _judge(way: str, users: Sequence[str], *, closed: bool) -> wire.Check:
    who = _listed(users)
    if way == "tcp":
        if closed:
            return ok(
                f"sshd forwards TCP for {who} (ssh -L, ssh -D), but the firewall blocks it "
                "(close_local_users)"
            )
        return warning(
            f"sshd forwards TCP for {who}: ssh -L and ssh -D reach the networks without a grant (traffic of "
            "the gateway's own users is not blocked)",
            f'set close_local_users = true and firewall = "nftables" under [enforce] in jitd.toml, or {_FIX}',
        )
    if way == "tunnel":
        return warning(
            f"sshd makes tunnel devices for {who} (PermitTunnel): its traffic belongs to no user, and the "
            "gateway forwards it",
            _FIX,
        )
    return warning(
        f"sshd lets others use the forwarded ports of {who} (GatewayPorts): other people can use the "
        "connection of one login",
        "set 'GatewayPorts no' in /etc/ssh/sshd_config, then type: systemctl reload ssh",
    )


def _open(said: Settings) -> list[str]:
    """The ways that are open to a user with these settings."""
    forwarding = "no" if said.get("disableforwarding") == "yes" else said.get("allowtcpforwarding", "yes")
    found = []
    if forwarding in ("yes", "local", "all") and said.get("permitopen") != "none":
        found.append("tcp")
    # Not among what DisableForwarding switches off in every release.
    if said.get("permittunnel", "no") != "no":
        found.append("tunnel")
    if said.get("gatewayports", "no") != "no" and forwarding not in ("no", "local"):
        found.append("gateway ports")
    return found


def _remote(settings: Callable[[str], Settings | Answer]) -> list[wire.Check]:
    """Whether those who may only talk to jitd are held to it."""
    try:
        group = nss.group_by_name(GROUP)
    except nss.Unavailable as error:
        return [unknown(f"the group {GROUP} cannot be looked up: {error}")]
    members = sorted(one for one in (group.members if group else ()) if _NAME.fullmatch(one))
    if not members:
        return []
    loose = []
    for member in members[:USERS]:
        said = settings(member)
        if isinstance(said, Answer):
            return [unknown(f"the sshd settings for {GROUP} cannot be read: {said.trouble}")]
        if "dial-stdio" not in said.get("forcecommand", "") and "gate" not in said.get("forcecommand", ""):
            loose.append(member)
    if loose:
        return [
            broken(
                f"sshd gives {_listed(loose)} of {GROUP} more than access to jitd: the shipped settings are "
                "not active",
                "cp packaging/jitd-sshd.conf /etc/ssh/sshd_config.d/jitd.conf && systemctl reload ssh",
            )
        ]
    return [ok(f"{GROUP} can only reach jitd over ssh ({_listed(members)})")]


def _read(text: str) -> Settings:
    """`sshd -T` prints one keyword in lower case and its value on each line; the first of a keyword counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, value.strip())
    return found


def _listed(users: Sequence[str]) -> str:
    named = [one for one in users if one != "nobody"]
    if "nobody" in users:
        return "every user"
    shown = shlex.join(named[:3]).replace(" ", ", ")
    return shown + (f" and {len(named) - 3} others" if len(named) > 3 else "")


def _run(one: Examination) -> list[wire.Check]:
    view = one.view
    if view.backend == "memory":
        return [ok("the memory backend enforces nothing, so an ssh login bypasses nothing")]
    closed = view.firewall.active and view.config.enforce.close_local_users
    users = [
        account.name
        for account in devices.owners(view.rows)
        if not account.is_registered and not view.admin(account.name, account.uid)
    ]
    return one.machine.bounded("sshd", lambda: examine(users, closed=closed), SECONDS)


def _alone(one: Alone) -> list[wire.Check]:
    enforce = one.config.enforce
    if enforce.backend == "memory":
        return []
    return examine((), closed=enforce.close_local_users and enforce.firewall != "none")


CHECKS: Final = (Check("ssh-forwarding", "sshd", "Forwarding by sshd", "broken", _run, alone=_alone),)
