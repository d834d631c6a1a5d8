"""The one place where addresses, names and keys of others are read."""

import ast
import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import parsing

SOURCE = Path(__file__).parents[3] / "src"
#: What reads text into an address when it is called.
READERS = {
    "ip_address",
    "ip_network",
    "ip_interface",
    "IPv4Address",
    "IPv4Network",
    "IPv4Interface",
    "IPv6Address",
    "IPv6Network",
    "IPv6Interface",
    "inet_pton",
    "inet_aton",
}
BLANKS = ["\n", "\r", "\t", " ", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\xa0", "\u200b"]
#: What somebody would put behind the % of a zone, or anywhere else.
ATTACKS = [
    "%$(id)",
    "%x\nPostUp = id\n#x",
    "%eth0",
    "%1",
    "%",
    "$(id)",
    ";id",
    "`id`",
    "#",
    ",",
    "\x1b[2J",
    "\u0661",
]
ADDRESSES = st.ip_addresses().map(str)


def read_by(reader: Callable[[str], object], text: str) -> bool:
    try:
        reader(text)
    except ValueError:
        return False
    return True


def test_no_other_place_reads_addresses() -> None:
    """A gateway, or an administrator who is not root, sent "fe80::5%$(command)" as an address: `ip_address` takes any text
    as a zone, and a root shell ran it. So nothing but core/parsing.py, which refuses zones, calls what reads addresses.
    """
    calls = {
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE) != Path("jitd/core/parsing.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (
            isinstance(node, ast.Name | ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and (node.id if isinstance(node, ast.Name) else node.attr)
            in {"ip_address", "ip_network", "ip_interface"}
        )
        or (
            isinstance(node, ast.Call)
            and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) in READERS
        )
    }
    assert calls == set()


@pytest.mark.parametrize(
    "reader",
    [
        parsing.address,
        parsing.interface_address,
        parsing.network,
        parsing.dns,
        parsing.host,
        parsing.endpoint,
        lambda text: parsing.endpoint(text, 51820),
        lambda text: parsing.endpoint(f"[{text}]:51820"),
        lambda text: parsing.endpoint(f"{text}:51820"),
        lambda text: parsing.network(f"{text}/64"),
        lambda text: parsing.network(text, strict=False),
    ],
)
@pytest.mark.parametrize("attack", [*ATTACKS, *BLANKS])
@pytest.mark.parametrize("plain", ["fe80::5", "fd00::", "10.0.0.0", "vpn.example"])
def test_zones_blanks_and_commands_are_no_addresses(
    reader: Callable[[str], object], plain: str, attack: str
) -> None:
    """An attacker puts a zone, a blank, a line break or a command before, into or behind an address: it is refused."""
    for text in (plain + attack, attack + plain, plain[:3] + attack + plain[3:]):
        assert not read_by(reader, text), text


@given(st.one_of(ADDRESSES, st.text(max_size=60), st.from_regex(r"[0-9a-f:.%/\[\]-]{1,50}")))
def test_what_is_read_is_written_from_numbers(text: str) -> None:
    """Whatever is taken as an address is written in one spelling, which has no characters but an address's."""
    for reader, writer in (
        (parsing.address, parsing.write_address),
        (parsing.interface_address, parsing.write_interface),
        (parsing.network, parsing.write_network),
    ):
        try:
            found = reader(text)
        except ValueError:
            continue
        written = writer(found)  # type: ignore[arg-type]  # each writer takes what its reader found
        assert set(written) <= set("0123456789abcdef:./")
        assert reader(written) == found


def test_zones_of_objects_are_not_written() -> None:
    """An address object that has a zone all the same, from any other place, is written without it."""
    zoned = ipaddress.IPv6Interface("fe80::5%$(id)/64")
    assert parsing.write_address(ipaddress.IPv6Address("fe80::5%$(id)")) == "fe80::5"
    assert parsing.write_interface(zoned) == "fe80::5/64"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("vpn.example.org:51820", "vpn.example.org:51820"),
        ("VPN.example.org", "vpn.example.org:7"),
        ("192.0.2.1", "192.0.2.1:7"),
        ("[2001:DB8::0:1]", "[2001:db8::1]:7"),
        ("[2001:db8::1]:99", "[2001:db8::1]:99"),
        ("a:1", "a:1"),
    ],
)
def test_endpoints(typed: str, read: str) -> None:
    """A host name or an address, with or without a port, in one spelling."""
    assert str(parsing.endpoint(typed, 7)) == read


@pytest.mark.parametrize(
    "typed",
    [
        "",
        ":51820",
        "a:0",
        "a:65536",
        "a:",
        "a:1:2",
        "2001:db8::1",
        "[2001:db8::1",
        "[192.0.2.1]:1",
        "[::1]x",
        "-oProxyCommand=id",
        "a_b",
        "a..b",
        "a.",
        ".a",
        "a-",
        "1.2.3",
        "999.1.1.1",
        "a.1",
        "x" * 64,
        "a." * 127 + "aa",
        "a:\uff11",
    ],
)
def test_bad_endpoints(typed: str) -> None:
    """What is neither an address nor a name after RFC 1123, and ports that there are not, are refused."""
    assert not read_by(lambda text: parsing.endpoint(text, 7), typed)


@pytest.mark.parametrize(
    "bad", ["/../x", "..", "", "-x", "a/b", "a\n", "a b", "ä", "a" * 33, "a\0", "$(id)", ".x"]
)
def test_names_are_no_paths_options_or_commands(bad: str) -> None:
    """A gateway names an interface "/../../.ssh/rc": a name is never a way to another file, an option or a command."""
    for reader in (parsing.name, parsing.interface_name, parsing.profile_name):
        assert not read_by(reader, bad)


@pytest.mark.parametrize("bad", ["all", "default", "interfaces", "lo", "a" * 16])
def test_names_that_mean_something_else_are_no_interfaces(bad: str) -> None:
    """`wg show all` is every interface, and conf/default every one to come."""
    assert not read_by(parsing.interface_name, bad)


@pytest.mark.parametrize(
    ("said", "address", "scope"),
    [
        ("192.0.2.1:5", "192.0.2.1", ""),
        ("[2001:db8::1]:5", "2001:db8::1", ""),
        ("[fe80::1%eth0]:5", "fe80::1", "eth0"),
        ("[fe80::1%3]:5", "fe80::1", "3"),
    ],
)
def test_where_a_peer_was_heard_from(said: str, address: str, scope: str) -> None:
    """WireGuard itself says the zone of a peer on the same link, and needs it to answer."""
    found = parsing.peer_endpoint(said)
    assert (str(found[0]), found[1], found[2]) == (address, scope, 5)
    assert parsing.write_peer_endpoint(said) == said


@pytest.mark.parametrize(
    "said", ["[fe80::1%a\nb]:5", "[fe80::1%]:5", "1.2.3.4%x:5", "fe80::1:5", "host:5", "1.2.3.4:0"]
)
def test_no_peer_endpoints(said: str) -> None:
    """A line break in a zone would be another line of WireGuard's text protocol."""
    assert not read_by(parsing.peer_endpoint, said)
