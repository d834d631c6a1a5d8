"""What a change of networks gives to those who were let into one of them."""

from ipaddress import ip_address, ip_network
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from jitd.core.firewall import NetworkRules, decides, widened
from jitd.core.model import Ports

ROUTES = [
    ip_network(one) for one in ("10.0.0.0/29", "10.0.0.0/30", "10.0.0.2/31", "10.0.0.3/32", "10.0.0.6/31")
]
PORTS = [Ports("tcp", 1, 2), Ports("tcp", 2, 4), Ports("udp", 2, 2)]


def rules(number: int) -> st.SearchStrategy[NetworkRules]:
    """A small network."""
    return st.builds(
        lambda routes, ports: NetworkRules(
            id=number, name=f"n{number}", routes=tuple(routes), ports=tuple(ports)
        ),
        st.lists(st.sampled_from(ROUTES), min_size=1, max_size=2, unique=True),
        st.lists(st.sampled_from(PORTS), max_size=2, unique=True),
    )


SIDE = st.tuples(*(st.one_of(st.none(), rules(number)) for number in (1, 2, 3))).map(
    lambda found: [one for one in found if one is not None]
)


@given(SIDE, SIDE)
def test_widened_is_what_the_firewall_decides_anew(
    before: list[NetworkRules], after: list[NetworkRules]
) -> None:
    """It names just the networks that some destination belongs to afterwards, and did not belong to before."""
    found = set()
    for address, protocol, port in product(range(8), ("tcp", "udp", "icmp"), range(6)):
        place = (ip_address("10.0.0.0") + address, protocol, port)
        was, will = decides(before, *place), decides(after, *place)
        if will is not None and (was is None or was.name != will.name):
            found.add(will.name)
    assert set(widened(before, after)) == found


def test_widened_says_what_comes() -> None:
    """By a route, by ports, and by another network that goes."""
    office = NetworkRules(id=1, name="office", routes=(ip_network("10.0.0.0/8"),), ports=())
    db = NetworkRules(id=2, name="db", routes=(ip_network("10.1.2.3/32"),), ports=())
    ssh = NetworkRules(id=2, name="db", routes=db.routes, ports=(Ports("tcp", 22, 22),))
    assert widened([office, db], [office]) == {"office": ["10.1.2.3/32"]}
    assert widened([office, db], [office, ssh]) == {"office": ["10.1.2.3/32"]}
    assert widened([office, ssh], [office, db]) == {"db": ["10.1.2.3/32"]}
    assert widened([office], [office, db]) == {"db": ["10.1.2.3/32"]}
