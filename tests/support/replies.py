"""Whether a reply is what its route promises: every key of the type, no other one, and values of its types."""

from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from jitd.queries.eventlog import events_
from jitd.server.replies import encode
from jitd.server.route import Kind
from jitd.server.routes import ROUTES

#: Metrics are text, which tests/jitd/server/test_metrics.py reads.
_GIVES = {route.verb: route.gives for route in ROUTES if route.kind is not Kind.MEASURE}


def check(verb: Callable[..., Any], reply: Any) -> None:
    """Read a reply as it is sent, strictly. A function that is no verb of the API may answer anything."""
    for one in reply["events"] if verb is events_ else [reply]:
        msgspec.json.decode(encode(one), type=strict(_GIVES.get(verb, Any)))


@cache
def strict(kind: Any) -> Any:
    """A type like this one, whose objects have no other keys."""
    if is_typeddict(kind):
        fields = [
            (name, strict(inner))
            if name in kind.__required_keys__
            else (name, strict(inner) | msgspec.UnsetType, msgspec.UNSET)
            for name, inner in get_type_hints(kind).items()
        ]
        return msgspec.defstruct(kind.__name__, fields, kw_only=True, forbid_unknown_fields=True)
    if kind is object:
        return Any
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return Union[tuple(strict(one) for one in arguments)]  # noqa: UP007 - of a tuple
    return origin[tuple(strict(one) for one in arguments)] if origin in (list, dict) else kind
