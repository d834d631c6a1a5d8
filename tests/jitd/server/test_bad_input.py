"""Whatever is sent: a clear error with its status, nothing changed, the daemon unmoved."""

import pytest

from support.in_process_daemon import KEY_OF, InProcessDaemon

REQUEST = {"network": "office", "reason": "x", "user": "alice"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "message"),
    [
        ("/v1/request", {**REQUEST, "network": "nosuch"}, 404, "not_found", "cannot find a network 'nosuch'"),
        (
            "/v1/request",
            {**REQUEST, "user": "nosuch"},
            404,
            "not_found",
            "cannot find a user 'nosuch' on this system",
        ),
        ("/v1/request", {**REQUEST, "reason": ""}, 400, "bad_request", "cannot continue without a reason"),
        (
            "/v1/request",
            {**REQUEST, "reason": "\x1b\x07"},
            400,
            "bad_request",
            "cannot continue without a reason",
        ),
        (
            "/v1/request",
            {**REQUEST, "reason": "x" * 10_240},
            400,
            "bad_request",
            "cannot use this reason: it has 10240 characters, at most 1000 are kept",
        ),
        (
            "/v1/request",
            {**REQUEST, "duration": 0},
            400,
            "bad_request",
            "cannot grant for less than a second",
        ),
        (
            "/v1/request",
            {**REQUEST, "duration": 10**15},
            422,
            "refused",
            None,
        ),
        ("/v1/grant", {"id": 999}, 404, "not_found", "cannot find a request 999"),
        ("/v1/grant", {"id": 10**30}, 400, "bad_request", None),
        ("/v1/grant", {"id": -1}, 404, "not_found", "cannot find a request -1"),
        (
            "/v1/device/add",
            {"name": "x", "public_key": "AAAA", "user": "bob"},
            400,
            "bad_request",
            "cannot use this public key: it has 3 bytes, not 32",
        ),
        (
            "/v1/device/add",
            {"name": "x", "public_key": "not base64!", "user": "bob"},
            400,
            "bad_request",
            "cannot use this public key: it is not base64",
        ),
        (
            "/v1/device/add",
            {"name": "x", "public_key": KEY_OF["alice"], "user": "bob"},
            409,
            "conflict",
            "cannot use this public key: alice has it already",
        ),
        ("/v1/request", {"network": "office"}, 400, "bad_request", None),
        ("/v1/request", {**REQUEST, "duraton": 5}, 400, "unknown_key", None),
        ("/v1/request", {**REQUEST, "duration": "8h"}, 400, "bad_request", None),
        ("/v1/request", ["a", "list"], 400, "bad_request", None),
        ("/v1/nosuch", {}, 404, "unknown_route", None),
    ],
)
def test_wrong_calls(
    daemon: InProcessDaemon, path: str, body: object, status: int, code: str, message: str | None
) -> None:
    """Each gets its status and code, in the one form of errors, and records nothing."""
    before = daemon.get("/v1/health")[1]["seq"]
    got, reply = daemon.call("POST", path, body)
    assert (got, reply["code"]) == (status, code), reply
    assert set(reply) == {"code", "message", "hint"}
    assert reply["message"].startswith("cannot ")
    if message is not None:
        assert reply["message"] == message
    assert daemon.get("/v1/health")[1]["seq"] == before


def test_a_hostile_reason_arrives_harmless(daemon: InProcessDaemon) -> None:
    """Escape sequences and bidi characters are gone from what is stored and shown."""
    reason = "\x1b[2J\u202eticket\u2066 42\r\n[red]x[/red]"
    number = daemon.post("/v1/request", **{**REQUEST, "reason": reason})[1]["request"]["id"]
    assert daemon.get(f"/v1/show?id={number}")[1]["request"]["reason"] == "[2Jticket 42 [red]x[/red]"


def test_the_description_of_the_api_is_true(daemon: InProcessDaemon) -> None:
    """Every path of the OpenAPI description is answered by something else than "no such route"."""
    status, described = daemon.get("/v1/openapi.json")
    assert status == 200
    no_json = {"/v1/events", "/v1/metrics"}  # seen to work in test_flow and test_metrics
    assert no_json < described["paths"].keys()
    for path, operations in described["paths"].items():
        if path in no_json:
            continue
        for method in operations:
            got, reply = daemon.call(method.upper(), path, {} if method == "post" else None)
            assert got not in (404, 405) or reply["code"] == "not_found", (method, path, reply)
