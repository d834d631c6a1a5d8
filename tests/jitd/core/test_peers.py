"""Desired peers and the difference to what is there."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from jitd.core.peers import DesiredPeer, ObservedPeer, Reason, difference, wanted

IPS = frozenset({ip_network("10.9.0.2/32")})
GRANT = Reason(kind="grant", network="office", why="grant 1", request_id=1)
PAUSED = Reason(kind="grant", network="office", why="grant 1", request_id=1, paused=True)
STANDING = Reason(kind="standing", network="lab", why="administrators")


def test_no_reason_no_peer() -> None:
    """Without a reason there is no peer."""
    assert wanted("KEY", IPS, "", []) is None


def test_a_paused_grant_keeps_the_peer_without_addresses() -> None:
    """A paused grant leaves a peer that passes nothing."""
    peer = wanted("KEY", IPS, "", [PAUSED])
    assert peer is not None
    assert peer.allowed_ips == frozenset()


def test_one_open_reason_is_enough() -> None:
    """A paused grant does not close what another reason opens."""
    peer = wanted("KEY", IPS, "", [PAUSED, STANDING])
    assert peer is not None
    assert peer.allowed_ips == IPS


reasons = st.lists(st.sampled_from([GRANT, PAUSED, STANDING]), max_size=4)
addresses = st.frozensets(st.sampled_from([ip_network(f"10.9.0.{number}/32") for number in range(2, 6)]))
keys = st.sampled_from("ABCDEF")
secrets = st.sampled_from(["", "secret"])
wanted_peers = st.dictionaries(keys, st.tuples(addresses, secrets)).map(
    lambda found: {
        key: DesiredPeer(public_key=key, allowed_ips=ips, preshared_key=psk)
        for key, (ips, psk) in found.items()
    }
)
actual_peers = st.dictionaries(keys, st.tuples(addresses, secrets)).map(
    lambda found: {
        key: ObservedPeer(public_key=key, allowed_ips=ips, preshared_key=psk)
        for key, (ips, psk) in found.items()
    }
)


@given(reasons, reasons)
def test_the_end_of_one_reason_never_cuts_another(mine: list[Reason], ending: list[Reason]) -> None:
    """Who is let in for some reasons is let in just the same when further reasons come and go."""
    alone = wanted("KEY", IPS, "", mine)
    together = wanted("KEY", IPS, "", mine + ending)
    if alone is not None:
        assert together is not None
        assert alone.allowed_ips <= together.allowed_ips


@given(wanted_peers, actual_peers, st.frozensets(keys))
def test_the_difference_leads_to_what_is_wanted(
    desired: dict[str, DesiredPeer], actual: dict[str, ObservedPeer], leave: frozenset[str]
) -> None:
    """Applying the difference gives exactly the wanted peers; keys to leave are as they were; then nothing is left."""
    found = difference(desired, actual, leave=leave)
    after = {key: peer for key, peer in actual.items() if key not in found.to_remove}
    for peer in found.to_set:
        after[peer.public_key] = ObservedPeer(
            public_key=peer.public_key, allowed_ips=peer.allowed_ips, preshared_key=peer.preshared_key
        )
    for key in desired.keys() | actual.keys():
        if key in leave:
            assert after.get(key) == actual.get(key)
        elif key in desired:
            assert after[key].allowed_ips == desired[key].allowed_ips
        else:
            assert key not in after
    assert not difference(desired, after, leave=leave)
