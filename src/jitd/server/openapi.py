"""The OpenAPI 3.1 description, made from the table and the wire types, so that it cannot say anything else."""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from jitd.server.inputs import fields, required
from jitd.server.route import Kind, Route
from jitd.verbs.access import Role
from jitd.wire import ErrorBody

_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_MEDIA: Final = {Kind.STREAM: "application/jsonl", Kind.MEASURE: "application/openmetrics-text"}
_SCALARS: Final[dict[Any, str]] = {str: "string", int: "integer", bool: "boolean"}


def describe(table: Sequence[Route], version: str) -> dict[str, Any]:
    """The document for the routes of `table`; `version` is jitd's."""
    wire_types = {
        ErrorBody,
        *(route.gives for route in table if route.kind not in (Kind.DOCUMENT, Kind.MEASURE)),
    }
    wire_types |= {route.takes for route in table if route.method == "POST"}
    ordered = sorted(wire_types, key=lambda wire_type: wire_type.__name__)
    schemas, components = msgspec.json.schema_components(ordered, schema_hook=_anything, ref_template=_REF)
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jitd",
            "version": version,
            "description": (
                "Just-in-time access to a WireGuard gateway, on a Unix socket: the kernel tells who asks. "
                "Times are integer milliseconds UTC since 1970, durations integer milliseconds."
            ),
        },
        "servers": [{"url": "http://localhost"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route, refs: dict[type, dict[str, Any]]) -> dict[str, Any]:
    media = _MEDIA.get(route.kind, _JSON)
    gives = {"type": "string"} if route.kind is Kind.MEASURE else refs.get(route.gives, {"type": "object"})
    says = route.gives.__doc__ if route.gives in refs else None
    operation: dict[str, Any] = {
        "operationId": route.path.removeprefix("/v1/").replace("/", "_").replace(".", "_"),
        "summary": route.summary,
        "x-access": [role.name.lower() for role in Role if role in route.access.roles and role.name],
        "responses": {
            "200": {
                "description": (says or route.summary).strip(),
                "content": {media: {"schema": gives}},
            },
            "default": {
                "description": "A refusal or failure, with a stable code.",
                "content": {_JSON: {"schema": refs[ErrorBody]}},
            },
        },
    }
    if route.method == "POST":
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": refs[route.takes]}}}
    else:
        operation["parameters"] = [
            _parameter(route, name, kind) for name, kind in fields(route.takes).items()
        ]
    return operation


def _parameter(route: Route, name: str, kind: Any) -> dict[str, Any]:
    listed = get_origin(kind) is list
    one = get_args(kind)[0] if listed else kind
    scalar = {"enum": list(get_args(one))} if get_origin(one) is Literal else {"type": _SCALARS[one]}
    return {
        "name": name,
        "in": "query",
        "required": name in required(route.takes),
        "schema": {"type": "array", "items": scalar} if listed else scalar,
    }


def _anything(kind: type) -> dict[str, Any]:
    """The schema of `object`, which msgspec does not know: any JSON value."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError(kind)
