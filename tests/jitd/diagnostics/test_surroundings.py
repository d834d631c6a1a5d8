"""What a gateway's own rules do with granted traffic: read from what nft and iptables print."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from jitd.diagnostics.firewall import flushed, iptables, nft
from jitd.diagnostics.firewall.chains import Chain, Fate, Table, fate
from jitd.diagnostics.firewall.traffic import Traffic
from jitd.enforce.port import EnforceError
from support.inside import NAMESPACES, run_inside


@pytest.mark.root
def test_a_real_gateway(tmp_path: Path) -> None:
    """Each finding appears where its cause was built, with a real nft and kernel, and none where all is in order."""
    file = Path(__file__).with_name("inside_surroundings.py")
    run_inside(NAMESPACES, [file], out=tmp_path, seconds=120).check(file)


OUT = Traffic(
    source=ip_network("10.9.0.0/24"),
    destination=ip_network("10.20.0.0/16"),
    iif="wg0",
    oif="in0",
)
BACK = Traffic(source=OUT.destination, destination=OUT.source, iif="in0", oif="wg0", reply=True)


def table(
    *rules: Sequence[object],
    policy: str = "drop",
    others: Mapping[str, Sequence[Sequence[object]]] | None = None,
) -> Table:
    """A table as nft prints it: a base chain `forward` with these rules, and other chains."""
    at = {"family": "inet", "table": "filter"}
    base = {"type": "filter", "hook": "forward", "prio": 0, "policy": policy}
    said: list[object] = [
        {"metainfo": {"json_schema_version": 1}},
        {"table": {"family": "inet", "name": "filter"}},
    ]
    said.append({"chain": {**at, "name": "forward", **base}})
    said += [{"chain": {**at, "name": name}} for name in others or {}]
    chains: dict[str, Sequence[Sequence[object]]] = {"forward": rules, **(others or {})}
    for name, lines in chains.items():
        said += [
            {"rule": {**at, "chain": name, "handle": number, "expr": line}}
            for number, line in enumerate(lines, 1)
        ]
    (found,) = nft.parse(json.dumps({"nftables": said})).tables
    return found


def match(left: object, right: object, op: str = "==") -> dict[str, object]:
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str) -> dict[str, object]:
    return {"meta": {"key": key}}


def field(protocol: str, name: str) -> dict[str, object]:
    return {"payload": {"protocol": protocol, "field": name}}


ACCEPT: dict[str, object] = {"accept": None}
DROP: dict[str, object] = {"drop": None}
STATE: dict[str, object] = {"ct": {"key": "state"}}


def judged(found: Table, traffic: Traffic = OUT) -> str:
    """`accept`, `drop`, or `may drop` when something that is not known could accept."""
    end: Fate = fate(found, found.chains["forward"], traffic)
    return "may drop" if end.verdict == "drop" and "accept" in end.possible else end.verdict


@pytest.mark.parametrize(
    ("line", "out", "back"),
    [
        ([ACCEPT], "accept", "accept"),
        ([{"counter": {"packets": 0, "bytes": 0}}, {"log": {"prefix": "x"}}, ACCEPT], "accept", "accept"),
        ([match(STATE, ["established", "related"], "in"), ACCEPT], "drop", "accept"),
        ([match(STATE, {"set": ["new"]}, "!="), ACCEPT], "drop", "accept"),
        ([match(meta("iifname"), "wg0"), ACCEPT], "accept", "drop"),
        ([match(meta("iifname"), "wg*"), ACCEPT], "accept", "drop"),
        ([match(meta("iifname"), {"set": ["eth0", "wg0"]}), ACCEPT], "accept", "drop"),
        ([match(meta("iifname"), "@vpn"), ACCEPT], "may drop", "may drop"),
        ([match(meta("oifname"), "wg0", "!="), ACCEPT], "accept", "drop"),
        ([match(meta("nfproto"), "ipv6"), ACCEPT], "drop", "drop"),
        ([match(meta("protocol"), "ip"), ACCEPT], "accept", "accept"),
        ([match(meta("l4proto"), "tcp"), ACCEPT], "may drop", "may drop"),
        ([match(meta("mark"), 7), ACCEPT], "may drop", "may drop"),
        ([match(field("ip", "saddr"), {"prefix": {"addr": "10.0.0.0", "len": 8}}), ACCEPT], "accept", "accept"),
        ([match(field("ip", "saddr"), {"range": ["10.9.0.0", "10.9.0.99"]}), ACCEPT], "may drop", "drop"),
        ([match(field("ip", "daddr"), "10.20.0.1"), ACCEPT], "may drop", "drop"),
        ([match(field("ip6", "saddr"), {"prefix": {"addr": "fd00::", "len": 8}}, "!="), ACCEPT], "drop", "drop"),
        ([match({"fib": {"result": "type", "flags": "daddr"}}, "local"), ACCEPT], "drop", "drop"),
        ([match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False), ACCEPT], "may drop", "may drop"),
        ([match({"ct": {"key": "status"}}, "dnat", "in"), ACCEPT], "drop", "drop"),
        ([{"limit": {"rate": 3, "per": "second"}}, ACCEPT], "may drop", "may drop"),
        ([{"xt": {"type": "match", "name": "comment"}}, ACCEPT], "accept", "accept"),
        ([{"xt": None}, ACCEPT], "may drop", "may drop"),
        ([{"queue": {"num": 1}}], "may drop", "may drop"),
        ([{"vmap": {"key": STATE, "data": {"set": [["established", ACCEPT], ["new", DROP]]}}}], "drop", "accept"),
        ([{"vmap": {"key": meta("iifname"), "data": "@zones"}}], "may drop", "may drop"),
        (
            [match({"concat": [meta("iifname"), meta("oifname")]}, {"set": [{"concat": ["wg0", "in0"]}]}), ACCEPT],
            "accept",
            "drop",
        ),
        (
            [
                {
                    "vmap": {
                        "key": {"concat": [meta("iifname"), meta("oifname")]},
                        "data": {"set": [[{"concat": ["in0", "wg0"]}, ACCEPT]]},
                    }
                }
            ],
            "drop",
            "accept",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_accepts(line: list[object], out: str, back: str) -> None:
    """Before a policy that drops, a rule decides for what it surely holds, and leaves a doubt where it may hold."""
    assert judged(table(line), OUT) == out
    assert judged(table(line), BACK) == back


def test_a_special_drop_is_no_doubt() -> None:
    """What drops only what is special, by a set or a rate, leaves a later accept as it is."""
    special = [match(field("ip", "saddr"), "@blocked"), DROP]
    rate = [{"limit": {"rate": 3, "per": "second", "inv": True}}, DROP]
    assert judged(table(special, rate, [ACCEPT])) == "accept"


def test_jumps() -> None:
    """A chain that returns goes on behind the jump; behind a goto the policy decides."""
    others: dict[str, list[list[object]]] = {"user": [[{"return": None}]], "yes": [[ACCEPT]]}
    jump = [{"jump": {"target": "user"}}]
    assert judged(table(jump, [ACCEPT], others=others)) == "accept"
    assert judged(table([{"goto": {"target": "user"}}], [ACCEPT], others=others)) == "drop"
    assert judged(table(jump, [{"jump": {"target": "yes"}}], others=others)) == "accept"
    perhaps = [match(meta("mark"), 1), {"jump": {"target": "yes"}}]
    assert judged(table(jump, perhaps, others=others)) == "may drop"


def test_ports() -> None:
    """A port that a network has is found in a rule's ports, in the answers as the source."""
    line: list[object] = [match(field("tcp", "dport"), {"set": [22, {"range": [5000, 6000]}]}), ACCEPT]
    to_db = replace(OUT, protocol="tcp", dport=(5432, 5432))
    assert judged(table(line), to_db) == "accept"
    assert judged(table(line), replace(to_db, dport=(80, 80))) == "drop"
    assert judged(table(line), replace(to_db, protocol="udp")) == "drop"
    back: list[object] = [match(field("th", "sport"), 5432), ACCEPT]
    assert judged(table(back), replace(BACK, protocol="tcp", sport=(5432, 5432))) == "accept"


