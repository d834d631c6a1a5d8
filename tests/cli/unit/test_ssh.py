"""Which program reaches another machine, and how its failures are told. Programs of the system stand for ssh."""

import pytest

from jitctl import ssh, transport
from jitd.core.errors import JitError


@pytest.mark.parametrize(
    ("host", "arguments"),
    [
        ("ssh://gateway", ["--", "gateway"]),
        ("gateway.example.org", ["--", "gateway.example.org"]),
        ("ssh://alice@gateway", ["-l", "alice", "--", "gateway"]),
        ("ssh://alice@gateway:2222/", ["-p", "2222", "-l", "alice", "--", "gateway"]),
        ("ssh://alice@[2001:db8::1]:22", ["-p", "22", "-l", "alice", "--", "2001:db8::1"]),
    ],
)
def test_the_command_for_a_host(host: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """User and port are options of ssh's own; the host stands behind `--`, and then only what is run there."""
    monkeypatch.delenv("JITCTL_SSH", raising=False)
    assert ssh.command(host) == [
        "ssh",
        "-T",
        "-o",
        "ServerAliveInterval=15",
        *arguments,
        "jitctl",
        "dial-stdio",
    ]


@pytest.mark.parametrize(
    "host",
    [
        "ssh://",
        "-oProxyCommand=touch /tmp/x",
        "ssh://-oProxyCommand=x",
        "ssh://-l@gateway",
        "ssh://gateway;reboot",
        "ssh://gateway reboot",
        "ssh://$(reboot)",
        "ssh://gateway\nreboot",
        "ssh://gateway:22:22",
        "ssh://gateway:port",
        "ssh://gateway/path",
        "tcp://gateway",
        "ssh://g\u0430teway",
    ],
)
def test_a_host_that_ssh_could_take_for_something_else_is_refused(host: str) -> None:
    """No option of ssh's, no shell, no letters that look like others: exit 2, and nothing is run."""
    with pytest.raises(JitError, match="cannot read the host") as caught:
        ssh.command(host)
    assert caught.value.exit_status == 2


def test_another_ssh_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """JITCTL_SSH is a program with options of its own, read as a shell would; a missing quote is an error."""
    monkeypatch.setenv("JITCTL_SSH", "ssh -F '/home/a b/config'")
    assert ssh.command("gateway")[:3] == ["ssh", "-F", "/home/a b/config"]
    monkeypatch.setenv("JITCTL_SSH", "ssh 'x")
    with pytest.raises(JitError, match="cannot read JITCTL_SSH"):
        ssh.command("gateway")


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("sh -c 'exit 255'", "cannot reach gateway: ssh failed, and its own words are above"),
        ("sh -c 'exit 127'", "cannot reach jitd on gateway: there is no jitctl to talk to"),
        ("sh -c 'exit 6'", "cannot reach jitd on gateway: jitctl dial-stdio ended there with status 6"),
        ("sh -c 'exit 0'", "cannot get an answer from jitd: "),
        ("/nonexistent/ssh", "cannot run /nonexistent/ssh: No such file or directory"),
    ],
)
def test_each_failure_of_ssh_says_what_it_is(
    program: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 6, whether our request was read before it failed or not."""
    monkeypatch.setenv("JITCTL_SSH", program)
    with pytest.raises(JitError) as caught:
        transport.ask(ssh.dial("gateway"), "GET", "/v1/list")
    assert caught.value.exit_status == 6
    assert caught.value.message.startswith(told)
