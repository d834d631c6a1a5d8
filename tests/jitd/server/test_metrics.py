"""Metrics as Prometheus, node_exporter and an administrator with curl read them."""

import asyncio
import os
import re
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from jitd.core.configuration import Metrics
from jitd.core.metrics import Metric
from jitd.server import scraping, textfile
from jitd.server.exposition import Answer, Text
from jitd.server.textfile import Textfile
from support.in_process_daemon import KEY_OF, InProcessDaemon, in_process_daemon
from support.promtool import promtool
from support.scrape import PLAIN, families, fetch, free_port, value
from support.wait import until

#: Every label there is, and nothing that says who, with what or from where.
LABELS = {
    "network", "outcome", "state", "how", "what", "event", "interface", "file", "code", "version", "backend", "firewall", "le",
}  # fmt: skip


as_others = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")


def scrape(daemon: InProcessDaemon, accept: str = "*/*") -> str:
    """What the socket gives."""
    status, _, text = fetch(daemon.socket, "/v1/metrics", Accept=accept)
    assert status == 200, text
    return text


@contextmanager
def listening(port: int) -> Iterator[InProcessDaemon]:
    """A daemon that is scraped at this port."""
    with in_process_daemon(metrics=Metrics(listen=f"127.0.0.1:{port}")) as daemon:
        daemon.furnish()
        yield daemon


def some_story(daemon: InProcessDaemon) -> None:
    """Requests, a denial, a grant after 90 s that ends after an hour, and one that waits for ten minutes."""
    daemon.post_as("alice", "/v1/request", network="office", reason="ticket of alice")
    daemon.post_as("bob", "/v1/request", network="office", reason="hunter2")
    daemon.advance(90_000)
    daemon.post_as("admin", "/v1/grant", id=1, duration=3_600_000)
    daemon.post_as("admin", "/v1/deny", id=2, comment="not today")
    daemon.post_as("bob", "/v1/request", network="office", reason="please")
    daemon.advance(600_000)


def test_everything_is_told(daemon: InProcessDaemon) -> None:
    """An administrator reads strict OpenMetrics, with every metric of the catalogue."""
    status, media, text = fetch(daemon.socket, "/v1/metrics")
    assert status == 200, text
    assert media == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("# EOF\n")
    assert set(families(text)) == {one.row.name for one in Metric} - {Metric.LAST_BACKUP.row.name}


@as_others
def test_what_happened_is_counted(daemon: InProcessDaemon) -> None:
    """Each number is that of the story: what waits and how long, what was decided and how fast, what is open."""
    some_story(daemon)
    text = scrape(daemon)
    assert value(text, "jitd_requests_pending", {"network": "office"}) == 1
    assert value(text, "jitd_requests_oldest_pending_seconds") == 600
    assert value(text, "jitd_grants", {"network": "office", "state": "active"}) == 1
    assert value(text, "jitd_decisions_total", {"outcome": "granted"}) == 1
    assert value(text, "jitd_decisions_total", {"outcome": "denied"}) == 1
    assert value(text, "jitd_decision_seconds_bucket", {"le": "60.0"}) == 0
    assert value(text, "jitd_decision_seconds_bucket", {"le": "120.0"}) == 2
    assert value(text, "jitd_decision_seconds_sum") == 180
    daemon.advance(3_600_000)
    until(
        lambda: value(scrape(daemon), "jitd_cut_lateness_seconds_count") == 1,
        "the cut of the grant is counted",
    )
    text = scrape(daemon)
    assert value(text, "jitd_grants_ended_total", {"how": "expired"}) == 1
    assert value(text, "jitd_grants", {"network": "office", "state": "active"}) == 0
    assert value(text, "jitd_cuts_unconfirmed") == 0