def test_a_flowtable_is_read() -> None:
    """A flowtable's devices are known, one or several."""
    said = {
        "nftables": [
            {"flowtable": {"family": "inet", "name": "f", "table": "x", "handle": 1, "dev": "wg0"}},
            {"flowtable": {"family": "ip", "name": "g", "table": "y", "handle": 2, "dev": ["in0", "in1"]}},
        ]
    }
    found = nft.parse(json.dumps(said)).flowtables
    assert [(one.table, one.name, one.devices) for one in found] == [
        ("inet x", "f", ("wg0",)),
        ("ip y", "g", ("in0", "in1")),
    ]


def test_devices_from_text() -> None:
    """The devices of a chain are read from text where the JSON of an older nft leaves them out."""
    tables = [Table(family=family, name="guard") for family in ("netdev", "inet")]
    for one in tables:
        one.chains["in"] = Chain(name="in", hook="ingress")
    text = """table netdev guard {
\tchain in {
\t\ttype filter hook ingress device "wg0.5" priority -500; policy accept;
\t}
}
table inet guard {
\tchain in {
\t\ttype filter hook ingress devices = { in0, "x" } priority filter; policy drop;
\t}
}
"""
    nft.add_devices(tables, text)
    assert [one.chains["in"].devices for one in tables] == [("wg0.5",), ("in0", "x")]


