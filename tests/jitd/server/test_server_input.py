"""What callers send, good and bad, over a real socket."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import pytest

from jitd.core.errors import JitError
from jitd.server import inputs
from jitd.server.route import Route
from jitd.server.routes import ROUTES
from jitd.wire import ListQuery, ReportQuery
from support.server import parse, world


async def test_a_body_reaches_the_verb_and_the_reply_ends_with_a_newline(socket_path: Path) -> None:
    """A valid body is handed to the verb as it is, and the reply is one line of JSON."""
    async with world(socket_path) as here:
        answer = await here.ask("POST", "/v1/request", {"reason": "ticket 1", "duration": 60000})
        assert answer.status == 200
        assert answer.json == {"given": {"reason": "ticket 1", "duration": 60000}}
        assert answer.text.endswith("}\n")


BAD_BODIES = [
    (b"{", "cannot read the body as JSON: input data was truncated"),
    (b"[]", "cannot read the body: it is JSON, but no object"),
    (b"null", "cannot read the body: it is JSON, but no object"),
    (b"", "cannot read the body: missing required field reason"),
    (b'{"reason": 5}', "cannot read the body: expected str, got int (reason)"),
    (b'{"reason": "x", "duration": true}', "cannot read the body: expected int | null, got bool (duration)"),
    (b'{"reason": "x", "duration": 1.5}', "cannot read the body: expected int | null, got float (duration)"),
    (
        b'{"reason": "x", "duration": NaN}',
        "cannot read the body as JSON: JSON is malformed: invalid character (byte 28)",
    ),
    (b'{"reason": "x", "duration": 1e999}', "cannot read the body as JSON: number out of range ([...])"),
    (
        b'{"reason": "x", "duration": 1%s}' % (b"0" * 30),
        "cannot read the body: the number in duration is too large",
    ),
    (
        b'{"reason": "x", "duration": 1%s}' % (b"0" * 9000),
        "cannot read the body as JSON: integer value out of range ([...])",
    ),
    (b"[" * 60000, "cannot read the body as JSON: it is nested too deeply"),
    (b'{"reason": ' + b"[" * 60000, "cannot read the body as JSON: it is nested too deeply"),
    (b'{"reason": "\xff"}', "cannot read the body as JSON: it is not UTF-8"),
    (b'{"reason": "a\\u0000b"}', "cannot use reason: it contains a NUL character"),
    (b'{"reason": "x", "network": ""}', "cannot use network: it is empty"),
    (b'{"reason": "x", "duraton": 5}', "cannot use the key 'duraton': it is not known here"),
    (b'{"reason": "x", "\\u001b[31m": 5}', "cannot use the key '[31m': it is not known here"),
]


@pytest.mark.parametrize(("body", "message"), BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_a_malformed_body_is_named_and_changes_nothing(
    socket_path: Path, body: bytes, message: str
) -> None:
    """Every unreadable body is told with the place of the mistake, and no verb runs; a key that is not known has a code
    of its own, because it may be known elsewhere.
    """
    async with world(socket_path) as here:
        answer = await here.ask("POST", "/v1/request", raw=body)
        code = "unknown_key" if "is not known here" in message else "bad_request"
        assert (answer.status, answer.code, answer.json["message"]) == (400, code, message)
        assert here.service.done == []


async def test_a_near_miss_of_a_key_gets_a_suggestion(socket_path: Path) -> None:
    """A mistyped key is refused with the key that was probably meant, also inside lists."""
    async with world(socket_path) as here:
        answer = await here.ask("POST", "/v1/request", {"reason": "x", "duraton": 5})
        assert answer.json["hint"] == "Did you mean duration?"
        line = {"public_key": "k", "user": "alice", "name": "laptop", "naem": "x"}
        answer = await here.ask("POST", "/v1/device/import", {"interface": "wg0", "devices": [line]})
        assert answer.json["message"] == "cannot use the key devices[0].'naem': it is not known here"
        assert answer.json["hint"] == "Did you mean name?"


def test_a_query_string_becomes_typed_values() -> None:
    """Lists by repetition, numbers decimal, text decoded."""
    given = inputs.query("status=pending&status=active&limit=20&search=a%20b", ListQuery)
    assert given == {"status": ["pending", "active"], "limit": 20, "search": "a b"}


def test_a_slip_in_a_word_of_a_closed_set_is_understood() -> None:
    """The word that was meant is suggested, and all of them are named."""
    with pytest.raises(JitError) as caught:
        inputs.query("status=pendng", ListQuery)
    assert caught.value.hint.startswith("Did you mean pending? Use one of pending, scheduled, active, ")
    with pytest.raises(JitError, match="cannot use by='colour'"):
        inputs.query("by=colour", ReportQuery)


BAD_QUERIES = [
    ("limit=ten", "cannot read limit='ten' as a number"),
    ("limit=0x10", "cannot read limit='0x10' as a number"),
    ("limit=99999999999999999999", "cannot read limit='99999999999999999999' as a number"),
    ("user=a&user=b", "cannot read the query string: user is given twice"),
    ("stauts=x", "cannot use the key 'stauts': it is not known here"),
    ("user", "cannot read the query string"),
    ("user=%ff", "cannot read the query string"),
    ("sort=luck", "cannot use sort='luck'"),
    ("tab=done", "cannot use tab='done'"),
    ("status=pending&status=pendng", "cannot use status='pendng'"),
]


@pytest.mark.parametrize(("query", "message"), BAD_QUERIES)
async def test_a_malformed_query_string_is_named(socket_path: Path, query: str, message: str) -> None:
    """Every unreadable query string is an error that names the key."""
    async with world(socket_path) as here:
        answer = await here.ask("GET", f"/v1/list?{query}")
        code = "unknown_key" if "is not known here" in message else "bad_request"
        assert (answer.status, answer.code, answer.json["message"]) == (400, code, message)


async def test_errors_have_one_shape(socket_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Refusals, unknown routes, wrong methods and mistakes of ours are all {code, message, hint}."""
    async with world(socket_path) as here:
        refused = await here.ask("POST", "/v1/refuse", {})
        assert (refused.status, refused.json) == (
            422,
            {"code": "refused", "message": "cannot do this: a rule said no", "hint": "Ask for less."},
        )
        missing = await here.ask("GET", "/v1/nowhere")
        assert (missing.status, missing.code) == (404, "unknown_route")
        method = await here.ask("GET", "/v1/request")
        assert (method.status, method.code) == (405, "method_not_allowed")
        assert "Allow: POST" in method.head
        crashed = await here.ask("POST", "/v1/crash", {})
        assert (crashed.status, crashed.code) == (500, "internal")
        assert "hunter2" not in crashed.text
        # Each tells which jitd it is from, for a jitctl of another version.
        for answer in (refused, missing, method, crashed):
            assert "Server: jitd/1.2.3\r\n" in f"{answer.head}\r\n"
        reference = crashed.json["message"].partition("reference ")[2].rstrip(")")
        assert reference
        assert reference in caplog.text
        assert "ZeroDivisionError" in caplog.text


