"""jitd.toml."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from jitd import config
from jitd.cli.init import template
from jitd.core import configuration
from jitd.core.configuration import needs_restart, taken_over
from jitd.core.errors import JitError


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[deamon]", "cannot use [deamon]: there is no such key", "Did you mean daemon?"),
        ("[daemon]\nsockt = '/x'", "cannot use [daemon] sockt: there is no such key", "Did you mean socket?"),
        ("[daemon]\nsocket = 'run/x'", "cannot use [daemon] socket = 'run/x'", "Use an absolute path."),
        ("[daemon]\nsocket = 3", "cannot use [daemon] socket = 3", "Use an absolute path."),
        (
            "[daemon]\nadmin_groups = 'wheel'",
            "cannot use [daemon] admin_groups = 'wheel'",
            'Use a list of names: ["wheel"]',
        ),
        (
            "[enforce]\nbackend = 'iptables'",
            "cannot use [enforce] backend = 'iptables'",
            "Use one of auto, kernel, userspace, memory.",
        ),
        (
            "[mail]\nserver = 'mx'\nsender = 'jitd'",
            "cannot use [mail] sender = 'jitd': it is not a mail address",
            'Set the address of the sender, for example sender = "jitd@example.org".',
        ),
        (
            "[mail]\nserver = 'mx'\nsender = 'jitd@example.org'\nemail_domain = '@example.org'",
            "cannot use [mail] email_domain = '@example.org': it is not a domain",
            """Set the domain of people's addresses, for example email_domain = "example.org".""",
        ),
        (
            "[limits]\nconnections = 0",
            "cannot use [limits] connections = 0",
            "Use a number from 1 to 1000000.",
        ),
        (
            "[limits]\nconnections = true",
            "cannot use [limits] connections = True",
            "Use a number from 1 to 1000000.",
        ),
        (
            "[limits]\nconnections = 10",
            "cannot use [limits] connections_reserved: it leaves no connection for users",
            "Use a number below connections = 10.",
        ),
        (
            "[metrics]\nlisten = '0.0.0.0:9586'",
            "cannot use [metrics] listen: cannot listen on 0.0.0.0: other machines could reach it, and nothing there asks who"
            " they are",
            "Use 127.0.0.1 or [::1], and let a Prometheus elsewhere come through ssh or a proxy that asks who it is.",
        ),
        (
            "[metrics]\nlisten = '[2001:db8::1]:9586'",
            "cannot use [metrics] listen: cannot listen on 2001:db8::1: other machines could reach it, and nothing there"
            " asks who they are",
            "Use 127.0.0.1 or [::1], and let a Prometheus elsewhere come through ssh or a proxy that asks who it is.",
        ),
        *(
            (
                f"[metrics]\nlisten = '{address}'",
                f"cannot use [metrics] listen: cannot read the address and port '{address}'",
                "Write an address of this machine alone and a port: 127.0.0.1:9586 or [::1]:9586.",
            )
            for address in (
                "9586",
                "localhost:9586",
                "127.0.0.1",
                "127.0.0.1:0",
                "127.0.0.1:65536",
                "127.1:80",
                "::1:80",
            )
        ),
        (
            "[metrics]\ntextfile = '/var/lib/jitd.txt'",
            "cannot use [metrics] textfile = '/var/lib/jitd.txt': node_exporter reads files whose names end with .prom",
            "Use an absolute path, such as /var/lib/prometheus/node-exporter/jitd.prom.",
        ),
        ("daemon = 1", "cannot use daemon: it is a table, write [daemon]", ""),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    """Each mistake is an error that names the key, and says what to write instead."""
    path = tmp_path / "jitd.toml"
    path.write_text(text)
    path.chmod(0o644)
    with pytest.raises(JitError) as caught:
        config.load(path)
    assert caught.value.message == f"{message} (in {path})"
    assert caught.value.hint == hint


def test_a_socket_path_that_no_socket_can_have(tmp_path: Path) -> None:
    """A path that is too long for a Unix socket is refused here, not at the start."""
    path = tmp_path / "jitd.toml"
    path.write_text(f"[daemon]\nsocket = '/{'x' * 107}'")
    path.chmod(0o644)
    with pytest.raises(JitError, match="107 bytes"):
        config.load(path)