def test_what_is_no_listing() -> None:
    """Text that is no JSON of nft's is refused."""
    for text in ("", "table inet x {", "[]", '{"other": 1}'):
        with pytest.raises(EnforceError, match="cannot be read"):
            nft.parse(text)


UFW = r"""
# Generated by iptables-save v1.8.9
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [12:720]
:ufw-before-forward - [0:0]
:ufw-user-forward - [0:0]
-A FORWARD -j ufw-before-forward
-A FORWARD -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
{}COMMIT
"""


def test_ufw() -> None:
    """ufw's chains accept answers and pings by themselves, and clients when it was told to."""
    tcp = replace(OUT, protocol="tcp")

    def judge(line: str, traffic: Traffic = tcp) -> str:
        (found,) = iptables.parse(UFW.format(line), "ip")
        return fate(found, found.chains["FORWARD"], traffic).verdict

    assert judge("") == "drop"
    assert judge("", BACK) == "accept"
    assert judge("", replace(OUT, protocol="icmp")) == "accept"
    assert judge("-A ufw-user-forward -i wg0 -j ACCEPT\n") == "accept"
    assert judge("-A ufw-user-forward -i wg+ ! -o in1 -j ACCEPT\n") == "accept"
    assert judge("-A ufw-user-forward -i wg+ ! -o in0 -j ACCEPT\n") == "drop"
    assert judge("-A ufw-user-forward -s 10.9.0.0/255.255.255.0 -p tcp -m tcp -j ACCEPT\n") == "accept"
    assert judge("-A ufw-user-forward -p tcp -m multiport --dports 22,80:90 -j ACCEPT\n") == "drop"
    web = replace(tcp, dport=(81, 81))
    assert judge("-A ufw-user-forward -p tcp -m multiport --dports 22,80:90 -j ACCEPT\n", web) == "accept"
    assert judge('-A ufw-user-forward -m comment --comment "-j DROP or so" -j ACCEPT\n') == "accept"
    assert judge("-A ufw-user-forward -m set --match-set friends src -j ACCEPT\n") == "drop"


def test_iptables_explains_its_own_chains() -> None:
    """Chains that are opaque to nft get iptables' rules, and the others of the table keep theirs."""
    at = {"family": "ip", "table": "filter"}
    accept = [{"accept": None}]
    said = [
        {"table": {"family": "ip", "name": "filter"}},
        *({"chain": {**at, "name": name}} for name in ("ufw-before-forward", "ufw-user-forward", "mine")),
        {
            "chain": {
                **at,
                "name": "FORWARD",
                "type": "filter",
                "hook": "forward",
                "prio": 0,
                "policy": "drop",
            }
        },
        {
            "rule": {
                **at,
                "chain": "FORWARD",
                "handle": 7,
                "expr": [{"jump": {"target": "ufw-before-forward"}}],
            }
        },
        {"rule": {**at, "chain": "ufw-before-forward", "handle": 8, "expr": [{"xt": None}, *accept]}},
        {"rule": {**at, "chain": "mine", "handle": 9, "expr": accept}},
    ]
    found = nft.parse(json.dumps({"nftables": said})).tables
    (one,) = found
    assert "accept" in fate(one, one.chains["FORWARD"], OUT).possible
    iptables.explain(found, iptables.parse(UFW.format(""), "ip"))
    tcp = replace(OUT, protocol="tcp")
    assert "accept" not in fate(one, one.chains["FORWARD"], tcp).possible
    assert fate(one, one.chains["FORWARD"], replace(tcp, reply=True)).verdict == "accept"
    assert [rule.name for rule in one.chains["mine"].rules] == ["rule handle 9"]


def test_what_is_no_save() -> None:
    """A rule of a chain that was not declared, or with an open quote, is refused."""
    for line in ("-A nowhere -j ACCEPT", '-A FORWARD -m comment --comment "x'):
        with pytest.raises(EnforceError, match="cannot be read"):
            iptables.parse(f"*filter\n:FORWARD ACCEPT [0:0]\n{line}\nCOMMIT\n", "ip")


def test_flush_ruleset(tmp_path: Path) -> None:
    """Only `flush ruleset` in the file of a service that is enabled is told."""
    assert list(flushed(tmp_path)) == []
    (tmp_path / "nftables.conf").write_text("#!/usr/sbin/nft -f\n\nflush ruleset\ntable inet filter {\n}\n")
    assert list(flushed(tmp_path)) == []
    wants = tmp_path / "systemd/system/sysinit.target.wants"
    wants.mkdir(parents=True)
    (wants / "nftables.service").symlink_to("/lib/systemd/system/nftables.service")
    (finding,) = flushed(tmp_path)
    assert finding.level == "warning"
    assert "flush ruleset" in finding.what
    (tmp_path / "nftables.conf").write_text("# flush ruleset\n")
    assert list(flushed(tmp_path)) == []
