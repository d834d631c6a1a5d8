"""The mail part of doctor against a real SMTP server: every step that can go wrong, and nothing is ever sent."""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jitd.core.configuration import Mail
from jitd.diagnostics.checks import mail
from jitd.notify import secret
from support.mail import Post, certificate, serving


async def lines(settings: Mail, seconds: float = 10) -> list[tuple[str, str]]:
    """(level, words) of each line."""
    found = await asyncio.to_thread(mail.examine, settings, seconds)
    assert all(check["fix"] for check in found if check["level"] == "broken"), found
    return [(check["level"], check["what"]) for check in found]


def usual(port: int, **more: object) -> Mail:
    """A configuration that finds the test's server."""
    values: Mapping[str, object] = {"server": "localhost", "sender": "jitd@example.org", "port": port, **more}
    return Mail(**values)  # type: ignore[arg-type]  # settings by name


async def test_all_is_well_and_nothing_is_sent(tmp_path: Path) -> None:
    """With a certificate of an authority that is named and the right password every line is ok."""
    tls = certificate(tmp_path, "localhost")
    secret.put("smtp", "open sesame", keyring="", directory=tmp_path / "secrets")
    post = Post()
    async with serving(post, tls=tls, password="open sesame") as port:
        found = await lines(usual(port, ca_file=str(tls), user="jitd", secrets=tmp_path / "secrets"))
    assert found[0] == ("ok", f"localhost:{port} answers")
    # The test's certificate is one for a day.
    assert found[1][0] == "warning"
    assert f"the certificate of localhost:{port} ends in 0 days: " in found[1][1]
    assert found[2:] == [("ok", "jitd can log in; to send a test mail: jitctl notify test")]
    assert post.mails == []


@pytest.mark.parametrize(("name", "named"), [("localhost", False), ("other.example", True)])
async def test_a_wrong_certificate_is_broken(tmp_path: Path, name: str, named: bool) -> None:
    """One that nobody vouches for, and one for another name: told apart from a server that is away."""
    tls = certificate(tmp_path, name)
    async with serving(Post(), tls=tls) as port:
        found = await lines(usual(port, ca_file=str(tls) if named else ""))
    assert found[0] == ("ok", f"localhost:{port} answers")
    ((level, what),) = found[1:]
    assert level == "broken"
    assert what.startswith(f"the certificate of localhost:{port} is not trusted: ")
    assert ("mismatch" in what) is named


async def test_a_wrong_password_is_broken(tmp_path: Path) -> None:
    """With the server's own words, and the command that stores another."""
    tls = certificate(tmp_path, "localhost")
    secret.put("smtp", "wrong", keyring="", directory=tmp_path / "secrets")
    async with serving(Post(), tls=tls, password="right") as port:
        settings = usual(port, ca_file=str(tls), user="jitd", secrets=tmp_path / "secrets")
        refused = await lines(settings)
        missing = await lines(replace(settings, secrets=tmp_path / "nowhere"))
    assert refused[-1][0] == missing[-1][0] == "broken"
    assert refused[-1][1].startswith(f"localhost:{port} refuses the password of jitd: 535 ")
    assert missing[-1][1].startswith("cannot find the password for smtp")


async def test_without_starttls_it_is_broken() -> None:
    """A server that offers none is told as that; where none is wanted, on this machine, all is well."""
    async with serving(Post()) as port:
        assert (await lines(usual(port)))[1:] == [("broken", f"localhost:{port} does not offer STARTTLS")]
        found = await lines(usual(port, security="none"))
    assert found[1:] == [("ok", "it is not encrypted, but does not leave this machine")]


@pytest.mark.parametrize(
    ("address", "level"),
    [("127.0.0.1", "ok"), ("127.0.1.1", "ok"), ("::1", "ok"), ("192.0.2.1", "warning"), ("", "warning")],
)
def test_mail_in_the_clear(address: str, level: str) -> None:
    """Only a server that answers from this machine has nobody on the way, whatever its name is."""
    check = mail.unencrypted(usual(25, security="none"), address)
    assert check["level"] == level
    assert ("unencrypted" in check["what"]) is (level == "warning")


@pytest.mark.parametrize("security", ["none", "starttls"])
async def test_a_refused_greeting_is_told_apart(tmp_path: Path, security: str) -> None:
    """A server that is there and does not like this machine's name is no server that cannot be reached."""
    tls = certificate(tmp_path, "localhost") if security == "starttls" else None
    async with serving(Post(refused_name="gateway.example.org"), tls=tls) as port:
        settings = usual(port, security=security, ca_file=str(tls or ""), ehlo="gateway.example.org")
        ((level, what),) = await lines(settings)
    assert level == "broken"
    assert what == (
        f"localhost:{port} answers, but refuses the greeting of gateway.example.org: 504 need another name"
    )


async def test_tls_on_a_port_that_has_starttls_is_broken(tmp_path: Path) -> None:
    """The usual mistake with the two ports is named."""
    async with serving(Post(), tls=certificate(tmp_path, "localhost")) as port:
        ((level, what),) = await lines(usual(port, security="tls"))
    assert level == "broken"
    assert what.startswith(f"localhost:{port} does not speak TLS from the first byte")


async def test_nobody_there() -> None:
    """A closed port and a name that does not exist are told apart; without a server there is nothing to examine."""
    with socket.create_server(("localhost", 0)) as closed:
        port = closed.getsockname()[1]
    assert await lines(usual(port)) == [("broken", f"localhost:{port} cannot be reached: Connection refused")]
    ((level, what),) = await lines(usual(port, server="mail.invalid"))
    assert level == "broken"
    assert "mail.invalid" in what
    assert await lines(Mail()) == [("ok", "no mail is sent: [mail] server is empty")]


async def test_a_server_that_says_nothing_is_given_up() -> None:
    """It accepts and is silent: after the time limit that is what is broken."""
    with socket.create_server(("localhost", 0)) as silent:
        port = silent.getsockname()[1]
        assert await lines(usual(port), 0.5) == [("broken", f"localhost:{port} did not answer within 0.5 s")]
