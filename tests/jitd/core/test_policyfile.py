"""The policy as a file: read, written, and its cases."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import policyfile, settings
from jitd.core.errors import JitError
from jitd.core.hours import parse_hours
from jitd.core.model import Network
from jitd.core.settings import parse_auto_approval

MINUTE = 60_000
FILE = """\
[network.office]
interface = "wg0"
routes = ["10.0.0.0/8"]
members = ["@staff", "zoe"]
max_duration = "4h"

[network.office.jit]
groups = ["@contractors"]
hours = ["Mon-Fri 08:00-18:00 Europe/Berlin"]
auto_approve = ["@contractors up to 30m, 2 a week"]
break_glass = ["@oncall"]

[[case]]
user = "carl"
groups = ["staff", "contractors"]
network = "office"
at = "Mon 07:00 Europe/Berlin"
expect = "outside-hours"

[[case]]
user = "sue"
groups = ["staff"]
network = "office"
expect = "standing"
break_glass = false
decides = false
"""


def names() -> st.SearchStrategy[tuple[str, ...]]:
    """Some principals."""
    return st.sets(st.sampled_from(["@staff", "@dev", "alice", "bob"])).map(
        lambda found: tuple(sorted(found))
    )


NETWORKS = st.builds(
    lambda members, groups, exempt, approvers, max_m, default_m, approvals, hours, auto, jit, reason: replace(
        policyfile.usual("office", 0),
        routes=(ip_network("10.0.0.0/8"), ip_network("fd00::/64")),
        members=members or ("alice",),
        jit_enabled=jit,
        jit_groups=groups,
        jit_exempt=exempt,
        approvers=approvers,
        approvals=approvals,
        max_duration_ms=max(max_m, default_m) * MINUTE,
        default_duration_ms=default_m * MINUTE,
        jit_hours=hours,
        jit_auto_approve=auto,
        reason_required=reason,
        reason_pattern="OPS-[0-9]+.*" if reason else "",
        reason_expected='a "ticket"\\' if reason else "",
    ),
    names(),
    names(),
    names(),
    names(),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.integers(1, 10),
    st.sampled_from(
        [(), (parse_hours("Mon-Fri 08:00-18:00 Europe/Berlin"), parse_hours("Sat 22:00-06:00 UTC"))]
    ),
    st.sampled_from([(), (parse_auto_approval("@dev,alice up to 1m, 5 a week"),)]),
    st.booleans(),
    st.booleans(),
)


@given(NETWORKS)
def test_a_file_gives_back_what_was_written(network: Network) -> None:
    """Export and read are inverse, for every setting."""
    text = policyfile.write([(network, "wg0")])
    (entry,) = policyfile.read(text).entries
    assert (entry.name, entry.interface) == ("office", "wg0")
    assert policyfile.network(entry, policyfile.usual("office", 0)) == network


@given(NETWORKS)
def test_plain_values_are_the_network(network: Network) -> None:
    """What `network show` and events have of a network is all of it."""
    assert settings.with_values(policyfile.usual("office", 0), settings.plain(network)) == network


def test_cases_that_come_out() -> None:
    """The file above says what it means."""
    policy = policyfile.read(FILE)
    networks = [policyfile.network(entry, policyfile.usual(entry.name, 0)) for entry in policy.entries]
    assert policyfile.failures(networks, policy.cases) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "outside-hours",
            "ask",
            "line 13: carl on office is outside-hours, and not ask: the hours are Mon-Fri",
        ),
        (
            "07:00",
            "09:00",
            "line 13: carl on office is ask, and not outside-hours: @contractors have to request",
        ),
        ('groups = ["staff"]', "groups = []", "line 20: sue on office is closed, and not standing"),
        ("break_glass = false", "break_glass = true", "line 20: sue may not use break-glass on office"),
        ("decides = false", "decides = true", "line 20: sue may not decide on office"),
        (
            'network = "office"\nexpect',
            'network = "lab"\nexpect',
            "line 20: there is no network lab in the file",
        ),
    ],
)
def test_cases_that_do_not(before: str, after: str, said: str) -> None:
    """Each says its line, what came out, and the rule that decided."""
    assert before in FILE
    policy = policyfile.read(FILE.replace(before, after))
    networks = [policyfile.network(entry, policyfile.usual(entry.name, 0)) for entry in policy.entries]
    (failure,) = policyfile.failures(networks, policy.cases)
    assert failure.startswith(said)


def test_an_automatic_approval_comes_out() -> None:
    """Within the hours and the rule, nobody has to be asked."""
    text = FILE.replace("07:00 Europe/Berlin", '09:00 Europe/Berlin"\nduration = "30m').replace(
        "outside-hours", "auto"
    )
    policy = policyfile.read(text)
    networks = [policyfile.network(entry, policyfile.usual(entry.name, 0)) for entry in policy.entries]
    assert policyfile.failures(networks, policy.cases) == []


@pytest.mark.parametrize(
    ("before", "after", "message", "hint"),
    [
        ('routes = ["10.0.0.0/8"]', 'routes = "10.0.0.0/8"', "line 3: cannot use", "list of text"),
        ('routes = ["10.0.0.0/8"]', "", "line 1: office has no routes", "routes = "),
        ("members", "membres", "line 4: cannot use 'membres' in [network.office]", "Did you mean members?"),
        ("break_glass =", "breakglass =", "line 11: cannot use 'breakglass'", "Did you mean break_glass?"),
        ("[network.office]", "[netwerk.office]", "line 1: cannot use 'netwerk'", "Did you mean network?"),
        ("[network.office", "[network.Office", "line 1: cannot use 'Office' as the name", "lower-case"),
        ('"4h"', '"4 hours"', "line 5: cannot read the duration '4 hours'", "8h"),
        ('"4h"', '"1h', "at line 5", ""),
        ('"4h"', '"400d"', "line 5: cannot use the duration", ""),
        (
            'members = ["@staff", "zoe"]',
            "",
            "line 1: cannot let only @contractors ask",
            "Add members first",
        ),
        ("Mon-Fri 08:00", "Mon-Fri 25:00", "line 9: ", ""),
        ('expect = "standing"', 'expect = "sitting"', "line 20: cannot expect 'sitting'", "Use one of"),
        ('user = "carl"', 'usr = "carl"', "line 13: cannot use 'usr' in a case", "Did you mean user?"),
        ("Mon 07:00", "Someday 07:00", "line 13: ", ""),
    ],
)
def test_a_wrong_line_is_named(before: str, after: str, message: str, hint: str) -> None:
    """Whatever is wrong, the message has the line, and the hint what to type instead."""
    assert before in FILE
    with pytest.raises(JitError) as caught:
        policyfile.read(FILE.replace(before, after))
    assert caught.value.code == "bad_request"
    assert message in caught.value.message
    assert hint in caught.value.hint


@given(st.text(max_size=300))
def test_garbage_is_an_error_and_no_crash(typed: str) -> None:
    """Any text is a policy or a bad request."""
    try:
        policyfile.read(typed)
    except JitError as error:
        assert error.code == "bad_request"


def test_a_long_line_is_read_in_no_time() -> None:
    """Where a line only looks like the head of a table, no pattern tries every way to read it."""
    text = (
        f'[network.a]\nroutes = ["10.0.0.0/8"]\nreason_expected = """\n[{" " * 60_000}\n"""\nmembres = []\n'
    )
    with pytest.raises(JitError) as caught:
        policyfile.read(text)
    assert "line 6: " in caught.value.message


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"wg0"', '"wg 0"', "line 2: cannot use 'wg 0' as the name of an interface"),
        ('"sue"', '"s\\u001b[31mue"', "line 20: cannot use 's[31mue' as the user of a case"),
    ],
)
def test_names_move_nobodys_terminal(before: str, after: str, message: str) -> None:
    """What is no name is refused before it is shown."""
    with pytest.raises(JitError) as caught:
        policyfile.read(FILE.replace(before, after))
    assert caught.value.message == message
