"""A jitctl with a jitd of another version, both ways: what is unknown is told plainly, and nothing falls over."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jitctl.api.client import Client
from jitctl.cli.run import main
from jitctl.dashboard import look
from jitd.server.routes import ROUTES
from skew import contract
from support.command_result import CommandResult
from support.in_process_daemon import InProcessDaemon, in_process_daemon
from support.other_version import other_version

#: Everything that shows something; a grant and a request are there.
LOOKS = (
    "status",
    "list",
    "list --columns id,user,network,status,requested,wants,reason,managed-by,left,bar,comment,devices,starts",
    "list -o csv",
    "list -o jsonl",
    "list --sort left",
    "show 1",
    "show 2",
    "events",
    "events --json",
    "why alice office",
    "why 2",
    "report",
    "report -o html",
    "doctor office -u alice",
    "doctor",
    "network list",
    "network show office",
    "interface list",
    "interface show wg0",
    "device list --all",
    "device config laptop -u alice",
    "user list",
    "outbox list",
    "notify show -u alice",
    "policy export",
    "wait 1 --timeout 1s",
)


@pytest.fixture
def daemon() -> Iterator[InProcessDaemon]:
    """A running daemon with a grant of alice's and a request of bob's."""
    with in_process_daemon() as made:
        made.furnish()
        made.post("/v1/request", network="office", reason="the printer", user="alice")
        made.post("/v1/grant", id=1)
        made.post(
            "/v1/request", network="office", reason="the door", user="bob", start=made.clock.now_ms() + 9**8
        )
        yield made


@pytest.fixture
def typed(
    daemon: InProcessDaemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Run jitctl in this process against the other socket."""
    monkeypatch.setenv("JITCTL_SOCKET", os.fspath(at(daemon)))
    monkeypatch.setenv("COLUMNS", "200")

    def run(line: str) -> CommandResult:
        capsys.readouterr()
        status = main(line.split())
        said = capsys.readouterr()
        return CommandResult(status, said.out, said.err)

    return run


def at(daemon: InProcessDaemon) -> Path:
    """Where the other one listens."""
    return daemon.directory / "another.sock"


def newer(value: Any) -> Any:
    """An answer of some later version: new keys everywhere, and new words where there is a choice of them."""
    if isinstance(value, list):
        return [newer(one) for one in value]
    if not isinstance(value, dict):
        return value
    said = {key: newer(one) if key not in MAPS else one for key, one in value.items()}
    for key, word in NEW_WORDS.items():
        if isinstance(said.get(key), str):
            said[key] = word
    if "status" in said and "marks" in said:
        said["marks"] = [*said["marks"], "glowing"]
    return {**said, "since_version_9": {"more": [1]}}


#: Objects whose keys are names or numbers of something.
MAPS = {"counts", "by", "heard", "addresses", "settings"}
NEW_WORDS = {
    "status": "postponed",
    "state": "postponed",
    "tab": "later",
    "kind": "beamed_up",
    "level": "puzzling",
    "backend": "quantum",
    "firewall": "quantum",
    "code": "telepathy",
}


@pytest.mark.parametrize("line", LOOKS)
def test_an_older_jitctl_shows_what_it_does_not_know(
    daemon: InProcessDaemon, typed: Callable[[str], CommandResult], line: str
) -> None:
    """New statuses, marks, kinds of events and keys of a newer jitd are shown as they are."""
    with other_version(daemon.socket, at(daemon), newer):
        said = typed(line)
    # Of doctor's lines and of what is waited for, an unknown word is not taken for a good one.
    assert said.status == {"wait": 4}.get(line.split(maxsplit=1)[0], 0), said
    if line.startswith(("list", "show")):
        assert "postponed" in said.out
    if line.startswith(("events", "show")):
        assert "beamed" in said.out


def test_the_dashboard_of_an_older_jitctl(daemon: InProcessDaemon) -> None:
    """Its lines are made of a newer jitd's answers too."""
    with other_version(daemon.socket, at(daemon), newer):
        seen = look.look(Client(socket=os.fspath(at(daemon)), host=""), "pending", "", peers=True)
    assert "postponed" in " ".join(look.row(seen.requests[0], seen.now))
    assert [look.network_line(one, seen.now) for one in seen.status["networks"]]
    assert [look.peer_line(name, peer, seen.now) for name, peer in seen.peers]