def test_what_is_not_toml_or_not_there(tmp_path: Path) -> None:
    """A missing file names jitd init; a broken one gives the line."""
    with pytest.raises(JitError) as caught:
        config.load(tmp_path / "none.toml")
    assert caught.value.hint == "Write one with: jitd init"
    broken = tmp_path / "jitd.toml"
    broken.write_text("[daemon\n")
    broken.chmod(0o644)
    with pytest.raises(JitError, match="line 1"):
        config.load(broken)


@pytest.mark.root
def test_root_obeys_no_file_that_others_may_write(tmp_path: Path) -> None:
    """A configuration that somebody else owns or may write is refused when root runs jitd."""
    path = tmp_path / "jitd.toml"
    path.write_text("")
    for mode, owner in ((0o666, 0), (0o664, 0), (0o644, 1000)):
        path.chmod(mode)
        os.chown(path, owner, 0)
        with pytest.raises(JitError, match="users other than root may write it"):
            config.load(path)


def test_what_needs_a_restart() -> None:
    """Admin groups and limits of requests change at once; sockets and backends do not."""
    old = config.parse({})
    new = config.parse(
        {
            "daemon": {"admin_groups": ["a"], "socket": "/x"},
            "enforce": {"backend": "memory"},
            "limits": {"requests_per_hour": 5},
        }
    )
    assert needs_restart(old, new) == ["daemon.socket", "enforce.backend"]


def test_a_running_jitd_takes_over_only_what_may_change() -> None:
    """After a reload the store and the socket are those of before: readers must not open another store."""
    old = config.parse({"daemon": {"state_dir": "/a", "log_level": "info"}})
    new = config.parse(
        {
            "daemon": {"state_dir": "/b", "log_level": "debug"},
            "limits": {"devices_per_user": 3, "body_bytes": 2048},
        }
    )
    now = taken_over(old, new)
    assert (now.daemon.state_dir, now.daemon.log_level) == (Path("/a"), "debug")
    assert (now.limits.devices_per_user, now.limits.body_bytes) == (3, old.limits.body_bytes)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[enforce]\nwireguard_go = ''", "[enforce] wireguard_go = ''", "Use text in quotes."),
        ("[enforce]\nclose_local_users = 1", "[enforce] close_local_users = 1", "Use true or false."),
        ("[mail]\nport = 65536", "[mail] port = 65536", "Use a number from 1 to 65535."),
        ("[mail]\nsecrets = '~/x'", "[mail] secrets = '~/x'", "Use an absolute path."),
        ("[daemon]\ngate_users = ['']", "[daemon] gate_users = ['']", 'Use a list of names: ["jit"]'),
        (
            "[chat]\nurls = ['slack://x']",
            "[chat] urls = ['slack://x']",
            'Use a table of names and addresses: { ops = "slack://{secret}/#ops" }',
        ),
        (
            "[daemon]\nlog_level = 'warn'",
            "[daemon] log_level = 'warn'",
            "Use one of debug, info, warning, error.",
        ),
    ],
)
def test_what_a_value_has_to_be(text: str, message: str, hint: str) -> None:
    """Each type of key refuses what it is not, with the value, and says what to write."""
    with pytest.raises(JitError) as caught:
        config.parse(tomllib.loads(text))
    assert (caught.value.message, caught.value.hint) == (f"cannot use {message}", hint)


def test_the_template_is_the_table() -> None:
    """What jitd init writes has every key with its default, in its order, each under a comment; and reads as it was meant."""
    tables = tomllib.loads(template({}))
    assert config.parse(tables) == configuration.Config()
    assert [[*keys] for keys in tables.values()] == [
        [*configuration.keys(name)] for name in configuration.TABLES
    ]
    lines = template({}).splitlines()
    assert all(lines[at - 1].startswith("# ") for at, line in enumerate(lines) if re.match(r"\w+ = ", line))
    assert config.parse(tomllib.loads(template({"backend": "memory"}))).enforce.backend == "memory"
