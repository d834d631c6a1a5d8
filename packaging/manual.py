"""Writes jitctl's pages, jitd-policy.5 and jitd.toml.5 in man/ from the program itself: `python packaging/manual.py`. A test
checks that they are up to date.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperOption

from jitctl.cli import app as cli
from jitctl.cli.verbs import GROUPS, PANELS, VERBS, Verb
from jitd.core import configuration
from jitd.core.events import EventKind

MAN = Path(__file__).resolve().parent.parent / "man"

HEAD = r""".\" Made by packaging/manual.py; a change by hand is lost.
.TH JITCTL 1 "" "jitctl" "User Commands"
.SH NAME
jitctl \- just-in-time access to WireGuard networks
.SH SYNOPSIS
.B jitctl
.RI [ OPTIONS ]
.I VERB
.RI [ OPTIONS ]
.RI [ ARGUMENTS ]
.SH DESCRIPTION
Users request access to a network and give a reason. An approver grants the request for a duration or denies it. When the
granted time is over, the gateway ends the access.
.B jitctl
connects to
.BR jitd (8)
over its Unix socket, or over ssh to the socket of another machine. The kernel identifies the caller; there is no separate
login.
.PP
Durations are typed as 45m, 8h, 1h30m or 2d. Every grant has an end. Results go to standard output, everything
else to standard error. Tables are as wide as the terminal; without a terminal, they are not shortened.
.SH OPTIONS
These may stand before or after a verb.
"""

EVENTS = r""".SH EVENTS
What happened, by the name that
.B jitctl events \-\-kind
takes and
.B jitctl events \-\-json
has as kind. Words in capitals are filled in, those in brackets where there is a value. Behind them stand the names of what
"data" can have besides, and who is told by mail.
"""

TAIL = r""".SH EXIT STATUS
.TP
.B 0
done, and the kernel agrees
.TP
.B 1
another failure, a confirmation that was answered with no, or a problem that doctor found
.TP
.B 2
usage
.TP
.B 3
denied, or refused by a rule
.TP
.B 4
the request lapsed, or the grant has ended
.TP
.B 5
still pending (the request stands)
.TP
.B 6
the daemon cannot be reached
.TP
.B 7
not permitted
.TP
.B 8
conflict: the state has changed since it was read
.TP
.B 9
recorded, but the kernel does not agree yet; or access was cut, but that is not recorded yet
.TP
.B 10
not found
.TP
.B 130
interrupted (the request stands)
.SH ENVIRONMENT
.TP
.B JITCTL_SOCKET
jitd's socket, if \-\-socket is not given
.TP
.B JITCTL_HOST
ssh://USER@HOST, if \-\-host is not given
.TP
.B JITCTL_PROFILE
the profile of a gateway, if \-\-profile is not given
.TP
.B JITCTL_SSH
the ssh program, with options if needed (default: ssh)
.TP
.B NO_COLOR
no colours; everything that they show is in the text, too
.SH FILES
.TP
.I /run/jitd/jitd.sock
jitd's socket
.TP
.I ~/.config/jitctl/config.toml
the profiles of gateways, written by jitctl setup
.TP
.I ~/.config/jitctl/keys/
private keys (mode 0600), if there is no keyring
.TP
.I ~/.config/jitctl/tunnels/
files for wg\-quick, without private keys
.SH EXAMPLES
A user requests access, and looks at its status:
.PP
.RS
.nf
jitctl request office \-\-reason "ticket 42: read the logs" \-\-duration 2h
jitctl status
.fi
.RE
.PP
An administrator decides:
.PP
.RS
.nf
jitctl list \-\-status pending
jitctl grant 12 \-\-duration 8h
jitctl deny 13 \-\-reason "use the lab instead"
.fi
.RE
.PP
From another machine:
.PP
.RS
.nf
jitctl \-\-host ssh://alice@gateway status
.fi
.RE
.PP
On a laptop:
.PP
.RS
.nf
jitctl setup ssh://alice@gateway
jitctl connect office \-\-reason "ticket 42" \-\-duration 2h
jitctl disconnect office
.fi
.RE
.SH SEE ALSO
@GROUPS@.BR jitd (8),
.BR jitd.toml (5),
.BR jitd\-policy (5),
.BR wg (8)
"""

GROUP_HEAD = r""".\" Made by packaging/manual.py; a change by hand is lost.
.TH JITCTL\-@NAME@ 1 "" "jitctl" "User Commands"
.SH NAME
jitctl\-@name@ \- @about@
.SH SYNOPSIS
.B jitctl @name@
.I VERB
.RI [ OPTIONS ]
.RI [ ARGUMENTS ]
.SH DESCRIPTION
@text@ Options that every verb has, exit statuses, environment and files are those of
.BR jitctl (1).
.SH VERBS
"""

GROUP_TAIL = r""".SH SEE ALSO
.BR jitctl (1)@more@
"""

#: What else somebody who reads about a group wants to read.
_MORE = {"policy": r"jitd\-policy (5)", "network": r"jitd\-policy (5)"}

POLICY_HEAD = r""".\" Made by packaging/manual.py; a change by hand is lost.
.TH JITD\-POLICY 5 "" "jitctl" "File Formats"
.SH NAME
jitd\-policy \- file with the networks of a gateway and their rules
.SH DESCRIPTION
The networks of a gateway and their rules are kept by
.BR jitd (8).
They are changed one by one with
.B jitctl network set
NAME KEY=VALUE, or all at once with a TOML file:
.B jitctl policy export
writes this file;
.B jitctl policy apply
FILE shows the changes and the users who would gain or lose access, asks, and applies all changes or none.
.PP
The file is complete: a network that is not in it is removed, with its grants, and a setting that is not in it has its default
value. Each network is a table [network.NAME]. Its key
.B interface
names the interface through which the network is reached, and may be omitted if there is only one. Settings that begin with
jit. are in the table [network.NAME.jit], without this prefix.
.PP
Users are written as "alice", groups as "@staff", with the names that the system has, including spaces and backslashes
("DOM\e\eanna lee", "@domain users@corp.example"). A user whose name begins with @ is written as "user:@NAME". In lists within one text
(jit.auto_approve, jitctl network set), a name with a comma or a semicolon is put into double quotes. Groups are those of the
system. A group that does not exist has no members: it admits nobody, exempts nobody, and has no deciders. While a group of
.B jit.groups
does not exist, all users have to ask.
.SH SETTINGS
"""

POLICY_TAIL = r""".SH CASES
A [[case]] is a test case: it states the result that the rules must have for a user. A policy with a failing case is not
applied.
.B jitd check \-\-policy
FILE runs the cases without a daemon.
.TP
.B user
the name of the user
.TP
.B groups
the groups of the user in this case
.TP
.B admin
whether the user is an administrator (false)
.TP
.B network
the name of the network
.TP
.B at
the time of the request, such as "Mon 09:00 Europe/Berlin" or "2026\-12\-01 09:00 UTC"; if it is omitted, hours are ignored
.TP
.B duration
the duration of the request (the network's default)
.TP
.B expect
the result: closed (the user may not use the network), standing (the user has access without a request), outside\-hours,
refused (the duration is too long or too short), auto (the request is approved automatically), or ask (a decider has to
approve it)
.TP
.B break_glass
whether the user may open the network at once in an emergency
.TP
.B decides
whether the user may decide about requests of others
.SH EXAMPLE
.nf
[network.prod\-db]
interface = "wg0"
routes = ["10.1.2.3/32"]
ports = ["tcp/5432"]
members = ["@dev", "@dba"]
approvers = ["@dba"]
approvals = 2
max_duration = "4h"
reason_pattern = "OPS\-[0\-9]+.*"
reason_expected = "a ticket such as OPS\-12"

[network.prod\-db.jit]
hours = ["Mon\-Fri 08:00\-18:00 Europe/Berlin"]
break_glass = ["@oncall"]

[[case]]
user = "erin"
groups = ["dev"]
network = "prod\-db"
at = "Sat 12:00 Europe/Berlin"
expect = "outside\-hours"
.fi
.SH SEE ALSO
.BR jitctl (1),
.BR jitd (8)
"""


CONFIGURATION_HEAD = r""".\" Made by packaging/manual.py; a change by hand is lost.
.TH JITD.TOML 5 "" "jitctl" "File Formats"
.SH NAME
jitd.toml \- configuration of jitd
.SH SYNOPSIS
.I /etc/jitd/jitd.toml
.SH DESCRIPTION
A TOML file that
.B jitd init
writes with a comment for each key. It configures the daemon. Networks and their rules are not part of it; they are changed
with
.BR jitctl (1).
Unknown keys are errors. If root runs jitd, only root may be able to write the file. The default value of each key is in
parentheses.
.PP
.B systemctl reload jitd
applies changes of @LIVE@. Other changes need a restart.
"""

CONFIGURATION_TAIL = r""".SH EXAMPLE
.nf
[daemon]
admin_groups = ["jit\-admins"]

[enforce]
backend = "userspace"

[limits]
requests_per_hour = 20
.fi
.SH SEE ALSO
.BR jitd (8),
.BR jitctl (1)
"""


def main() -> None:
    """Write the manual pages."""
    MAN.mkdir(exist_ok=True)
    for name, text in pages().items():
        (MAN / name).write_text(text)


def pages() -> dict[str, str]:
    """Every page that is made here, by the name of its file."""
    groups = {f"jitctl-{name}.1": group_page(name) for name in GROUPS}
    return {"jitctl.1": page(), **groups, "jitd-policy.5": policy_page(), "jitd.toml.5": configuration_page()}


def configuration_page() -> str:
    """The page of jitd.toml: every key, with its default."""
    parts = []
    live = []
    for table, kind in configuration.TABLES.items():
        parts.append(f".SH [{table}]\n{_quoted(kind.__doc__ or '')}\n")
        for name, key in configuration.keys(table).items():
            values = f" From {key.meta.ge} to {key.meta.le}." if key.type is int else ""
            shown = _quoted(json.dumps(key.default))
            parts.append(f".TP\n.B {name}\n{_quoted(key.meta.description or '')}{values} ({shown})\n")
            if key.live:
                live.append(f"[{table}] {name}")
    head = CONFIGURATION_HEAD.replace("@LIVE@", f"{', '.join(live[:-1])} and {live[-1]}")
    return head + "".join(parts) + CONFIGURATION_TAIL


def policy_page() -> str:
    """The page of the policy file: every setting, with what it usually is."""
    from jitd.core import policyfile, settings

    usual = settings.plain(policyfile.usual("office", 0))
    parts = []
    for one in settings.SETTINGS:
        value = usual[one.key]
        shown = str(value).lower() if isinstance(value, bool) else json.dumps(value)
        parts.append(
            f".TP\n.B {_quoted(one.key)}\n{_quoted(one.help)}; {_quoted(one.kind.expected)} ({_quoted(shown)})\n"
        )
    return POLICY_HEAD + "".join(parts) + POLICY_TAIL


def page() -> str:
    """The page of the whole; verbs of a group have one of their own."""
    groups = "".join(f".BR {_quoted(f'jitctl-{name}')} (1),\n" for name in sorted(GROUPS))
    return (
        HEAD
        + "".join(_option(one) for one in cli.everywhere())
        + _verbs()
        + EVENTS
        + "".join(_event(kind) for kind in EventKind)
        + TAIL.replace("@GROUPS@", groups)
    )


def group_page(name: str) -> str:
    """The page of a group of verbs."""
    text = GROUPS[name].help
    about = text.rpartition(": ")[2].rstrip(".")
    head = GROUP_HEAD.replace("@NAME@", name.upper()).replace("@name@", name)
    head = head.replace(
        "@about@", _quoted(about if about.startswith("WireGuard") else about[0].lower() + about[1:])
    ).replace("@text@", _quoted(text))
    more = f",\n.BR {_MORE[name]}" if name in _MORE else ""
    verbs = (verb for verb in VERBS if verb.name.startswith(f"{name} "))
    return head + "".join(part for verb in verbs for part in _verb(verb)) + GROUP_TAIL.replace("@more@", more)


def _verbs() -> str:
    parts = [".SH VERBS\n"]
    for panel in PANELS:
        parts.append(f".SS {_quoted(panel)}\n")
        for verb in VERBS:
            if verb.panel == panel and " " not in verb.name:
                parts += _verb(verb)
        for name, group in GROUPS.items():
            if group.panel == panel:
                verbs = ", ".join(v.name.partition(" ")[2] for v in VERBS if v.name.startswith(f"{name} "))
                parts.append(
                    f".TP\n.B {_quoted(f'jitctl {name}')}\n{_quoted(group.help)} Its verbs ({verbs}) are in\n"
                    f".BR {_quoted(f'jitctl-{name}')} (1).\n"
                )
    return "".join(parts)


def _verb(verb: Verb) -> Iterator[str]:
    """A verb: how it is typed, what it does, its options, examples."""
    command = cli.load(verb)
    common = {name for one in cli.everywhere() for name in one.opts}
    options = [one for one in command.params if not set(one.opts) & common]
    arguments = [one for one in options if not isinstance(one, TyperOption)]
    usage = " ".join(
        [f"jitctl {verb.name}", *(one.metavar or f"[{str(one.name).upper()}]" for one in arguments)]
    )
    text, *more = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    examples = [found for part in more if (found := _EXAMPLE.fullmatch(part))]
    yield f".TP\n.B {_quoted(usage)}\n{_quoted(text)}\n"
    for part in more:
        if not _EXAMPLE.fullmatch(part):
            yield f".IP\n{_quoted(part)}\n"
    named = [one for one in options if isinstance(one, TyperOption)]
    if named:
        yield ".RS\n" + "".join(_option(one) for one in named) + ".RE\n"
    for label, typed in (found.groups() for found in examples):
        yield f".IP\n{_quoted(label)}:\n.RS\n.IP\n.nf\n{_quoted(typed)}\n.fi\n.RE\n"


#: A paragraph of a help that is an example: what it is for, and what is typed.
_EXAMPLE = re.compile(r"([^.:]{1,60}): (.*\bjitctl .*)")


def _event(kind: EventKind) -> str:
    """A kind of event, as the catalogue has it."""
    told = ", ".join(notice.audience for notice in kind.notices)
    sentence = re.sub(r"\{(\w+)[.\w]*:?([^}]*)\}", _filled_in, kind.row.sentence)
    data = f" Data: {', '.join(kind.row.shape.__annotations__)}." if kind.row.shape.__annotations__ else ""
    mail = f" Mail: {told}." if told else ""
    # Not at the start of a line, where "jitd started" would be a command.
    return f".TP\n.B {kind}\n\\&{_quoted(f'{sentence}.{data}{mail}')}\n"


def _filled_in(place: re.Match[str]) -> str:
    name, around = place[1].upper(), place[2]
    said, _, otherwise = around.partition("|")
    said = said.replace("%", name) if around else name
    return f"[{said}]" if around and not otherwise else said


def _option(option: TyperOption) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    value = "" if option.is_flag else f" {option.metavar or 'CHOICE'}"
    return f".TP\n.B {_quoted(names + value)}\n{_quoted(option.help or '')}\n"


def _quoted(text: str) -> str:
    """Text in which groff finds nothing of its own."""
    shown = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


if __name__ == "__main__":
    main()
