"""Whose questions wait for whose: what an administrator decides never waits for what users ask."""

import asyncio
import threading
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.core.model import Actor
from jitd.engine import service as service_module
from jitd.queries import eventlog, overview, show
from jitd.verbs import devices, freezing, grants, holding, removal, requests, users
from jitd.verbs.context import ChangeVerb, Reply, View
from support.service import ALICE, BOB, CAROL, ROOT, World, key


async def test_no_question_of_users_stands_before_a_revoke(office: World) -> None:
    """An attack: searches of ten users, four at a time, took both readers, and a revoke needed one of them first."""
    number = (await office.do(grants.grant, CAROL, user="alice", network="office", duration=600_000))[
        "request"
    ]["id"]
    let_go = threading.Event()

    def slow(_view: View, _query: object) -> Reply:
        let_go.wait(60)
        return {}

    office.may_run(slow)
    asking = [asyncio.ensure_future(office.ask(slow, actor)) for actor in (ALICE, BOB) * 10]
    try:
        async with asyncio.timeout(20):
            shown = await office.ask(show.show, CAROL, id=number)
            assert shown["request"]["status"] == "active"
            revoked = await office.do(grants.revoke, CAROL, id=number, comment="now")
        assert revoked["request"]["status"] == "revoked"
        assert not any(one.done() for one in asking)
    finally:
        let_go.set()
        await asyncio.gather(*asking)


async def test_a_question_of_a_user_has_an_end(office: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would look through too much is broken off, with what to ask instead; the reader is as good as before."""
    monkeypatch.setattr(service_module, "USERS_SECONDS", 0.05)

    def endless(view: View, _query: object) -> Reply:
        view.rows.value(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        )
        raise AssertionError

    office.may_run(endless)
    for _ in range(3):
        with pytest.raises(JitError) as caught:
            await office.ask(endless, ALICE)
        assert caught.value.code == "limit"
        assert caught.value.message == "cannot read that much: it takes longer than 0.05 s"
    assert (await office.ask(overview.status, ALICE))["user"] == "alice"


async def test_what_closes_writes_nothing_when_it_is_repeated(office: World) -> None:
    """An attack: what no rate refuses, in a loop, to fill the store. The second time it records nothing."""
    number = (await office.do(grants.grant, CAROL, user="alice", network="office", duration=600_000))[
        "request"
    ]["id"]
    asked = (await office.do(requests.request, BOB, network="office", reason="x"))["request"]["id"]
    await office.do(devices.add, ALICE, name="old", public_key=key("old"))
    await office.do(devices.add, ALICE, name="gone", public_key=key("gone"))
    closing: list[tuple[ChangeVerb, Actor, dict[str, Any]]] = [
        (holding.pause, ALICE, {"id": number}),
        (grants.revoke, CAROL, {"id": number, "comment": "x"}),
        (holding.release, ALICE, {"id": number}),
        (requests.cancel, BOB, {"id": asked}),
        (grants.deny, CAROL, {"id": asked, "comment": "x"}),
        (freezing.freeze, CAROL, {"reason": "x"}),
        (removal.remove, ALICE, {"name": "old", "lost": True}),
        (removal.remove, ALICE, {"name": "gone"}),
        (users.disable, CAROL, {"user": "bob", "reason": "x"}),
    ]
    for verb, actor, body in closing:
        for again in (False, True, True):
            before = (await office.ask(eventlog.events_, ROOT))["next"]
            try:
                await office.do(verb, actor, **body)
            except JitError as error:
                assert error.code in ("conflict", "stale", "not_found"), (verb, error)
            if again:
                after = (await office.ask(eventlog.events_, ROOT))["next"]
                assert after == before, verb


async def test_devices_that_were_added_and_removed_count_for_a_month(office: World) -> None:
    """An attack: each device that is added and reported lost leaves a row for ever. So many within 30 days, no more."""
    most = office.config.limits.devices_added_per_month
    for number in range(most - 1):
        await office.do(devices.add, ALICE, name="new", public_key=key(f"new {number}"))
        await office.do(removal.remove, ALICE, name="new", lost=True)
    with pytest.raises(JitError) as caught:
        await office.do(devices.add, ALICE, name="new", public_key=key("one more"))
    assert caught.value.code == "limit"
    assert (
        caught.value.message
        == "cannot add new: alice has added 100 devices within 30 days, which is the limit"
    )
    await office.do(devices.add, CAROL, user="alice", name="new", public_key=key("by carol"))
    await office.advance(31 * 86_400_000)
    await office.do(removal.remove, ALICE, name="new")
    await office.do(devices.add, ALICE, name="new", public_key=key("next month"))