@as_others
def test_no_label_names_a_person_a_device_or_an_address(daemon: InProcessDaemon) -> None:
    """Attack: somebody who may read metrics, and nothing else, follows who has access to what, from where."""
    some_story(daemon)
    for text in (scrape(daemon), scrape(daemon, PLAIN)):
        samples = [
            (name, content)
            for line in text.splitlines()
            if not line.startswith("#")
            for name, content in re.findall(r'(\w+)="([^"]*)"', line)
        ]
        assert {name for name, _ in samples} == LABELS
        for name, content in samples:
            if name not in ("version", "le"):
                assert not re.search(r"\d+\.\d+\.\d+|[0-9a-f]*::", content), (name, content)
            assert content not in {"alice", "bob", "admin", "laptop", "root", *KEY_OF.values()}
        for secret in (
            "alice",
            "bob",
            "laptop",
            "ticket",
            "hunter2",
            "10.9.0",
            "vpn.example.org",
            *KEY_OF.values(),
        ):
            assert secret not in text


@as_others
def test_who_may_not_is_told_so(daemon: InProcessDaemon) -> None:
    """403, one sentence, and what to do about it."""
    status, reply = daemon.get_as("alice", "/v1/metrics")
    assert status == 403
    assert reply == {
        "code": "not_permitted",
        "message": "cannot read the metrics as alice: only administrators may",
        "hint": "Ask an administrator (group admins), or use sudo. [metrics] group in jitd.toml names the group of those who may.",
    }


@as_others
def test_promtool_finds_nothing_to_complain_about(daemon: InProcessDaemon) -> None:
    """The program of Prometheus itself reads a real scrape."""
    some_story(daemon)
    text = scrape(daemon, PLAIN)
    assert "jitd_cut_lateness_seconds_bucket" in text
    assert promtool("check", "metrics", given=text) == ""


def test_the_errors_are_counted(daemon: InProcessDaemon) -> None:
    """A request that was refused counts under its code."""
    daemon.get("/v1/show?id=999")
    assert value(scrape(daemon), "jitd_errors_total", {"code": "not_found"}) == 1


# --- at a port ---


def test_a_port_of_this_machine_gives_metrics_and_nothing_else() -> None:
    """One path, under names of this machine: everything else is refused, and nothing of the API is there."""
    port = free_port()
    with listening(port):
        where = ("127.0.0.1", port)
        status, media, text = fetch(where, "/metrics", Accept="application/openmetrics-text;version=1.0.0")
        assert (status, media) == (200, Text.OPENMETRICS.value)
        assert value(text, "jitd_frozen") == 0
        assert fetch(where, "/metrics?x=1", Accept=PLAIN)[1] == Text.PLAIN.value
        assert fetch(where, "/v1/status")[0] == 404
        assert fetch(where, "/metrics", Host=f"localhost:{port}")[0] == 200
        assert fetch(where, "/metrics", Host="[::1]")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example.org", "evil.example.org:9586", "10.0.0.1", "127.0.0.1.evil.example.org"]
)
def test_a_page_of_somebody_elses_reads_nothing(host: str) -> None:
    """Attack: a page in an administrator's browser has its own name lead to 127.0.0.1 (DNS rebinding), and reads on."""
    port = free_port()
    with listening(port):
        assert fetch(("127.0.0.1", port), "/metrics", Host=host)[0] == 403


