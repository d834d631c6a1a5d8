"""How replies and errors look: JSON on one line with a newline at its end, every error in the same shape."""

import logging
import secrets
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from jitd.core.commandline import Command, Hint
from jitd.core.errors import JitError
from jitd.core.text import clean
from jitd.wire import ErrorBody

log = logging.getLogger("jitd.server")

_JSON = "application/json"


def encode(value: object, *, as_data: bool = False) -> bytes:
    """JSON on one line, with a newline, so that a terminal stays readable. `as_data`: hints as their parts, not as text."""
    return msgspec.json.encode(value, enc_hook=_parts if as_data else _text) + b"\n"


def _text(value: object) -> str:
    if not isinstance(value, Hint):
        raise TypeError(f"{type(value).__name__} is no type of the wire")
    return str(value)


def _parts(value: object) -> dict[str, Any]:
    if not isinstance(value, Hint):
        raise TypeError(f"{type(value).__name__} is no type of the wire")
    return {"parts": [one._asdict() if isinstance(one, Command) else one for one in value.parts]}


def wants_data(request: web.BaseRequest) -> bool:
    """Whether commands in hints are wanted as data, as jitctl does; older ones and curl read text."""
    return "hints=data" in request.headers.get("Prefer", "")


def reply(value: object, *, as_data: bool) -> web.Response:
    """A reply of status 200."""
    return web.Response(body=encode(value, as_data=as_data), content_type=_JSON)


def error_reply(error: JitError, *, as_data: bool = False) -> web.Response:
    """The reply to a refused or failed request."""
    body = encode(error_body(error), as_data=as_data)
    return web.Response(status=error.http_status, body=body, content_type=_JSON)


def raw_error(error: JitError) -> bytes:
    """A whole HTTP reply, for a connection that HTTP has not begun on or cannot go on with."""
    body = encode(error_body(error))
    status = HTTPStatus(error.http_status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {_JSON}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def unexpected(what: str, error: Exception) -> JitError:
    """Log an exception that nobody foresaw, and give the error that tells the caller where to find it,
    nothing more.

    What the caller sent is in neither: it may hold secrets.
    """
    reference = secrets.token_hex(4)
    log.error("%s failed unexpectedly (reference %s)", what, reference, exc_info=error)
    return JitError(
        "internal",
        f"cannot answer: internal error of jitd (reference {reference})",
        "Its log has the details: journalctl -u jitd",
    )


def of_http(error: web.HTTPException, request: web.BaseRequest) -> JitError:
    """An error that aiohttp itself found, in our shape."""
    path = clean(request.path)[:80]
    match error.status:
        case HTTPStatus.NOT_FOUND:
            return JitError(
                "unknown_route",
                f"cannot find {path}: this jitd has no such route",
                "GET /v1/openapi.json describes all of them. Is jitctl newer than jitd?",
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = error.headers.get("Allow", "")
            return JitError(
                "method_not_allowed",
                f"cannot {clean(request.method)[:20]} {path}",
                f"Use {allowed} for this path.",
            )
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return JitError("too_large", "cannot take a body as large as this", "Send less in one request.")
        case _:
            return JitError("bad_request", f"cannot take this request: {clean(error.reason)[:80]}")


def error_body(error: JitError) -> ErrorBody:
    """An error as it is sent."""
    return {"code": error.code, "message": error.message, "hint": error.hint}
