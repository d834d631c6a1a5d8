"""Who may call what: every verb of the API against every kind of caller."""

from collections.abc import Callable
from typing import Any

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, overview
from jitd.server.route import Kind, Route
from jitd.server.routes import ROUTES
from jitd.verbs.access import Access, Role
from jitd.verbs.context import Call, Render, Reply, View
from support.every_verb import BODIES, CALLERS, allowed, ask, furnish
from support.service import ROOT, World


def test_every_verb_of_the_api_is_in_the_matrix() -> None:
    """A route whose verb is not here fails this test: nobody has tried whether its `access` is true."""
    assert {route.verb for route in ROUTES if route.verb is not None} == set(BODIES)


def test_a_route_without_access_cannot_be_written() -> None:
    """A new route whose author forgets who may call it would be open to everybody."""
    with pytest.raises(TypeError, match="access"):
        Route("GET", "/v1/new", Kind.QUERY, overview.health, takes=dict, gives=dict, summary="New")  # type: ignore[call-arg]  # what is tested: it lacks `access`


@pytest.mark.parametrize(("roles", "action"), [(Role(0), ""), (Role.ADMIN, ""), (Role.OWNER, "see it")])
def test_access_that_would_not_be_checked_cannot_be_written(roles: Role, action: str) -> None:
    """Nobody, administrators without the words of the refusal, and words that are never said."""
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
