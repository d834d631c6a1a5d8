"""jitctl over a real ssh to a real sshd: each failure is a sentence with what to type, and logins are few."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jitctl.api.client import Client
from support import local_sshd
from support.command_result import CommandResult, RunCommand
from support.in_process_daemon import InProcessDaemon
from support.local_sshd import LocalSshd
from support.terminal import Terminal
from support.wait import until

pytestmark = pytest.mark.skipif(bool(local_sshd.lacking()), reason=f"not run: {local_sshd.lacking()}")


@pytest.fixture
def door(daemon: InProcessDaemon, tmp_path: Path) -> Iterator[LocalSshd]:
    """An sshd whose logins reach the running daemon."""
    made = LocalSshd(tmp_path, {"JITCTL_SOCKET": os.fspath(daemon.socket)})
    yield made
    made.stop()


@pytest.fixture
def far(door: LocalSshd, jitctl: RunCommand) -> Callable[..., CommandResult]:
    """Run jitctl --host, with these settings of ssh."""

    def typed(*words: str, settings: tuple[str, ...] = (), **environment: str) -> CommandResult:
        return jitctl("--host", door.host, *words, JITCTL_SSH=door.ssh(*settings), **environment)

    return typed


def test_a_verb_goes_through(far: Callable[..., CommandResult]) -> None:
    """The answer is that of the jitd there, and ssh has nothing to say."""
    said = far("network", "list")
    assert (said.status, said.err) == (0, "")
    assert "office" in said.out


def test_another_host_key(door: LocalSshd, far: Callable[..., CommandResult]) -> None:
    """A host key that is not the known one: nothing is sent, ssh's own warning is passed on, and the command that
    forgets the old key comes after the question for the fingerprint.
    """
    door.key("other")
    door.known("other")
    said = far("status")
    assert said.status == 6
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in said.err
    assert "its host key has changed, so nothing was sent" in said.err
    ask, forget = said.err.index("Ask an administrator for its fingerprint"), said.err.rindex("ssh-keygen -f")
    assert ask < forget
    assert f"-R '[127.0.0.1]:{door.port}'" in said.err[forget:]
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", door.directory / "host.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert f"This one is {fingerprint}." in said.err
    assert door.logins == 0


def test_a_host_key_that_nobody_has_seen(door: LocalSshd, far: Callable[..., CommandResult]) -> None:
    """Without a terminal nobody can say yes: what to type at one is told."""
    (door.directory / "known_hosts").write_text("")
    said = far("status")
    assert (said.status, door.logins) == (6, 0)
    assert "its host key is not known on this machine, and has not been accepted" in said.err
    assert "-o StrictHostKeyChecking=ask" in said.err


def test_a_revoked_host_key(door: LocalSshd, far: Callable[..., CommandResult]) -> None:
    """A key that is marked as revoked is told as that."""
    door.known("host", "@revoked ")
    said = far("status")
    assert (said.status, door.logins) == (6, 0)
    assert "its host key is revoked on this machine" in said.err


def test_a_key_that_is_not_accepted(door: LocalSshd, far: Callable[..., CommandResult]) -> None:
    """Exit 7, and with --json a code: nothing is wrong with the way there."""
    door.key("stranger")
    door.allow("stranger")
    said = far("status", "--json")
    assert said.status == 7
    assert '"code": "not_permitted"' in said.out
    assert "it accepts none of your ssh keys (publickey)" in said.err


@pytest.mark.parametrize(
    ("span", "told"),
    [
        ("20200101:20200201", "expired at 2020-02-01 00:00:00 UTC"),
        ("20980101:20990101", "is not valid before 2098-01-01 00:00:00 UTC"),
    ],
)
def test_a_certificate_out_of_its_time(door: LocalSshd, jitctl: RunCommand, span: str, told: str) -> None:
    """What sshd only calls a key that it does not accept is named: which certificate, and since when."""
    authority = door.key("authority")
    (door.directory / "authorized_keys").write_text(
        f"cert-authority {authority.with_suffix('.pub').read_text()}"
    )
    user = os.environ.get("USER", "root")
    door.sign(authority, "id", "-n", user, "-V", span)
    said = jitctl("--host", door.host, "status", JITCTL_SSH=door.ssh())
    assert said.status == 7
    assert f"your ssh certificate {door.directory / 'id-cert.pub'} {told}" in said.err


def test_a_certificate_in_the_agent(door: LocalSshd, jitctl: RunCommand) -> None:
    """One that is in the agent alone is found there."""
    authority = door.key("authority")
    door.sign(authority, "id", "-n", "nobody", "-V", "20200101:20200201")
    (door.directory / "authorized_keys").write_text("")
    at = door.directory / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", at], stdout=subprocess.DEVNULL) as agent:
        until(at.exists, "the agent listens")
        subprocess.run(
            ["ssh-add", "-q", door.directory / "id"], env={**os.environ, "SSH_AUTH_SOCK": str(at)}, check=True
        )
        (door.directory / "id-cert.pub").unlink()
        said = jitctl(
            "--host", door.host, "status", JITCTL_SSH=door.ssh(f"IdentityAgent {at}", "IdentitiesOnly no")
        )
        agent.terminate()
    assert said.status == 7
    assert "your ssh certificate 'id' of your agent expired at 2020-02-01 00:00:00 UTC" in said.err


def test_a_certificate_of_the_host_that_is_over(door: LocalSshd, tmp_path: Path, jitctl: RunCommand) -> None:
    """A gateway that shows an expired certificate is not trusted, and that is said."""
    authority = door.key("authority")
    door.key("certified")
    door.sign(authority, "certified", "-h", "-n", "127.0.0.1", "-V", "20200101:20200201")
    more = (f"HostKey {tmp_path / 'certified'}", f"HostCertificate {tmp_path / 'certified-cert.pub'}")
    below = tmp_path / "below"
    below.mkdir()
    other = LocalSshd(below, {}, *more)
    try:
        other.known("host")
        public = authority.with_suffix(".pub").read_text()
        (below / "known_hosts").write_text(f"@cert-authority * {public}")
        said = jitctl("--host", other.host, "status", JITCTL_SSH=other.ssh())
    finally:
        other.stop()
    assert said.status == 6
    assert "the certificate of its host key is not valid (expired)" in said.err


def test_a_name_that_does_not_resolve(door: LocalSshd, jitctl: RunCommand) -> None:
    """Which name it is, and not only that it failed."""
    said = jitctl("--host", "ssh://alice@nosuch.invalid", "status", JITCTL_SSH=door.ssh())
    assert said.status == 6
    assert "the name nosuch.invalid does not resolve" in said.err


def test_a_port_where_nobody_listens(door: LocalSshd, far: Callable[..., CommandResult]) -> None:
    """The address and the port."""
    door.stop()
    said = far("status")
    assert said.status == 6
    assert f"no server listens on port {door.port} of 127.0.0.1" in said.err


def test_a_gateway_that_never_answers(door: LocalSshd) -> None:
    """With patience a call ends by then; a port that takes connections and says nothing is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JITCTL_SSH", door.ssh())
        client = Client(socket="", host=f"ssh://127.0.0.1:{deaf.getsockname()[1]}", patience=0.5)
        with pytest.raises(Exception, match=r"no answer within 0\.5 s") as caught:
            client.status()
    assert getattr(caught.value, "code", "") == "unreachable"


