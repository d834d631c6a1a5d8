"""What jitctl makes of the bytes that come back: answers, streams, and what is no answer."""

import json
import socket

import pytest

from jitctl.api import transport
from jitctl.api.transport import Channel
from jitd.core.errors import JitError
from support.canned_reply import CHUNKED, OK, canned_reply, chunk, failure


def test_a_request_is_one_line_headers_and_json() -> None:
    """What is sent closes the connection behind it, and tells how long the body is in bytes."""
    with canned_reply(OK, b"Content-Length: 2\r\n\r\n{}") as (channel, theirs):
        assert transport.ask(channel, "POST", "/v1/request", {"reason": "\u00fc"}) == {}
        body = json.dumps({"reason": "\u00fc"}).encode()
        assert theirs.recv(65536) == (
            b"POST /v1/request HTTP/1.0\r\nHost: jitd\r\nPrefer: hints=data\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )


def test_an_answer_with_and_without_length_and_in_chunks() -> None:
    """All three ways to end a body are read."""
    for pieces in (
        (OK, b'Content-Length: 10\r\n\r\n{"now": 1}'),
        (OK, b'\r\n{"now": 1}'),
        (CHUNKED, chunk(b'{"now"'), chunk(b": 1}"), b"0\r\n\r\n"),
    ):
        with canned_reply(*pieces) as (channel, _):
            assert transport.ask(channel, "GET", "/v1/list") == {"now": 1}


def test_the_daemons_error_keeps_its_words() -> None:
    """Code, message and hint come through; a code of a newer daemon is an ordinary failure with its words."""
    error = failure(
        b"HTTP/1.1 409 Conflict\r\n\r\n"
        b'{"code": "conflict", "message": "cannot grant 1: bob denied it", "hint": "See it."}'
    )
    assert (error.code, error.message, error.hint) == ("conflict", "cannot grant 1: bob denied it", "See it.")
    error = failure(b'HTTP/1.1 418 Teapot\r\n\r\n{"code": "teapot", "message": "cannot brew", "hint": ""}')
    assert (error.code, error.message, error.exit_status) == ("internal", "cannot brew", 1)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"SSH-2.0-OpenSSH_9.2\r\n",),
        (OK, b'Content-Length: 400\r\n\r\n{"now": 1}'),
        (CHUNKED, chunk(b'{"now": 1}')),
        (CHUNKED, b'ff\r\n{"now": 1}'),
        (CHUNKED, b"zz\r\n"),
        (OK, b"\r\nnot json"),
        (OK, b"\r\n[1]"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",),
    ],
)
def test_what_is_no_answer_is_unreachable(pieces: tuple[bytes, ...]) -> None:
    """Nothing, half of an answer, and what is not jitd's are exit 6, never a traceback or half a reply."""
    error = failure(*pieces)
    assert (error.code, error.exit_status) == ("unreachable", 6)
    assert error.message.startswith("cannot ")


def test_what_went_wrong_on_the_way_is_told() -> None:
    """When ssh failed, its error is shown instead of the connection that ended by it."""
    why = JitError("unreachable", "cannot reach gateway: ssh failed")
    assert failure(b"", why=why) is why
    assert failure(CHUNKED, chunk(b"{}"), why=why) is why


def test_a_connection_that_is_reset_is_unreachable() -> None:
    """A daemon that closes with our request unread resets the connection: that is no traceback either."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    ours.sendall(b"unread")
    theirs.close()
    with pytest.raises(JitError, match="cannot get an answer from jitd"):
        transport.ask(channel, "GET", "/v1/list")


def test_a_stream_gives_each_line_once() -> None:
    """Lines may be split over chunks and share them; signs of life are passed over."""
    pieces = (CHUNKED, chunk(b'{"seq": 1}\n{"se'), chunk(b'q": 2}\n'), chunk(b"\n"), b"0\r\n\r\n")
    with canned_reply(*pieces) as (channel, _):
        assert list(transport.follow(channel, "/v1/events")) == [{"seq": 1}, {"seq": 2}]


@pytest.mark.parametrize(
    "pieces",
    [(CHUNKED, chunk(b'{"seq": 1}\n')), (CHUNKED, chunk(b'{"seq": 1}\n{"se'), b"0\r\n\r\n")],
    ids=["no end mark", "half a line"],
)
def test_a_stream_that_is_cut_off_is_an_error(pieces: tuple[bytes, ...]) -> None:
    """An audit log without its end does not look complete: what came is given, then it is exit 6."""
    with canned_reply(*pieces) as (channel, _):
        lines = transport.follow(channel, "/v1/events")
        assert next(lines) == {"seq": 1}
        with pytest.raises(JitError) as caught:
            next(lines)
        assert caught.value.exit_status == 6


def test_a_stream_that_is_refused_tells_why() -> None:
    """The error of the daemon, as for any other verb."""
    body = b'{"code": "not_permitted", "message": "cannot see events", "hint": ""}'
    with (
        canned_reply(b"HTTP/1.1 403 Forbidden\r\n\r\n", body) as (channel, _),
        pytest.raises(JitError) as caught,
    ):
        next(transport.follow(channel, "/v1/events"))
    assert caught.value.code == "not_permitted"


def test_silence_has_an_end() -> None:
    """A daemon that says nothing is given up after the time that is allowed."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    channel.patience(0.05)
    with theirs, pytest.raises(JitError, match="does not answer in time"):
        transport.ask(channel, "GET", "/v1/list")
