"""What doctor sees of the way to the gateway's endpoint, with real sockets."""

import socket
from typing import Any

import pytest

from jitctl.machine import doctor

KEY = "mDrIFJvLLi3GuTRdlQkUPYhTrzpMcFc1Sz8vrqMoH0Y="


def told(endpoint: str) -> tuple[str, str]:
    """(level, words) of the one line."""
    (line,) = doctor._way(endpoint)
    return line["level"], line["what"]


def test_a_port_that_is_silent_proves_nothing() -> None:
    """Somebody who listens and says nothing, as WireGuard does, is told as what cannot be known."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        level, what = told(f"127.0.0.1:{port}")
        assert silent.recv(10) == b"\0"
    assert level == "unknown"
    assert what.startswith(
        f"127.0.0.1:{port} (127.0.0.1) has a route, and nobody refuses; more cannot be known"
    )


def test_a_port_that_nobody_listens_on_is_broken() -> None:
    """The machine's own refusal is heard."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert told(f"127.0.0.1:{port}") == (
        "broken",
        f"the gateway's endpoint 127.0.0.1:{port} cannot be reached (127.0.0.1: nobody listens on the port)",
    )


@pytest.mark.parametrize(
    ("endpoint", "level"), [("", "unknown"), ("vpn", "unknown"), ("no.such.invalid:51820", "broken")]
)
def test_an_endpoint_that_is_none(endpoint: str, level: str) -> None:
    """None that is known, and a name that cannot be resolved."""
    assert told(endpoint)[0] == level


def test_an_address_in_brackets() -> None:
    """IPv6 is taken apart as it is written."""
    level, what = told("[::1]:9")
    assert level == "broken"
    assert "::1: " in what


@pytest.mark.parametrize(
    "changed",
    [
        {"public_key": "x; touch /owned #"},
        {"routes": ["10.0.0.0/8; id"]},
        {"routes": ["fe80::%$(id)"]},
        {"endpoint": "$(id):51820"},
        {"devices": [{"name": "a; id", "public_key": KEY}]},
        {"devices": [{"name": "laptop", "public_key": "$(id)"}]},
    ],
)
def test_a_gateway_writes_no_command(changed: dict[str, Any]) -> None:
    """A hostile gateway sends a key such as "x; touch /owned": it stands in a command that doctor shows, and that somebody
    types as root. It is refused before anything is made of it.
    """
    facts: Any = {
        "interface": "wg0",
        "public_key": KEY,
        "endpoint": "127.0.0.1:9",
        "routes": ["10.0.0.0/8"],
        "devices": [{"name": "laptop", "public_key": KEY}],
        **changed,
    }
    (line,) = doctor.examine(facts, far=True)
    assert line["level"] == "broken"
    assert line["what"].startswith("the gateway says what cannot be used of its tunnel")
    assert line["fix"] == ""
