"""What a plan of a policy says, and that nothing comes of a plan that nobody confirmed."""

from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.core.people import Answer, Person
from jitd.queries import eventlog
from jitd.verbs import networks, policies, requests
from support.service import ALICE, BOB, HOUR, ROOT, World

OFFICE = '[network.office]\nroutes = ["10.0.0.0/8"]\n'


@pytest.mark.parametrize("by_file", [True, False])
async def test_a_plan_that_was_declined_opens_nothing(office: World, by_file: bool) -> None:
    """What a plan has found out is no last sure answer: bob stays out while his groups cannot be looked up."""
    office.people.groups |= {"oncall"}
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=@oncall"])
    office.people.people["bob"] = Person(
        name="bob", exists=Answer.YES, uid=BOB.uid, unavailable=frozenset({"oncall"})
    )
    await office.service.check()
    assert set(office.peers()) == set()
    if by_file:
        text = f'{OFFICE}[network.office.jit]\nexempt = ["@oncall", "bob"]\n'
        plan = await office.do(policies.apply, ROOT, text=text, plan=True)
    else:
        plan = await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt+=bob"], plan=True)
    assert [one["user"] for one in plan["plan"]["gains"]] == ["bob"]
    await office.service.check()
    assert set(office.peers()) == set()


async def test_a_file_puts_no_second_network_on_an_interface_without_a_firewall(tmp_path: Path) -> None:
    """WireGuard alone opens an interface as a whole: what network add refuses, policy apply refuses."""
    world = World(tmp_path, firewall=False)
    await world.start()
    try:
        await world.furnish()
        for more in ('[network.lab]\nroutes = ["192.168.0.0/24"]\n', 'ports = ["tcp/80"]\n'):
            with pytest.raises(JitError) as caught:
                await world.do(policies.apply, ROOT, text=OFFICE + more)
            assert caught.value.code == "refused"
        # Another one in its place is well.
        await world.do(policies.apply, ROOT, text='[network.lab]\nroutes = ["192.168.0.0/24"]\n')
    finally:
        await world.stop()


@pytest.mark.parametrize(
    ("before", "text", "more"),
    [
        ([], OFFICE.replace("/8", "/9"), []),
        (["ports=tcp/1-100"], OFFICE + 'ports = ["tcp/80"]\n', []),
        (["ports=tcp/80"], OFFICE, ["10.0.0.0/8"]),
        (["ports=tcp/80"], OFFICE + 'ports = ["tcp/80-90"]\n', ["10.0.0.0/8 tcp/80-90"]),
    ],
)
async def test_wider_is_what_reaches_more(
    office: World, before: list[str], text: str, more: list[str]
) -> None:
    """Less is not named as more."""
    if before:
        await office.do(networks.set_, ROOT, name="office", changes=before)
    await office.granted(ALICE)
    plan = await office.do(policies.apply, ROOT, text=text, plan=True)
    assert [one["more"] for one in plan["wider"]] == ([more] if more else [])


@pytest.mark.parametrize(
    "text", [OFFICE, f'{OFFICE}[network.db]\nroutes = ["10.1.2.3/32"]\nports = ["tcp/22"]\n']
)
async def test_a_network_that_goes_leaves_more_to_others(office: World, text: str) -> None:
    """Where a more specific network is removed or narrowed, grants of the wider one reach what it held."""
    await office.do(networks.add, ROOT, name="db", routes=["10.1.2.3/32"])
    number = await office.granted(ALICE)
    plan = await office.do(policies.apply, ROOT, text=text, plan=True)
    assert [(one["id"], one["more"]) for one in plan["wider"]] == [(number, ["10.1.2.3/32"])]


