"""`jitd init`: an explained configuration and a safe state directory."""

import json
import os
import tomllib
from pathlib import Path
from string import Template

from jitd import config
from jitd.core.errors import JitError
from jitd.identity import nss

_TEMPLATE = Template("""\
# How jitd runs. What people may do is not here: see jitctl network and jitctl interface.
# After a change: jitd check, then systemctl reload jitd (or send SIGHUP). Keys that are not given have the
# values shown. Times are in seconds, sizes in bytes.

[daemon]
# The API. Everyone may connect; what they may do is decided per call, by who the kernel says they are.
socket = $socket
# The store, interface keys and the lock. Only jitd reads it (mode 0700). A change needs a restart.
state_dir = $state_dir
# Members of these groups administer this gateway, as root does: they see everything, grant, deny and revoke.
admin_groups = $admin_groups
# Administrators of these names keep their access while everything is frozen (jitctl freeze).
kept_when_frozen = []
# Shared accounts whose ssh keys say who is there (jitctl gate), for contractors without an account of their own.
gate_users = []
# debug, info, warning or error.
log_level = "info"

[enforce]
# kernel: WireGuard of the kernel; userspace: wireguard-go; auto: the kernel's if it has one, else wireguard-go;
# memory: enforces nothing, for dry runs.
backend = $backend
# The program of the userspace backend: a name in PATH, or a path.
wireguard_go = "wireguard-go"
# nftables: the second layer, a table of jitd's own (nft list table inet jitd) in which every member of a network has a
# timeout that the kernel counts: access ends on time also while jitd is dead. none: WireGuard alone; access stays open
# while jitd is dead, one network per interface, no ports.
firewall = "nftables"
# What members of any network of an interface reach besides: on the gateway itself, or elsewhere as udp/53@10.0.0.53.
always = ["ping", "udp/53", "tcp/53"]
# A shell on the gateway is a way around: ordinary users of this machine (uid 1000 and up) cannot open connections to
# what the networks open.
close_local_users = true

[limits]
# Connections at a time: altogether, kept free for administrators, and of one user.
connections = 256
connections_reserved = 32
connections_per_user = 16
# Requests of one user: pending at a time, and made within an hour. Devices of one user.
requests_open_per_user = 20
requests_per_hour = 60
devices_per_user = 10
# Devices that one user may add within 30 days, those that were removed again included.
devices_added_per_month = 100
# Changes of one person within a minute and a day; administrators may make ten times as many. What closes access is never
# refused.
changes_per_minute = 60
changes_per_day = 1000
# The largest headers and body of one call; how long it may take to arrive; how long an idle connection is kept.
header_bytes = 16384
body_bytes = 65536
read_seconds = 10
idle_seconds = 30
# How many event streams one user may follow.
watchers_per_user = 4

[mail]
# The mail server; without one nobody is told anything. Try it with: jitctl notify test --to you@example.org
server = ""
port = 587
# starttls or tls, with the server's certificate verified; none: as it is, for a server on this machine.
security = "starttls"
# A certification authority of your own, as a file; "": the system's.
ca_file = ""
# Whom to log in as; the password is kept with: jitd secret set smtp
user = ""
# A keyring backend to look the password up in, such as keyring.backends.SecretService.Keyring; "": none.
keyring = ""
# Where passwords are files (mode 0600), unless systemd gives them as credentials.
secrets = "/etc/jitd/secrets"
# Where mails come from.
sender = ""
# The name that this machine greets the server with; "": its own where that has a domain, else the domain of sender.
ehlo = ""
# People get mail at NAME@email_domain, unless they have another address (jitctl user set NAME --email); "": only those.
email_domain = ""
# What the commands in mails name behind --host, such as ssh://gateway.example.org; "": nothing.
jitctl_host = ""
# A page to review requests on, such as https://jit.example.org/requests/{id}; "": none.
review_url = ""
# Templates of your own, see docs/mail.md.
templates = "/etc/jitd/templates"
# When those who decide are told again that a request waits; then after twice as long each time.
remind_minutes = 30
# So many mails to one recipient within ten minutes; then they come together.
digest_from = 10
# How long the server may take for an answer.
timeout_seconds = 30

[chat]
# Rooms for those who decide, each an address that apprise knows, and a name for it:
#   urls = { ops = "slack://{secret}/#ops", pager = "ntfys://ntfy.example.org/jit" }
# {secret} stands for what is kept with: jitd secret set chat-ops
urls = {}
# Which messages go there, see docs/mail.md.
about = ["requested", "break_glass", "waiting", "lapsed", "device_lost", "undecidable", "change_proposed", "rules_changed", "people_changed"]
# So many messages to one of them within ten minutes; then they come together.
digest_from = 10
# How long one may take.
timeout_seconds = 30

[policy]
# Everywhere as where several have to agree: nobody decides for a device that they registered or a person whom they made, and
# a change that widens the rules needs two at least.
four_eyes = false
# Whoever changes rules or people says why (--reason).
reasons = false
""")


def initialise(
    path: Path,
    *,
    socket: Path,
    state_dir: Path,
    backend: str,
    admin_group: str | None,
    force: bool,
) -> list[str]:
    """Write the configuration to `path` and make the state directory; returns what to tell, line by line.

    An existing configuration is overwritten only with `force`. Raises JitError conflict or bad_request; then no
    configuration was written.
    """
    text = _TEMPLATE.substitute(
        socket=json.dumps(str(socket), ensure_ascii=False),
        state_dir=json.dumps(str(state_dir), ensure_ascii=False),
        backend=json.dumps(backend),
        admin_groups=json.dumps([admin_group] if admin_group else [], ensure_ascii=False),
    )
    try:
        config.parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise JitError(
            "bad_request", f"cannot write a configuration with these paths and names: {error}", ""
        ) from error
    if os.path.lexists(path) and not force:
        raise JitError(
            "conflict",
            f"cannot write {path}: it exists",
            f"Look at it with: jitd check --config {path}, or write it anew with --force.",
        )
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _write(new, text)
        try:
            _make_state_dir(state_dir)
            # The configuration appears as a whole, and only when everything else is there.
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        failed = path if error.filename == str(new) else error.filename
        raise JitError(
            "bad_request",
            f"cannot write {failed}: {error.strerror}",
            "Run it as root, or name other places with --config, --state-dir and --socket.",
        ) from error
    told = [f"wrote {path}", f"state directory {state_dir} (mode 0700)"]
    if admin_group:
        told += _missing(admin_group)
    plain = "" if path == config.DEFAULT_PATH else f" --config {path}"
    told.append(f"next: jitd{plain} check, then jitd{plain} run (or systemctl enable --now jitd)")
    return told


def _missing(group: str) -> list[str]:
    """What to tell when a group is not there."""
    try:
        if nss.group_by_name(group) is not None:
            return []
    except nss.Unavailable:
        return [
            f"the group {group} cannot be looked up now; until it can be, it makes nobody an administrator"
        ]
    return [f"there is no group {group} yet; make it with: groupadd --system {group}"]


def _make_state_dir(state_dir: Path) -> None:
    state_dir.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # The mode is given when it is made, so that there is no moment in which others may look in.
    try:
        state_dir.mkdir(mode=0o700)
    except FileExistsError:
        if not state_dir.is_dir() or state_dir.is_symlink() or state_dir.stat().st_uid != os.geteuid():
            raise JitError(
                "bad_request",
                f"cannot use {state_dir}: it is no directory of this user",
                "Name another one with --state-dir.",
            ) from None
        state_dir.chmod(0o700)


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