def test_a_limit_where_the_user_has_none(door: LocalSshd, jitctl: RunCommand) -> None:
    """ssh is given a limit for a gateway that does not answer only where its configuration has none, and where no
    other host is on the way.
    """
    program = door.directory / "words"
    program.write_text('#!/bin/sh\ncase " $* " in *" -G "*) exec ssh "$@";; esac\necho "$*" >&2\nexit 255\n')
    program.chmod(0o755)

    def given(*settings: str) -> bool:
        ssh = door.ssh(*settings).replace("ssh", str(program), 1)
        return (
            "ConnectTimeout=20" in jitctl("--host", door.host, "status", JITCTL_SSH=ssh).err.splitlines()[0]
        )

    assert given()
    assert not given("ConnectTimeout 60")
    assert not given("ProxyJump elsewhere")


def test_no_jitctl_there(daemon: InProcessDaemon, tmp_path: Path, jitctl: RunCommand) -> None:
    """A gateway without the command."""
    door = LocalSshd(tmp_path, {"PATH": "/nonexistent"})
    try:
        said = jitctl("--host", door.host, "status", JITCTL_SSH=door.ssh())
    finally:
        door.stop()
    assert said.status == 6
    assert "jitctl is not installed there" in said.err


def test_no_jitd_there(daemon: InProcessDaemon, far: Callable[..., CommandResult]) -> None:
    """A gateway whose daemon does not run: one sentence that names the machine, and not the other side's words too."""
    daemon.stop()
    said = far("status")
    assert said.status == 6
    assert said.err.splitlines() == [
        f"jitctl: cannot reach jitd on {socket.gethostname()}: the socket {daemon.socket} does not exist",
        "An administrator of that machine can start it: systemctl start jitd",
    ]