async def test_what_was_shown_is_what_is_confirmed(office: World) -> None:
    """The plan says what a new network has, and another network of that name needs another yes."""
    text = f'{OFFICE}[network.db]\nroutes = ["192.168.1.0/24"]\n'
    plan = await office.do(policies.apply, ROOT, text=text, plan=True)
    (added,) = plan["changes"]
    assert (added["after"]["interface"], added["after"]["routes"]) == ("wg0", ["192.168.1.0/24"])
    with pytest.raises(JitError) as caught:
        await office.do(
            policies.apply,
            ROOT,
            text=text.replace("192.168.1.0/24", "0.0.0.0/0"),
            confirm=plan["plan"]["token"],
        )
    assert caught.value.code == "conflict"


async def test_parts_of_a_second_are_no_difference(office: World) -> None:
    """A caller of the API may set what a file cannot say; an export changes it in no event."""
    await office.do(networks.set_, ROOT, name="office", max_duration=HOUR * 3 + 500)
    text = (await office.ask(policies.export, ROOT))["text"]
    before = (await office.ask(eventlog.events_, ROOT))["next"]
    assert (await office.do(policies.apply, ROOT, text=text))["changes"] == []
    assert (await office.ask(eventlog.events_, ROOT))["next"] == before


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "{a=" * 5_000, "a = " + "1" * 5_000])
async def test_hostile_toml_is_a_bad_request(office: World, text: str) -> None:
    """What the parser of TOML does not bear is the caller's mistake."""
    with pytest.raises(JitError) as caught:
        await office.do(policies.apply, ROOT, text=text)
    assert caught.value.code == "bad_request"


async def test_many_networks_of_one_interface_are_compared_once(office: World) -> None:
    """380 networks are compared in seconds; each with all others took longer than a caller waits."""
    text = OFFICE + "".join(f'[network.s{n}]\nroutes = ["10.0.{n // 250}.{n % 250}"]\n' for n in range(380))
    reply = await office.do(policies.apply, ROOT, text=text)
    assert len(reply["changes"]) == 380


@pytest.mark.parametrize(
    ("rules", "case", "right"),
    [
        ('members = ["@staff"]\n[network.office.jit]\nbreak_glass = ["bob"]\n', "break_glass = false", True),
        ('members = ["@staff"]\n[network.office.jit]\nbreak_glass = ["bob"]\n', "break_glass = true", False),
        ('[network.office.jit]\nbreak_glass = ["bob"]\n', "break_glass = true", True),
        ('[network.office.jit]\nbreak_glass = ["bob"]\nbreak_glass_quota = 0\n', "break_glass = true", False),
        ('max_duration = "4h"\n', 'duration = "9h"\nexpect = "ask"', False),
        ('max_duration = "4h"\n', 'duration = "9h"\nexpect = "refused"', True),
        ('min_duration = "1h"\n', 'duration = "9m"\nexpect = "refused"', True),
        (
            '[network.office.jit]\nhours = ["daily 08:00-18:00 UTC"]\nauto_approve = ["bob up to 30m, 5 a week"]\n',
            'duration = "2h"\nat = "Mon 17:45 UTC"\nexpect = "auto"',
            True,
        ),
    ],
)
async def test_a_case_says_what_a_request_gets(office: World, rules: str, case: str, right: bool) -> None:
    """Membership, quota, the longest and the shortest duration and the end of the shift count in a case too."""
    text = f'{OFFICE}{rules}[[case]]\nuser = "bob"\nnetwork = "office"\n{case}\n'
    if right:
        assert (await office.do(policies.apply, ROOT, text=text, plan=True))["done"] is False
        return
    with pytest.raises(JitError) as caught:
        await office.do(policies.apply, ROOT, text=text, plan=True)
    assert "of its cases fail" in caught.value.message


async def test_who_is_no_member_has_no_break_glass(office: World) -> None:
    """What a case says is what the request gets."""
    rules = 'members = ["@staff"]\n[network.office.jit]\nbreak_glass = ["bob"]\n'
    await office.do(policies.apply, ROOT, text=OFFICE + rules)
    with pytest.raises(JitError):
        await office.do(
            requests.request, BOB, network="office", reason="the office is on fire", break_glass=True
        )
