"""What a tunnel of this machine has to be, and what is taken from a gateway for it."""

import pytest

from jitctl.machine.tunnel import wanted, wgquick
from jitctl.machine.tunnel.names import name_of
from jitd.core.errors import JitError

KEY = "mDrIFJvLLi3GuTRdlQkUPYhTrzpMcFc1Sz8vrqMoH0Y="
PEER = "JEvGZFLDx4ViPoWFLVUNIVIHnXQ6p9hjYdV3n4Hp6QM="
FILE = f"""\
# alice's laptop on wg0. Keep this file private (chmod 600).
[Interface]
PrivateKey = REPLACE_WITH_PRIVATE_KEY
Address = 10.9.0.2/32, fd00::2/128
DNS = 10.9.0.1, corp.example
MTU = 1380

[Peer]
PublicKey = {PEER}
Endpoint = vpn.example.org:51820
AllowedIPs = 10.9.0.1/32, 10.20.0.0/24
PersistentKeepalive = 25
"""


def read(file: str = FILE) -> wanted.Tunnel:
    return wanted.read(file, name="jit-office-wg0", public_key=KEY)


def test_a_gateways_file_is_read_value_by_value() -> None:
    """Everything that makes a plain tunnel is taken; DNS servers and domains are told apart."""
    found = read().file
    assert [str(one) for one in found.addresses] == ["10.9.0.2/32", "fd00::2/128"]
    assert [str(one) for one in found.routes] == ["10.9.0.1/32", "10.20.0.0/24"]
    assert ([str(one) for one in found.servers], found.domains) == (["10.9.0.1"], ["corp.example"])
    assert (found.mtu, found.keepalive, found.peer) == (1380, 25, PEER)
    assert str(found.endpoint) == "vpn.example.org:51820"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MTU = 1380", "PostUp = touch /root/owned"),
        ("MTU = 1380", "postup=touch /root/owned"),
        ("MTU = 1380", "MTU = 1380; id"),
        ("MTU = 1380", "SaveConfig = true"),
        ("MTU = 1380", "Table = off"),
        ("MTU = 1380", "MTU = 1380\nMTU = 1400"),
        ("DNS = 10.9.0.1, corp.example", "DNS = $(id)"),
        ("10.20.0.0/24", "10.20.0.0/24; id"),
        ("10.20.0.0/24", "10.20.0.1/24"),
        ("Address = 10.9.0.2/32, fd00::2/128", "Address = 10.9.0.2/32 && id"),
        ("Address = 10.9.0.2/32, fd00::2/128", ""),
        ("vpn.example.org:51820", "-oProxyCommand=id:1"),
        ("vpn.example.org:51820", "vpn.example.org"),
        (PEER, "x"),
        ("PersistentKeepalive = 25", "[Peer]\nPublicKey = x"),
        ("[Peer]", "[Other]"),
        ("MTU = 1380", "no equals sign"),
    ],
)
def test_what_is_no_plain_tunnel_is_refused(old: str, new: str) -> None:
    """Root brings it up: nothing that would run, and no value of another form, comes from the gateway into the file."""
    assert old in FILE
    with pytest.raises(JitError, match="cannot use the file for the tunnel that the gateway sent") as refused:
        read(FILE.replace(old, new))
    assert refused.value.code == "bad_request"


def test_the_file_for_wg_quick_has_no_key() -> None:
    """The private key comes through the pipe that the hook reads; DNS is left out where nobody could set it."""
    text, left_out = wgquick._written(read())
    assert "PrivateKey" not in text
    assert "PostUp = wg set %i private-key /dev/stdin" in text
    assert ("DNS = 10.9.0.1, corp.example" in text) != bool(left_out)


@pytest.mark.parametrize(
    ("profile", "interface", "name"),
    [
        ("office", "wg0", "jit-office-wg0"),
        ("gateway", "wg0", "jit-gateway-wg0"),
        ("headquarters", "wg0", "jit-headqu-aaaa"),
        ("headquarters", "wg1", "jit-headqu-9ec7"),
    ],
)
def test_every_tunnel_has_a_name_of_its_own(profile: str, interface: str, name: str) -> None:
    """The name fits into the kernel's 15 bytes, says whose it is, and tells two interfaces of one gateway apart."""
    assert name_of(profile, interface) == name
    assert len(name) <= 15


@pytest.mark.parametrize(
    "interface", ["/../x", "../../.ssh/rc", "wg0\n", "wg 0", "", "-x", "a" * 16, "wg0;id"]
)
def test_a_gateway_names_no_file(interface: str) -> None:
    """A hostile gateway calls its interface "/../../x": the tunnel's file is where that says, and root reads it. Refused."""
    with pytest.raises(JitError, match="cannot use the name of the interface that the gateway sent"):
        name_of("office", interface)


@pytest.mark.parametrize("profile", ["../x", "a/b", "", "x\ny"])
def test_a_profile_names_no_file(profile: str) -> None:
    """Nor does a profile, whose name could come from a file that somebody else wrote."""
    with pytest.raises(JitError):
        name_of(profile, "wg0")


@pytest.mark.parametrize(
    "attack", ["fe80::5%$(id)", "fe80::5%x\nPostUp = id", "fd00::%x\r\n[Interface]\nPreUp = id\n#"]
)
@pytest.mark.parametrize(
    "old", ["10.9.0.1, corp.example", "10.20.0.0/24", "fd00::2/128", "vpn.example.org:51820"]
)
def test_zones_are_refused(old: str, attack: str) -> None:
    """A hostile gateway sends "fe80::5%$(command)" as an address: wg-quick hands it to programs that run it, as root."""
    file = FILE.replace(old, attack)
    for take in (read, wanted.rewritten, lambda text: wanted.with_key(text, KEY)):
        with pytest.raises(JitError, match="cannot use the file for the tunnel"):
            take(file)


def test_what_is_printed_is_written_anew() -> None:
    """`jitctl device config` prints what this machine made of the gateway's file; a phone's code is made of it, too."""
    assert wanted.rewritten(
        FILE.replace("Address = ", "ADDRESS=").replace("fd00::2/128", "FD00:0::2")
    ) == FILE.replace(
        "PrivateKey",
        "# Insert the private key of this device here; it never leaves this machine.\nPrivateKey",
    )
    code = wanted.with_key(FILE, KEY)
    assert "#" not in code
    assert f"PrivateKey = {KEY}\n" in code
