"""From request to cut over the socket, with the daemon's own scheduler and a clock that the test moves."""

import json
import os
import socket
import threading
from typing import Any

from support.in_process_daemon import InProcessDaemon
from support.wait import until

HOUR = 3_600_000


def lines(daemon: InProcessDaemon, path: str, count: int) -> list[dict[str, Any]]:
    """The first `count` lines of a stream."""
    found: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(30)
        channel.connect(os.fspath(daemon.socket))
        channel.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with channel.makefile("rb") as stream:
            for line in stream:
                if line.startswith(b"{"):
                    found.append(json.loads(line))
                    if len(found) == count:
                        break
    return found


def test_request_to_cut(daemon: InProcessDaemon) -> None:
    """A request, a grant, the peer, the end by the scheduler itself, and the history of it."""
    status, reply = daemon.post(
        "/v1/request", network="office", reason="ticket 42", user="alice", duration=HOUR
    )
    assert (status, reply["request"]["status"], reply["agrees"]) == (200, "pending", True)
    number = reply["request"]["id"]
    status, reply = daemon.post("/v1/grant", id=number)
    assert (status, reply["request"]["status"]) == (200, "active")
    assert reply["request"]["ends"] - reply["now"] == HOUR
    assert len(daemon.wireguard.read("wg0").peers) == 1
    daemon.advance(HOUR - 1)
    assert daemon.get(f"/v1/show?id={number}")[1]["request"]["status"] == "active"
    daemon.advance(1)
    until(lambda: not daemon.wireguard.read("wg0").peers, "the cut")
    until(
        lambda: daemon.get(f"/v1/show?id={number}")[1]["events"][-1]["kind"] == "cut_confirmed", "its record"
    )
    shown = daemon.get(f"/v1/show?id={number}")[1]
    assert [event["kind"] for event in shown["events"]] == [
        "requested",
        "granted",
        "expired",
        "cut_confirmed",
    ]


def test_the_scheduler_follows_what_changes(daemon: InProcessDaemon) -> None:
    """A grant that ends sooner than the one that is waited for is cut in time, and so is the later one."""
    for user, duration in (("alice", 2 * HOUR), ("bob", HOUR)):
        number = daemon.post("/v1/request", network="office", reason="x", user=user)[1]["request"]["id"]
        assert daemon.post("/v1/grant", id=number, duration=duration)[0] == 200
    daemon.advance(HOUR)
    until(lambda: len(daemon.wireguard.read("wg0").peers) == 1, "the first cut")
    daemon.advance(HOUR)
    until(lambda: not daemon.wireguard.read("wg0").peers, "the second cut")


def test_a_watcher_misses_nothing(daemon: InProcessDaemon) -> None:
    """Events that come before, while and after somebody listens are seen once each, in order."""
    before = daemon.get("/v1/health")[1]["seq"]
    seen: list[dict[str, Any]] = []
    watcher = threading.Thread(
        target=lambda: seen.extend(lines(daemon, "/v1/events?after=0&follow=true", before + 20))
    )
    for number in range(10):
        if number == 3:
            watcher.start()
        made = daemon.post("/v1/request", network="office", reason="x", user="alice")[1]["request"]["id"]
        assert daemon.post("/v1/deny", id=made)[0] == 200
    watcher.join(30)
    assert [event["seq"] for event in seen] == list(range(1, before + 21))
    assert [event["kind"] for event in seen[before:]] == ["requested", "denied"] * 10


def test_of_many_approvers_at_once_one_wins(daemon: InProcessDaemon) -> None:
    """Twenty grants of one request at the same moment: one is done, nineteen are conflicts that name the winner."""
    number = daemon.post("/v1/request", network="office", reason="x", user="alice")[1]["request"]["id"]
    answers: list[tuple[int, dict[str, Any]]] = []

    def approve() -> None:
        # At most a few at once per user are let in; the others wait their turn or are told to come back.
        status, reply = daemon.post("/v1/grant", id=number)
        while status == 429:
            status, reply = daemon.post("/v1/grant", id=number)
        answers.append((status, reply))

    threads = [threading.Thread(target=approve) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(status for status, _ in answers) == [200] + [409] * 19
    assert all("admin granted it" in reply["message"] for status, reply in answers if status == 409)
    granted = [
        event for event in daemon.get(f"/v1/show?id={number}")[1]["events"] if event["kind"] == "granted"
    ]
    assert len(granted) == 1
