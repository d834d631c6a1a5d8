"""The client against the table of routes: JSON has no types, so that mypy believes what each method says."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack, get_type_hints

import pytest

from jitctl.api.client import Client
from jitd import wire
from jitd.server.inputs import fields
from jitd.server.route import Kind, Route
from jitd.server.routes import ROUTES

#: The gate speaks before HTTP's first verb (transport.introduce); the document and the metrics are for other clients.
ASKED = [route for route in ROUTES if route.kind not in (Kind.GATE, Kind.DOCUMENT, Kind.MEASURE)]


@pytest.mark.parametrize("route", ASKED, ids=lambda route: route.path)
def test_a_method_takes_and_gives_what_its_route_does(route: Route) -> None:
    """A method that promised another reply, or took another body, would be believed everywhere in jitctl."""
    name = route.path.removeprefix("/v1/").replace("/", "_").replace("-", "_")
    method: Callable[..., Any] = getattr(Client, name)
    types = get_type_hints(
        method, localns={"wire": wire, "Iterator": Iterator, "Callable": Callable, "Mapping": Mapping}
    )
    gives = types.pop("return")
    assert gives == (Iterator[wire.EventView] if route.kind is Kind.STREAM else route.gives)
    taken = types.pop("body", None) or types.pop("query", None)
    if taken is not None:
        assert taken == Unpack[route.takes]
    else:
        assert set(types.values()) == set(fields(route.takes).values())
