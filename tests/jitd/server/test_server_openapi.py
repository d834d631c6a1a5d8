"""The description of the API."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from jitd.core.choices import StatusName
from jitd.server import openapi
from jitd.server.route import Kind, Route
from jitd.server.routes import ROUTES
from jitd.wire import ErrorBody
from support.server import TABLE, world


def refs(value: object) -> Iterator[str]:
    """Every $ref inside a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key == "$ref" else refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from refs(inner)


def check(document: Mapping[str, Any], table: Sequence[Route]) -> None:
    """Structural rules of OpenAPI 3.1 that a generator of clients stands on."""
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"]
    schemas = document["components"]["schemas"]
    for ref in refs(document):
        assert re.fullmatch(r"#/components/schemas/[\w.-]+", ref)
        assert ref.rpartition("/")[2] in schemas
    assert {(route.path, route.method.lower()) for route in table} == {
        (path, method) for path, operations in document["paths"].items() for method in operations
    }
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        error = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/ErrorBody"}
        assert operation["responses"]["200"]["description"]
        assert operation["summary"]
        assert ("requestBody" in operation) != ("parameters" in operation)


async def test_the_description_is_served_and_complete(socket_path: Path) -> None:
    """Every route is there with its schema and the error's, and every reference leads somewhere."""
    async with world(socket_path) as here:
        document = (await here.ask("GET", "/v1/openapi.json")).json
        check(document, TABLE)
        schemas = document["components"]["schemas"]
        assert schemas["ErrorBody"]["description"] == ErrorBody.__doc__
        assert schemas["RequestBody"]["required"] == ["reason"]
        parameters = document["paths"]["/v1/list"]["get"]["parameters"]
        assert parameters[0] == {
            "name": "status",
            "in": "query",
            "required": False,
            "schema": {"type": "array", "items": {"enum": list(get_args(StatusName))}},
        }


def test_the_table_of_the_daemon_can_be_described() -> None:
    """The real table keeps the same rules, and each route is there once."""
    check(openapi.describe(ROUTES, "1"), ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert all((route.verb is None) == (route.kind is Kind.DOCUMENT) for route in ROUTES)


def test_the_description_says_who_may_call() -> None:
    """Whoever writes a program against the API sees the roles that the engine checks."""
    paths = openapi.describe(ROUTES, "1")["paths"]
    assert paths["/v1/freeze"]["post"]["x-access"] == ["admin"]
    assert paths["/v1/show"]["get"]["x-access"] == ["decider", "owner"]
    assert paths["/v1/status"]["get"]["x-access"] == ["any"]


def test_a_verb_keeps_its_name() -> None:
    """The last word of a path is the name of the service's function, so that one search finds both."""
    for route in ROUTES:
        if route.verb is not None:
            word = route.path.rpartition("/")[2].replace("-", "_")
            assert route.verb.__name__.rstrip("_") == word, route.path