def test_many_who_connect_to_the_port_take_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack: a local user opens a hundred connections and says nothing. Few are kept, for a moment, and jitd answers."""
    monkeypatch.setattr(scraping, "SECONDS", 1.0)
    port = free_port()
    with listening(port) as daemon:
        lines = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
        ended = 0
        for line in lines[scraping.MOST :]:
            try:
                ended += line.recv(1) == b""
            except ConnectionResetError:
                ended += 1
        assert ended == 100 - scraping.MOST
        assert daemon.get("/v1/health")[0] == 200
        until(lambda: _answers(port), "those who said nothing were cut off")
        for line in lines:
            line.close()


def _answers(port: int) -> bool:
    try:
        return fetch(("127.0.0.1", port), "/metrics")[0] == 200
    except (OSError, IndexError):
        return False


def test_a_port_that_is_taken_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """jitd starts all the same, says so in status and in its log, and listens as soon as it can."""
    monkeypatch.setattr(scraping, "AGAIN_SECONDS", 0.2)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    sentence = f"cannot listen for metrics on 127.0.0.1:{port}: address already in use"

    def warned() -> bool:
        warnings = daemon.get("/v1/status")[1]["gateway"]["warnings"]
        return any(one.startswith(sentence) for one in warnings)

    with listening(port) as daemon:
        until(warned, "status warns")
        assert value(scrape(daemon), "jitd_problems") == 1
        checks = daemon.get("/v1/doctor?part=socket")[1]["checks"]
        (line,) = [one for one in checks if one["code"] == "running"]
        assert line["level"] == "warning"
        assert line["what"].startswith(sentence)
        taken.close()
        until(lambda: _answers(port), "it listens")
        until(lambda: not warned(), "status warns no more")


# --- as a file ---


def test_the_file_for_node_exporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody may read it, whatever the umask; it is replaced as a whole, and gone when jitd is."""
    monkeypatch.setattr(textfile, "EVERY_SECONDS", 0.1)
    path = tmp_path / "jitd.prom"
    before = os.umask(0o077)
    try:
        with in_process_daemon(metrics=Metrics(textfile=str(path))):
            until(path.exists, "the file is there")
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
            first = path.stat().st_ino
            assert "# EOF" not in path.read_text()
            assert "jitd_frozen 0.0\n" in path.read_text()
            until(lambda: path.stat().st_ino != first, "another one took its place")
            # Half a file is never seen under that name.
            assert all(path.read_text().endswith("\n") and len(path.read_text()) > 1000 for _ in range(100))
        assert list(tmp_path.iterdir()) == []
    finally:
        os.umask(before)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory is not there: status says so until it is."""
    monkeypatch.setattr(textfile, "EVERY_SECONDS", 0.1)
    path = tmp_path / "node-exporter" / "jitd.prom"

    def warned() -> bool:
        warnings = daemon.get("/v1/status")[1]["gateway"]["warnings"]
        return any(
            one.startswith(f"cannot write {path} ([metrics] textfile): No such file") for one in warnings
        )

    with in_process_daemon(metrics=Metrics(textfile=str(path))) as daemon:
        until(warned, "status warns")
        path.parent.mkdir()
        until(path.exists, "the file is there")
        until(lambda: not warned(), "status warns no more")


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """Attack: whoever may write to the directory puts a link where jitd, as root, writes its next file."""
    (tmp_path / "shadow").write_text("root:*")
    (tmp_path / ".jitd.prom.new").symlink_to(tmp_path / "shadow")
    textfile.write(tmp_path / "jitd.prom", b"jitd_frozen 0\n")
    assert (tmp_path / "shadow").read_text() == "root:*"
    assert (tmp_path / "jitd.prom").read_bytes() == b"jitd_frozen 0\n"


async def test_a_disk_that_hangs_holds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes hangs: the loop goes on, the file is told to be late, and no second one is begun."""
    monkeypatch.setattr(textfile, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(textfile, "LONGEST_SECONDS", 0.05)
    hangs, asked = threading.Event(), list[Text]()

    async def expose(how: Text) -> Answer:
        asked.append(how)
        return Answer(b"jitd_frozen 0\n", how.value)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(hangs.wait)
        one = Textfile(tmp_path / "jitd.prom", expose, thread)
        await one.start()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if one.problem():
                break
        assert one.problem().startswith(
            f"cannot write {tmp_path / 'jitd.prom'} ([metrics] textfile): it takes"
        )
        assert asked == [Text.PLAIN]
        hangs.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not one.problem():
                break
        assert one.problem() == ""
        await one.close()
