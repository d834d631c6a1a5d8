"""Debian's Prometheus reads a running jitd: every panel of the dashboard has an answer, and every alert can be judged."""

import contextlib
import json
import math
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from jitd.core.configuration import Metrics
from jitd.store.database import FILE_NAME
from jitd.store.metrics import LAST_BACKUP
from support.in_process_daemon import InProcessDaemon, in_process_daemon
from support.scrape import free_port
from support.wait import until

pytestmark = [
    pytest.mark.root,  # other users ask and decide
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed: make packages"
    ),
]

PACKAGING = Path(__file__).parents[3] / "packaging"
#: What Grafana puts in the place of its variables.
VARIABLES = {"$instance": ".*", "$__rate_interval": "10s"}


class Prometheus:
    """A server that scrapes one port every second."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer. Raises OSError while nobody answers, and for a query that cannot be read."""
        with urlopen(f"{self._api}/{path}?{urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[float]:
        """The values that it has now."""
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        found = [float(one["value"][1]) for one in self.get("query", query=expression)["result"]]
        return [value for value in found if not math.isnan(value)]

    def is_up(self) -> bool:
        """Whether it has scraped jitd."""
        try:
            return self.query('up{job="jitd"}') == [1.0]
        except OSError:
            return False


@contextmanager
def prometheus(directory: Path, scraped: int) -> Iterator[Prometheus]:
    """A running one, with the alerts of this project."""
    port = free_port()
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(PACKAGING / "alerts.yml")],
        "scrape_configs": [{"job_name": "jitd", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    words = [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(20)


def some_traffic(daemon: InProcessDaemon) -> None:
    """What makes each metric move: requests, a decision, an end, a denial, and a question that is refused."""
    daemon.post_as("alice", "/v1/request", network="office", reason="x")
    daemon.post_as("bob", "/v1/request", network="office", reason="x")
    pending = {one["user"]: one["id"] for one in daemon.get("/v1/list?status=pending")[1]["requests"]}
    daemon.advance(45_000)
    daemon.post_as("admin", "/v1/grant", id=pending["alice"], duration=60_000)
    daemon.post_as("admin", "/v1/deny", id=pending["bob"])
    daemon.advance(61_000)
    daemon.get("/v1/show?id=999")


def test_every_panel_is_answered(tmp_path: Path) -> None:
    """Each query of the dashboard has a value with a real Prometheus, and each alert is a rule that it can evaluate."""
    port = free_port()
    dashboard = json.loads((PACKAGING / "grafana.json").read_text())
    queries = {
        (panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]
    }
    assert len(queries) > 25
    with in_process_daemon(metrics=Metrics(listen=f"127.0.0.1:{port}")) as daemon:
        daemon.furnish()
        with contextlib.closing(sqlite3.connect(daemon.state_dir / FILE_NAME, timeout=10)) as store, store:
            store.execute("INSERT INTO fact VALUES (?, ?)", (LAST_BACKUP, 1_700_000_000_000))
        with prometheus(tmp_path, port) as server:
            until(server.is_up, f"jitd is scraped; see {tmp_path / 'prometheus.log'}", seconds=20)
            until(lambda: len(server.query("jitd_frozen")) == 1, "a first value is there")
            some_traffic(daemon)
            missing = set(queries)

            def answered() -> bool:
                missing.difference_update([one for one in missing if server.query(one[1])])
                if missing:
                    some_traffic(daemon)
                return not missing

            with contextlib.suppress(AssertionError):
                until(answered, "every panel has a value", seconds=25, every=1)
            assert not missing
            assert server.query('sum(jitd_decisions_total{outcome="granted"})')[0] >= 1
            rules = server.get("rules")["groups"][0]["rules"]
            assert len(rules) > 15
            until(
                lambda: all(one["health"] == "ok" for one in server.get("rules")["groups"][0]["rules"]),
                "every alert was evaluated",
            )
            firing = {one["labels"]["alertname"] for one in server.get("alerts")["alerts"]}
            assert "JitdBackupOld" in firing
            assert firing.isdisjoint(
                {"JitdDown", "JitdCutLate", "JitdCutUnconfirmed", "JitdDrift", "JitdStoreUnreadable"}
            )
