"""Every route of the API answers what its line in the table promises."""

import msgspec
import pytest

from jitd import wire
from jitd.server.inputs import fields
from jitd.server.route import Route
from jitd.server.routes import ROUTES
from support.every_verb import BODIES, CALLERS, allowed, ask, furnish
from support.replies import check, strict
from support.service import World

ASKED = [route for route in ROUTES if route.verb is not None]


def test_every_route_has_a_body_to_try_it_with() -> None:
    """A route whose verb is not tried below would answer what it likes."""
    assert {route.verb for route in ASKED} == set(BODIES)


@pytest.mark.parametrize("route", ASKED, ids=lambda route: route.path)
async def test_a_reply_is_what_its_route_promises(world: World, route: Route) -> None:
    """Every key of the reply's type is there, none that it does not name, and each value has its type, in every object of the
    reply; also where only the plan is asked for, which is another reply of the same type.
    """
    assert route.verb is not None
    caller = min(allowed(route.verb))
    await furnish(world, route.verb, caller)
    bodies = [BODIES[route.verb]]
    if "plan" in fields(route.takes):
        bodies.insert(0, {**bodies[0], "plan": True})
    for body in bodies:
        check(route.verb, await ask(world, route, CALLERS[caller], body))


@pytest.mark.parametrize(
    "wrong",
    [
        {"now": 1, "messages": []},
        {"now": "1", "requests": []},
        {"now": 1, "messages": [{"id": 1, "to": "x", "more": 1}], "agrees": True, "waiting": ""},
        {"now": 1, "messages": [], "agrees": True, "waiting": "", "more": 1},
    ],
)
def test_what_is_not_promised_is_found(wrong: dict[str, object]) -> None:
    """The check itself: a key that is missing, a value of another type, and a key that no reader knows of, at any depth."""
    right = {"now": 1, "messages": [{"id": 1, "to": "x"}], "agrees": True, "waiting": ""}
    kind = strict(wire.NotifyTestReply)
    msgspec.convert(right, kind)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, kind)