@pytest.mark.parametrize(
    ("forced", "told"),
    [
        ("echo Welcome to the gateway", "it begins with 'Welcome to the gateway'"),
        ("/bin/false", "the connection ended without one, exit status 1"),
    ],
)
def test_something_else_is_forced_there(
    daemon: InProcessDaemon, tmp_path: Path, jitctl: RunCommand, forced: str, told: str
) -> None:
    """An account that runs something else: what came in place of an answer, and how to look at it."""
    door = LocalSshd(tmp_path, {}, f"ForceCommand {forced}")
    try:
        said = jitctl("--host", door.host, "status", JITCTL_SSH=door.ssh())
    finally:
        door.stop()
    assert said.status == 6
    assert f"cannot get an answer from jitd on {door.host}: {told}" in said.err
    assert "The account may have a forced command" in said.err


def test_a_gate_that_says_no(daemon: InProcessDaemon, tmp_path: Path, jitctl: RunCommand) -> None:
    """What the gate has against somebody is told as jitd says it, with its exit status."""
    door = LocalSshd(
        tmp_path, {"JITCTL_SOCKET": os.fspath(daemon.socket)}, "ForceCommand jitctl gate --user zoe"
    )
    try:
        said = jitctl("--host", door.host, "status", JITCTL_SSH=door.ssh())
    finally:
        door.stop()
    assert said.status == 7
    assert said.err.startswith("jitctl: cannot act for another user as admin")


def test_ssh_asks_at_the_terminal(door: LocalSshd, daemon: InProcessDaemon) -> None:
    """What ssh asks and says is seen while it waits: an unknown host is confirmed by its user, and the verb goes on."""
    (door.directory / "known_hosts").write_text("")
    terminal = Terminal(daemon, "--host", door.host, "network", "list", JITCTL_SSH=door.ssh())
    terminal.until("Are you sure you want to continue connecting")
    terminal.type("yes\n")
    assert terminal.end() == 0
    assert "Permanently added" in terminal.seen
    assert "office" in terminal.seen


def test_ssh_has_a_terminal_where_its_user_has_one(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Its standard error is a terminal where ours is one (only there ssh asks for a touch of a security key), a pipe
    otherwise; what is said comes through as it is.
    """
    program = "sh -c 'test -t 2 && echo a terminal >&2 || echo a pipe >&2; exit 255'"
    terminal = Terminal(daemon, "--host", "gateway", "status", JITCTL_SSH=program)
    assert terminal.end() == 6
    assert terminal.seen.startswith("a terminal\r\njitctl: cannot reach gateway: ssh failed")
    assert jitctl("--host", "gateway", "status", JITCTL_SSH=program).err.startswith("a pipe\njitctl: ")


def test_what_follows_needs_no_login(door: LocalSshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that follow each other share one login, errors included; a connection that was closed meanwhile is not
    used again.
    """
    monkeypatch.setenv("JITCTL_SSH", door.ssh())
    client = Client(socket="", host=door.host)
    assert [one["name"] for one in client.network_list()["networks"]] == ["office"]
    with pytest.raises(Exception, match="cannot find a network"):
        client.network_show("nosuch")
    assert client.request(network="office", reason="x", user="alice")["request"] is not None
    assert door.logins == 1
    kept = client._kept[0]
    kept._answered = 0.0  # as long ago as can be
    client.health()
    assert door.logins == 2
    assert not kept.is_open


def test_a_shared_connection_that_goes_on(door: LocalSshd, far: Callable[..., CommandResult]) -> None:
    """With ControlPersist a process of ssh stays behind, with our end of its standard error: nobody waits for it."""
    path = door.directory / "control"
    said = far("network", "list", settings=("ControlMaster auto", f"ControlPath {path}", "ControlPersist 60"))
    assert (said.status, path.exists()) == (0, True)
    (door.directory / "authorized_keys").write_text("")
    assert far("network", "list", settings=(f"ControlPath {path}",)).status == 0
    subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={path}", "x"], capture_output=True, check=True)