def test_an_error_that_an_older_jitctl_does_not_know(
    daemon: InProcessDaemon, typed: Callable[[str], CommandResult]
) -> None:
    """Its words are shown, and it counts as a failure."""
    with other_version(daemon.socket, at(daemon), newer):
        said = typed("show 99")
    assert (said.status, said.err) == (
        1,
        "jitctl: cannot find a request 99\njitctl list shows the numbers.\n",
    )


VERBS = [route.path.removeprefix("/v1/") for route in ROUTES if not route.path.endswith((".json", "/gate"))]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_an_older_jitd_does_not_know(daemon: InProcessDaemon, verb: str) -> None:
    """Which verb it is, what runs there, and what to update."""
    client = Client(socket=os.fspath(at(daemon)), host="")
    with (
        other_version(daemon.socket, at(daemon), dict, unknown_route, "0.0.7"),
        pytest.raises(Exception, match="cannot do that") as caught,
    ):
        client._get(verb, {})
    error: Any = caught.value
    words = verb.replace("/", " ")
    assert error.message == f"cannot do that: the gateway runs jitd 0.0.7, which does not know `{words}`"
    assert error.hint.startswith("Update jitd there: this jitctl is ")
    assert error.exit_status == 1


def unknown_route(_method: str, path: str, _body: Any) -> tuple[int, dict[str, Any]]:
    """As every jitd has said it."""
    return 404, {
        "code": "unknown_route",
        "message": f"cannot find {path}: this jitd has no such route",
        "hint": "",
    }


def test_a_key_that_an_older_jitd_does_not_know(
    daemon: InProcessDaemon, typed: Callable[[str], CommandResult]
) -> None:
    """A field of a verb that is newer is named as such, and nothing is done without it."""

    def older(method: str, path: str, body: Any) -> tuple[int, dict[str, Any]] | None:
        if "urgent" not in (body or {}):
            return None
        message = "cannot use the key 'urgent': it is not known here"
        return 400, {"code": "unknown_key", "message": message, "hint": "Known keys are: reason."}

    with other_version(daemon.socket, at(daemon), dict, older, "0.0.7"):
        said = typed("request office -u bob -r x --urgent")
    assert said.status == 1
    assert "the gateway runs jitd 0.0.7, which does not know the key 'urgent' of `request`" in said.err
    assert "Update jitd there" in said.err


@pytest.mark.parametrize("line", LOOKS)
def test_an_older_jitd_that_tells_less(
    daemon: InProcessDaemon, typed: Callable[[str], CommandResult], line: str
) -> None:
    """Whatever single key an answer lacks: it is done without, or it is said which one is missing and what to update."""
    seen: set[str] = set()
    without = ""

    def keys(value: Any) -> Any:
        """The same without one key; notes which ones there are."""
        if isinstance(value, list):
            return [keys(one) for one in value]
        if not isinstance(value, dict):
            return value
        seen.update(value)
        return {key: keys(one) for key, one in value.items() if key != without}

    with other_version(daemon.socket, at(daemon), keys, version="0.0.7"):
        whole = typed(line).status
        for without in sorted(seen - {"code", "message", "hint"}):
            said = typed(line)
            told = f"the gateway runs jitd 0.0.7, which does not report '{without}'" in said.err
            assert said.status == 1 if told else said.status in (0, whole), (without, said)


def test_the_api_of_v1_is_kept() -> None:
    """Whatever a jitctl could ask and rely on when v1 was frozen holds: routes, keys that are taken, none more that has to
    be given, and keys that are answered.
    """
    frozen = json.loads(contract.FILE.read_text())
    now = contract.of(ROUTES)
    assert frozen.keys() <= now.keys()
    for route, was in frozen.items():
        is_ = now[route]
        assert was["takes"].items() <= is_["takes"].items(), route
        assert set(is_["needs"]) <= set(was["needs"]), route
        assert was["gives"].items() <= is_["gives"].items(), route


def test_the_kinds_of_events_are_kept() -> None:
    """Codes and what they carry stand in old stores, and in what programs that read events look for: they may only grow."""
    frozen, now = json.loads(contract.EVENTS.read_text()), contract.events()
    assert frozen.keys() <= now.keys()
    for kind, carried in frozen.items():
        assert set(carried) <= set(now[kind]), kind
