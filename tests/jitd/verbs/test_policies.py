"""Applying a policy file: all or nothing, with a plan that says what happens."""

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog
from jitd.verbs import grants, networks, policies, requests
from support.service import ALICE, BOB, HOUR, ROOT, World


async def exported(world: World) -> str:
    """The policy as it is."""
    return str((await world.ask(policies.export, ROOT))["text"])


async def test_an_export_changes_nothing(office: World) -> None:
    """Applied again it has no difference, and leaves no event."""
    changes = [
        "approvers=bob",
        "jit.hours=daily 00:00-24:00 UTC",
        "reason_pattern=.*[a-z]",
        "jit.break_glass=@staff",
    ]
    await office.do(networks.set_, ROOT, name="office", changes=changes)
    text = await exported(office)
    before = (await office.ask(eventlog.events_, ROOT))["next"]
    reply = await office.do(policies.apply, ROOT, text=text)
    assert (reply["changes"], reply["wider"], reply["done"]) == ([], [], True)
    assert (await office.ask(eventlog.events_, ROOT))["next"] == before
    assert await exported(office) == text


async def test_the_plan_and_what_comes_of_it(office: World) -> None:
    """New, changed and removed networks, who gains and loses, and grants that reach more, are named before."""
    await office.do(networks.add, ROOT, name="lab", routes=["192.168.0.0/24"])
    number = await office.granted(ALICE)
    lab = await office.asked(BOB, network="lab")
    await office.do(grants.grant, ROOT, id=lab, duration=HOUR)
    text = """
[network.office]
interface = "wg0"
routes = ["10.0.0.0/8", "172.16.0.0/12"]
members = ["alice", "bob"]
[network.office.jit]
exempt = ["bob"]
[network.db]
routes = ["192.168.9.9/32"]
"""
    plan = await office.do(policies.apply, ROOT, text=text, plan=True)
    assert plan["done"] is False
    assert [(one["sign"], one["network"], one["key"]) for one in plan["changes"]] == [
        ("-", "lab", ""),
        ("~", "office", "routes"),
        ("~", "office", "members"),
        ("~", "office", "jit.exempt"),
        ("+", "db", ""),
    ]
    assert plan["wider"] == [{"id": number, "user": "alice", "network": "office", "more": ["172.16.0.0/12"]}]
    assert [(one["user"], one["network"]) for one in plan["plan"]["gains"]] == [("bob", "office")]
    assert [(one["user"], one["network"]) for one in plan["plan"]["loses"]] == [("bob", "lab")]
    assert len((await office.ask(networks.list_, ROOT))["networks"]) == 2
    await office.do(policies.apply, ROOT, text=text, confirm=plan["plan"]["token"])
    assert [one["name"] for one in (await office.ask(networks.list_, ROOT))["networks"]] == ["db", "office"]
    assert set(office.peers()) == {"alice", "bob"}
    kinds = [one["kind"] for one in (await office.ask(eventlog.events_, ROOT))["events"]]
    assert kinds[-6:-1] == [
        "revoked",
        "network_removed",
        "network_changed",
        "network_added",
        "policy_applied",
    ]
    with pytest.raises(JitError) as caught:
        await office.do(policies.apply, ROOT, text=text + "approvals = 2\n", confirm=plan["plan"]["token"])
    assert caught.value.code == "conflict"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network.office]\nroutes = ['10.0.0.0/8']\nmembers = ['nobodyhere']", "line 1: cannot find a user"),
        ("[network.office]\nroutes = ['10.0.0.0/8']\ninterface = 'wg9'", "line 1: cannot move office"),
        (
            "[network.new]\nroutes = ['10.1.0.0/16']\ninterface = 'wg9'",
            "line 1: cannot find the interface of new",
        ),
        (
            "[network.a]\nroutes = ['10.1.0.0/16']\n[network.b]\nroutes = ['10.1.0.0/16']",
            "cannot use the route 10.1.0.0/16 in both",
        ),
        ("[network.office]\nroutes = ['10.0.0.0/8']\napprovals = 7", "line 1: cannot ask for 7 approvals"),
        (
            "[network.office]\nroutes = ['10.0.0.0/8']\n[[case]]\nuser = 'x'\nnetwork = 'office'\nexpect = 'standing'",
            "line 3: x on office is ask, and not standing",
        ),
    ],
)
async def test_one_wrong_line_applies_nothing(office: World, text: str, message: str) -> None:
    """Users and interfaces that there are not, routes that nobody can tell apart, failing cases: nothing is changed."""
    before = await exported(office)
    with pytest.raises(JitError) as caught:
        await office.do(policies.apply, ROOT, text=text)
    assert message in caught.value.message
    assert await exported(office) == before
    assert (await office.do(requests.request, ALICE, network="office", reason="x"))["request"][
        "status"
    ] == "pending"


async def test_an_empty_file_removes_everything(office: World) -> None:
    """The file is the whole; the plan says who loses what."""
    await office.granted(ALICE)
    reply = await office.do(policies.apply, ROOT, text="", plan=True)
    assert [(one["sign"], one["network"]) for one in reply["changes"]] == [("-", "office")]
    assert [one["user"] for one in reply["plan"]["loses"]] == ["alice"]
    assert set(office.peers()) == {"alice"}