async def test_what_is_no_http_gets_an_error_and_the_connection_ends(socket_path: Path) -> None:
    """Bytes that are no HTTP are answered with bad_request, and the connection is closed."""
    async with world(socket_path) as here:
        for junk in (
            b"\x16\x03\x01\x02\x00\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x00" * 200 + b"\r\n",
        ):
            answer = parse(await here.raw(junk))
            assert (answer.status, answer.code) == (400, "bad_request"), junk


async def test_a_body_over_the_limit_is_refused_however_it_comes(socket_path: Path) -> None:
    """A body that is too large is too_large: announced by its length, and in chunks."""
    async with world(socket_path, body_bytes=1000) as here:
        answer = await here.ask("POST", "/v1/request", {"reason": "x" * 2000})
        assert (answer.status, answer.code) == (413, "too_large")
        chunk = b"64\r\n" + b" " * 100 + b"\r\n"
        head = (
            b"POST /v1/request HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        answer = parse(await here.raw(head + chunk * 15 + b"0\r\n\r\n"))
        assert (answer.status, answer.code) == (413, "too_large")
        huge = await here.ask("POST", "/v1/request", raw=b"x" * 1_000_000)
        assert (huge.status, huge.code) == (413, "too_large")


async def test_a_megabyte_of_headers_is_refused(socket_path: Path) -> None:
    """A megabyte in one header, and in many, is too_large, and the server goes on serving."""
    async with world(socket_path) as here:
        one = b"GET /v1/list HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"
        many = b"GET /v1/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"X: y\r\n" * 170_000 + b"\r\n"
        modest = (
            b"GET /v1/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + b"".join(b"X%d: %s\r\n" % (at, b"y" * 2000) for at in range(10))
            + b"\r\n"
        )
        for flood in (one, many, modest):
            reader, writer = await here.open()
            writer.write(flood)
            answer = parse(await asyncio.wait_for(reader.read(), 10))
            assert (answer.status, answer.code) == (413, "too_large")
            writer.close()
        assert (await here.ask("GET", "/v1/list")).status == 200


async def test_a_compressed_body_is_not_unpacked(socket_path: Path) -> None:
    """A body that claims to be compressed is read as it is, so that it cannot grow."""
    async with world(socket_path) as here:
        head = b"POST /v1/request HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 15\r\nConnection: close\r\n\r\n"
        answer = parse(await here.raw(head + b'{"reason": "x"}'))
        assert answer.json == {"given": {"reason": "x"}}


def _texts(takes: type) -> Iterator[str]:
    """The fields of a body or query that are text, or lists of it."""
    for key, kind in inputs.fields(takes).items():
        if str in (kind, *get_args(kind)) or list[str] in (kind, *get_args(kind)):
            yield key


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: f"{one.method} {one.path}")
def test_no_text_reaches_a_verb_with_a_nul_or_empty_where_that_means_nothing(route: Route) -> None:
    """Attack: a NUL, which other programs read as the end, or an empty name, which a rule may take for none, in any field of
    any verb. Both are usage errors; empty is taken where it clears a setting, or where the verb judges it.
    """
    checked = 0
    for key in _texts(route.takes):
        for value in ("x\0y", ""):
            with contextlib.suppress(JitError):
                inputs._check_values({key: value})
                assert (value, key in inputs._MAY_BE_EMPTY) == ("", True), key
            checked += 1
            if route.method == "GET":
                with pytest.raises(JitError) as caught:
                    inputs.query(f"{key}={quote(value)}", route.takes)
                assert caught.value.code == "bad_request"
    assert checked or not list(_texts(route.takes))
