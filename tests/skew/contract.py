"""The API as a jitctl relies on it, one line for each route: what is taken, what has to be given, what is answered.

`python tests/skew/contract.py` freezes it and the kinds of events (with PYTHONPATH=tests). That is for a release: from then on what stands in
v1.json may grow and not shrink, because commands of that version are on people's machines.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jitd.core.events import EventKind
from jitd.server import openapi
from jitd.server.route import Route
from jitd.server.routes import ROUTES

FILE = Path(__file__).with_name("v1.json")
EVENTS = Path(__file__).with_name("events.json")


def of(table: Sequence[Route]) -> dict[str, dict[str, Any]]:
    """By `METHOD path`; keys of inner objects as `devices[].name`, each with its type."""
    document = openapi.describe(table, "")
    schemas = document["components"]["schemas"]
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            takes, needs = _taken(operation, schemas)
            answer = operation["responses"]["200"]["content"]
            (media,) = answer.values()
            gives = dict(_keys(media["schema"], schemas, needed=True))
            found[f"{method.upper()} {path}"] = {"takes": takes, "needs": sorted(needs), "gives": gives}
    return found


def events() -> dict[str, list[str]]:
    """The code of each kind of event, with what it always carries: it stands in stores, and where events are forwarded to."""
    return {kind.value: sorted(kind.row.shape.__required_keys__) for kind in EventKind}


def _taken(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return dict(_keys(schema, schemas, needed=False)), list(
            _resolved(schema, schemas).get("required", [])
        )
    parameters = operation["parameters"]
    takes = {one["name"]: _type(one["schema"], schemas) for one in parameters}
    return takes, [one["name"] for one in parameters if one["required"]]


def _keys(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], *, needed: bool, before: str = ""
) -> Iterator[tuple[str, str]]:
    """(key, type) of an object and of those in it; with `needed` only those that are always there."""
    schema = _resolved(schema, schemas)
    for key, inner in schema.get("properties", {}).items():
        if needed and key not in schema.get("required", []):
            continue
        yield f"{before}{key}", _type(inner, schemas)
        for one in (inner, *inner.get("anyOf", [])):
            within, step = (one["items"], "[].") if "items" in one else (one, ".")
            yield from _keys(within, schemas, needed=needed, before=f"{before}{key}{step}")


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name] if name else schema


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(sorted(_type(one, schemas) for one in schema["anyOf"]))
    if "enum" in schema:
        return "string"  # one of several words
    if "items" in schema:
        return f"[{_type(schema['items'], schemas)}]"
    found = _resolved(schema, schemas)
    # Words that are told one by one are text all the same.
    words = found.get("enum", [])
    return "string" if words and all(isinstance(one, str) for one in words) else str(found.get("type", "any"))


def freeze() -> None:
    """Write what is there now."""
    for file, found in ((FILE, of(ROUTES)), (EVENTS, events())):
        lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(found.items())]
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    freeze()
