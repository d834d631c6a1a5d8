"""Which program reaches another machine, and what is told where it fails. Programs of the system stand for ssh; how real
ones fail is tests/jitctl/api/test_ssh_session.py's.
"""

from ipaddress import ip_address
from pathlib import Path

import pytest

from jitctl.api import ssh, transport
from jitctl.api.ssh import failures
from jitctl.machine.tunnel import behind
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
    usual = ["ssh", "-T", "-o", "ServerAliveInterval=15"]
    assert ssh.login(host).words() == [*usual, *arguments, "jitctl", "dial-stdio"]


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
        ssh.login(host)
    assert caught.value.exit_status == 2


def test_another_ssh_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """JITCTL_SSH is a program with options of its own, read as a shell would; a missing quote is an error."""
    monkeypatch.setenv("JITCTL_SSH", "ssh -F '/home/a b/config'")
    assert ssh.login("gateway").program == ["ssh", "-F", "/home/a b/config"]
    monkeypatch.setenv("JITCTL_SSH", "ssh 'x")
    with pytest.raises(JitError, match="cannot read JITCTL_SSH"):
        ssh.login("gateway")


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("sh -c 'exit 255'", "cannot reach gateway: ssh failed; its message is above"),
        ("sh -c 'exit 127'", "cannot reach jitd on gateway: jitctl is not installed there"),
        (
            "sh -c 'echo jitctl: cannot reach jitd: the socket x does not exist >&2; exit 6'",
            "cannot reach jitd: the socket x does not exist (said on gateway)",
        ),
        (
            "sh -c 'exit 3'",
            "cannot get an answer from jitd on gateway: the connection ended without one, exit status 3",
        ),
        ("sh -c 'exit 0'", "cannot get an answer from jitd on gateway: the connection ended without one"),
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
    assert (caught.value.exit_status, caught.value.message) == (6, told)


HOST = ssh.login("ssh://alice@gateway")


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        (
            "ssh: connect to host 10.0.0.1 port 22: Connection timed out",
            "unreachable",
            "connection timed out",
        ),
        ("ssh: connect to host gw port 22: No route to host", "unreachable", "no route to host"),
        ("ssh: connect to host gw port 22: Operation timed out", "unreachable", "operation timed out"),
        ("Connection to 10.0.0.1 port 22 timed out", "unreachable", "timed out"),
        (
            "kex_exchange_identification: read: Connection reset by peer",
            "unreachable",
            "before the login",
        ),
        ("Connection closed by 10.0.0.1 port 22", "unreachable", "before the login"),
        ("Timeout, server gateway not responding.", "unreachable", "the connection was lost"),
        (
            "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-dss",
            "unreachable",
            "support no common host key type",
        ),
        (
            "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
            "not_permitted",
            "before ssh offered the right key",
        ),
        ("alice@gateway: Permission denied (publickey,password).", "not_permitted", "(publickey,password)"),
        (
            "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\nalice@gw: Permission denied (publickey).",
            "not_permitted",
            "because other users can read the file",
        ),
        (
            "ssh: connect to host jump port 22: Connection refused\nkex_exchange_identification: Connection closed",
            "unreachable",
            "no server listens on port 22 of jump",
        ),
        ("ssh: something new", "unreachable", "ssh failed; its message is above"),
    ],
)
def test_what_ssh_says(said: str, code: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be brought about in a test is known by the words that ssh has for it."""
    monkeypatch.setenv("PATH", "")  # neither a name server nor an agent is asked
    end = failures.End(failures.SSH_FAILED, f"{said}\n", transport.Cut("nothing came"), None)
    error = failures.of(HOST, end)
    assert (error.code, told in error.message) == (code, True), error.message


TUNNEL = """\
[Interface]
Address = 10.9.0.2/32
[Peer]
PublicKey = x
Endpoint = vpn.example.org:51820
AllowedIPs = 10.20.0.0/24, 0.0.0.0/0, fd00::/64
"""


def test_an_address_behind_its_own_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that a tunnel of this machine leads to is known although the tunnel is down; one for everything counts
    only while it is up.
    """
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "jitctl" / "tunnels" / "jit-office-wg0.conf"
    file.parent.mkdir(parents=True)
    file.write_text(TUNNEL)
    found = behind.which(ip_address("10.20.0.1"))
    assert found is not None
    assert (found.tunnel, found.is_up, found.endpoint) == ("jit-office-wg0", False, "vpn.example.org")
    assert behind.which(ip_address("192.0.2.7")) is None
    assert behind.which(ip_address("fd00::1")) is not None

    monkeypatch.setenv("JITCTL_SSH", "sh -c 'echo hostname 10.20.0.1; exit 0' --")
    end = failures.End(-15, "", transport.Cut("it does not answer", late=True), 8.0)
    error = failures.of(ssh.login("ssh://alice@10.20.0.1"), end)
    assert error.message == (
        "cannot reach ssh://alice@10.20.0.1: no answer within 8 s. 10.20.0.1 is an address behind the tunnel"
        " jit-office-wg0, which is down. With this address, the gateway can only be reached while you have "
        "access"
    )
    assert "jitctl setup ssh://alice@vpn.example.org" in error.hint
