"""Who may call what: every verb of the API against every kind of caller."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, overview, show, why
from jitd.server.route import Kind, Route
from jitd.server.routes import ROUTES
from jitd.verbs import changes, grants, lookup, notify
from jitd.verbs.access import Access, Role
from jitd.verbs.context import Call, Render, Reply, View
from support.every_verb import BODIES, CALLERS, allowed, ask, furnish
from support.service import ALICE, BOB, CAROL, ROOT, World


def test_every_verb_of_the_api_is_in_the_matrix() -> None:
    """A route whose verb is not here fails this test: nobody has tried whether its `access` is true."""
    assert {route.verb for route in ROUTES if route.verb is not None} == set(BODIES)


def test_a_route_without_access_cannot_be_written() -> None:
    """A new route whose author forgets who may call it would be open to everybody."""
    with pytest.raises(TypeError, match="access"):
        Route("GET", "/v1/new", Kind.QUERY, overview.health, takes=dict, gives=dict, summary="New")  # type: ignore[call-arg]  # what is tested: it lacks `access`


@pytest.mark.parametrize(
    ("roles", "action"),
    [
        (Role(0), ""),
        (Role.ADMIN, ""),
        (Role.ANY, "see it"),
        (Role.OWNER, "see it"),
        (Role.OWNER | Role.DECIDER, ""),
    ],
)
def test_access_that_would_not_be_checked_cannot_be_written(roles: Role, action: str) -> None:
    """Nobody, words of a refusal that are missing or never said, and a role of an object that no loader finds."""
    with pytest.raises(ValueError, match="action"):
        Access(roles, action)


async def test_a_verb_outside_of_the_table_is_not_run(world: World) -> None:
    """A function that somebody hands to the service past the table runs for nobody, root included."""
    ran = []

    def unlisted(view: View, query: object) -> Reply:
        ran.append((view, query))
        return {}

    def unlisted_change(call: Call, body: object) -> Render[Reply]:
        ran.append((call, body))
        return lambda _: {}

    for running in (
        world.service.query(unlisted, ROOT, {}),
        world.service.peek(unlisted, ROOT, {}),
        world.service.change(unlisted_change, ROOT, {}),
    ):
        with pytest.raises(KeyError):
            await running
    assert not ran


@pytest.mark.parametrize("caller", sorted(CALLERS))
@pytest.mark.parametrize(
    "verb", BODIES, ids=lambda verb: f"{verb.__module__.rpartition('.')[2]}.{verb.__name__}"
)
async def test_who_may_call_what(world: World, verb: Callable[..., Any], caller: str) -> None:
    """Whom the table lets in succeeds; everybody else is refused, and not one event is recorded."""
    await furnish(world, verb, caller)
    route = next(route for route in ROUTES if route.verb is verb)
    body = BODIES[verb]
    before = (await world.ask(eventlog.events_, ROOT))["next"]
    if caller in allowed(verb):
        await ask(world, route, CALLERS[caller], body)
        return
    with pytest.raises(JitError) as caught:
        await ask(world, route, CALLERS[caller], body)
    assert caught.value.code in ("not_permitted", "not_found")
    assert (await world.ask(eventlog.events_, ROOT))["next"] == before


async def test_an_outsider_cannot_tell_a_request_of_others_from_none(world: World) -> None:
    """Attack: somebody with no part in it counts through the numbers, to learn from 403 or 404 which requests exist."""
    await world.furnish()
    number = await world.granted(ALICE)
    loaders = (lookup.numbered, lookup.mine, grants.asked, why.explained)
    by_number = [route for route in ROUTES if route.access.loader in loaders]
    assert len(by_number) == 12
    for route in by_number:
        assert route.verb is not None
        answers = set()
        for asked in (number, 999):
            with pytest.raises(JitError) as caught:
                await ask(world, route, BOB, {**BODIES[route.verb], "id": asked})
            answers.add((caught.value.code, caught.value.message.replace(str(asked), "N"), caught.value.hint))
        ((code, message, _),) = answers
        assert (code, message) == ("not_found", "cannot find a request N")


@pytest.mark.parametrize(
    ("verb", "knows"), [(notify.result, False), (changes.reject, False), (show.show, True)]
)
async def test_a_number_is_looked_up_as_what_the_route_says(
    world: World, verb: Callable[..., Any], *, knows: bool
) -> None:
    """The number of a message or a change is no request's: the system is not asked about the user of that request."""
    await world.furnish()
    number = await world.granted(ALICE)
    asked: list[str] = []
    refresh = world.people.refresh

    async def listening(names: Iterable[str], groups: Iterable[str] = ()) -> None:
        asked.extend(names)
        await refresh(names, groups)

    world.people.refresh = listening  # type: ignore[method-assign]
    route = next(route for route in ROUTES if route.verb is verb)
    with suppress(JitError):
        await ask(world, route, CAROL, {"id": number})
    assert ("alice" in asked) is knows
