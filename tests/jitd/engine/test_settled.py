"""What a reader sees between the record and the kernel."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from jitd.enforce.port import Change
from jitd.queries import show
from jitd.verbs import grants, holding
from support.service import ALICE, HOUR, ROOT, World


async def test_a_grant_that_is_on_its_way_is_activating(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded and not applied yet, a grant is marked; once the kernel was compared, it is not any more."""
    number = await office.asked()
    entered, go_on = threading.Event(), threading.Event()
    apply = office.wireguard.apply

    def held(name: str, changes: Sequence[Change]) -> None:
        entered.set()
        assert go_on.wait(10)
        apply(name, changes)

    monkeypatch.setattr(office.wireguard, "apply", held)
    try:
        granting = asyncio.create_task(office.do(grants.grant, ROOT, id=number, duration=HOUR))
        assert await asyncio.to_thread(entered.wait, 10)
        shown = (await office.ask(show.show, ALICE, id=number))["request"]
        assert (shown["status"], shown["marks"]) == ("active", ["activating"])
    finally:
        go_on.set()
    assert (await granting)["request"]["marks"] == []
    assert (await office.ask(show.show, ALICE, id=number))["request"]["marks"] == []


async def test_what_is_planned_is_not_on_its_way(office: World) -> None:
    """A plan, and a reply to a verb, have no such mark: nothing is between them and the kernel."""
    number = await office.asked()
    planned = await office.do(grants.grant, ROOT, id=number, plan=True)
    assert planned["request"]["marks"] == []
    await office.do(grants.grant, ROOT, id=number)
    assert (await office.do(holding.pause, ALICE, id=number))["request"]["marks"] == ["paused"]
