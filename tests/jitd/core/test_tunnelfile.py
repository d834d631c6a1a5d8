"""The file for wg-quick: what can stand in it, whoever sets the values or sends it."""

import base64
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jitctl.machine.tunnel import nmprofile, wgquick
from jitctl.machine.tunnel.wanted import Tunnel
from jitd.core import parsing, tunnelfile
from jitd.core.tunnelfile import PrivateKey, TunnelFile
from support.hostile import KEY, VALUES, check_lines

KEYS = st.sampled_from(
    [
        "PrivateKey",
        "Address",
        "DNS",
        "MTU",
        "PublicKey",
        "Endpoint",
        "AllowedIPs",
        "PersistentKeepalive",
        "PostUp",
        "PreUp",
        "PostDown",
        "PreDown",
        "SaveConfig",
        "Table",
        "FwMark",
        "ListenPort",
        "PresharedKey",
    ]
)
GOOD = {
    "Address": "10.9.0.2/32",
    "PublicKey": KEY,
    "Endpoint": "vpn.example.org:51820",
    "AllowedIPs": "10.0.0.0/8",
}


@st.composite
def sent(draw: st.DrawFn) -> str:
    """A file as a hostile gateway could send it: near enough to a good one to be taken now and then."""
    lines = [
        draw(st.sampled_from(["# x", "#", "", "# \x1b[2J"])),
        "[Interface]",
        "PrivateKey = REPLACE_WITH_PRIVATE_KEY",
    ]
    good = dict(GOOD)
    for key in draw(st.lists(st.sampled_from(sorted(GOOD)), max_size=1)):
        good[key] = draw(VALUES)
    lines.append(f"Address = {good['Address']}")
    lines += [f"{key} = {draw(VALUES)}" for key in ("DNS", "MTU") if draw(st.booleans())]
    lines += ["[Peer]", *(f"{key} = {good[key]}" for key in ("PublicKey", "Endpoint", "AllowedIPs"))]
    for _ in range(draw(st.integers(0, 2))):
        lines.insert(draw(st.integers(0, len(lines))), f"{draw(KEYS)} = {draw(VALUES)}")
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + "\n"


def words(value: Any) -> list[str]:
    """Every text in a profile of NetworkManager's."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [one for each in value.values() for one in words(each)]
    return [one for each in value for one in words(each)] if isinstance(value, list | tuple) else []


@given(st.one_of(sent(), st.text(max_size=200)))
def test_nothing_that_a_gateway_sends_runs_anything(file: str) -> None:
    """A hostile gateway sends any file to a laptop, where root reads what is made of it. Only lines of a plain tunnel come
    out, with values in one spelling: for wg-quick, for NetworkManager, printed, and in a phone's code.
    """
    try:
        found = tunnelfile.read(file)
    except ValueError:
        return
    tunnel = Tunnel(name="jit-office-wg0", public_key=KEY, file=found)
    check_lines(wgquick._written(tunnel)[0], hook=True)
    printed = tunnelfile.write(found, PrivateKey.PLACE)
    check_lines(printed, hook=False)
    check_lines(tunnelfile.write(found, KEY), hook=False)
    assert tunnelfile.read(printed) == found
    profile = nmprofile.settings(tunnel)
    profile["connection"].pop("permissions")  # this user's own name
    for word in words(profile):
        assert re.fullmatch(r"[A-Za-z0-9:./\[\]+=~{}-]*", word), word
    assert set(profile["wireguard"]) <= {"private-key-flags", "peers", "mtu"}


@given(
    st.builds(
        dict,
        comment=st.text(max_size=300),
        dns=st.tuples(VALUES),
        peer=st.one_of(VALUES, st.just(KEY)),
        mtu=st.integers(-5, 70000),
        keepalive=st.integers(-5, 70000),
        preshared=st.booleans(),
        host=VALUES,
        port=st.integers(-5, 70000),
        key=st.one_of(VALUES, st.sampled_from(list(PrivateKey))),
    )
)
def test_the_writer_trusts_no_caller(given_: dict[str, Any]) -> None:
    """Were a check before it forgotten, the function that writes the file would still write no line that is not known."""
    host, port, key = given_.pop("host"), given_.pop("port"), given_.pop("key")
    address, route = parsing.interface_address("10.9.0.2/32"), parsing.network("10.0.0.0/8")
    try:
        file = tunnelfile.write(
            TunnelFile(
                addresses=(address,), routes=(route,), endpoint=parsing.Endpoint(host, port), **given_
            ),
            key,
        )
    except ValueError:
        return
    check_lines(file, hook=key is PrivateKey.PIPE)


@given(st.binary(min_size=32, max_size=32))
def test_keys_have_one_spelling(raw: bytes) -> None:
    """Every 32 bytes but zeros are a key."""
    text = base64.b64encode(raw).decode()
    if any(raw):
        assert parsing.key(text) == text
