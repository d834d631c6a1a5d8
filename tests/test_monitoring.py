"""What is shipped for monitoring: the table of metrics, the alerts, and the dashboard, each against the catalogue."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from jitd.core.metrics import Kind, Metric
from support.promtool import promtool

ROOT = Path(__file__).parent.parent
ALERTS = ROOT / "packaging" / "alerts.yml"
TESTS = ROOT / "tests" / "alerts.test.yml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "packaging" / "grafana.json").read_text())
SERIES = {name: one for one in Metric for name in one.series}


def queries() -> list[str]:
    """Every query of the dashboard."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def expressions() -> dict[str, str]:
    """Of each alert."""
    return dict(re.findall(r"- alert: (\w+)\n +expr: (.*)\n", ALERTS.read_text()))


def test_the_catalogue_keeps_to_the_rules_of_prometheus() -> None:
    """A prefix, base units, one sentence of help each, and buckets that rise where there are any."""
    names = [one.row.name for one in Metric]
    assert len(set(names)) == len(names)
    for one in Metric:
        row = one.row
        assert re.fullmatch(r"jitd(_[a-z]+)+", row.name)
        assert not re.search(r"_(total|info|count|sum|bucket|ms|milliseconds|kb)$", row.name), row.name
        assert row.help.endswith("."), row.name
        assert (row.kind is Kind.HISTOGRAM) == bool(row.bounds) == (row.bounds != ())
        assert list(row.bounds) == sorted(set(row.bounds))


def test_the_document_has_every_metric() -> None:
    """The table in docs/metrics.md is made from the catalogue."""
    loader = importlib.util.spec_from_file_location("metricstable", ROOT / "packaging" / "metricstable.py")
    assert loader is not None
    assert loader.loader is not None
    table = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(table)
    document: str = table.document()
    assert (ROOT / "docs" / "metrics.md").read_text() == document, "run: python packaging/metricstable.py"
    assert document.count("\n| `jitd_") == len(Metric)


@pytest.mark.parametrize("query", sorted({*queries(), *expressions().values()}))
def test_a_query_names_metrics_and_labels_that_exist(query: str) -> None:
    """Each name in a panel or an alert is one that jitd gives, and so is each label that it selects or sums up by."""
    words = set(re.findall(r"\b(jitd_\w+|node_\w+)", query))
    assert words
    assert words <= SERIES.keys() | {"node_textfile_mtime_seconds"}
    known = {label for word in words if word in SERIES for label in SERIES[word].row.labels}
    known |= {"instance", "le"} | ({"file"} if "node_textfile_mtime_seconds" in words else set())
    selected = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", query))
    grouped = {
        label.strip()
        for group in re.findall(r"\b(?:by|on|ignoring|group_left) \(?([^()]*)\)", query)
        for label in group.split(",")
    }
    grouped = {label for label in grouped if label}
    assert selected | grouped <= known | ({"le"} if "ignoring(le)" in query else set()), query


def test_every_metric_is_looked_at() -> None:
    """A metric that is on no panel and in no alert is one that nobody sees."""
    named = " ".join([*queries(), *expressions().values()])
    unseen = {one.row.name for one in Metric if one.row.name not in named}
    assert unseen == set()


def test_the_dashboard_is_one() -> None:
    """Panels with a title, an explanation, a place that no other panel has, and a data source that is chosen."""
    assert DASHBOARD["uid"]
    assert DASHBOARD["schemaVersion"] >= 38
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    taken = set[tuple[int, int]]()
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["type"] in ("stat", "timeseries", "heatmap", "table")
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_alerts_are_rules() -> None:
    """promtool reads them; each has a test, a severity, and says what it is about and what to look at."""
    assert promtool("check", "rules", ALERTS) == ""
    text = ALERTS.read_text()
    assert (
        len(expressions())
        == text.count("summary: ")
        == text.count("description: ")
        == text.count("severity: ")
    )
    tested = TESTS.read_text()
    for alert in expressions():
        fires = re.findall(rf"alertname: {alert}\n +exp_alerts:(.*)\n", tested)
        assert "" in fires, f"{alert} is never seen to fire"
        assert " []" in fires, f"{alert} is never seen not to"


def test_each_alert_fires_when_it_should() -> None:
    """promtool's own tests of the alerts."""
    assert promtool("test", "rules", TESTS) == ""


def test_a_rule_that_is_wrong_fails(tmp_path: Path) -> None:
    """promtool complains where an alert does not fire."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "packaging").mkdir()
    broken = ALERTS.read_text().replace("jitd_drift > 0", "jitd_drift > 5")
    (tmp_path / "packaging" / "alerts.yml").write_text(broken)
    copy = tmp_path / "tests" / "alerts.test.yml"
    copy.write_text(TESTS.read_text())
    assert "alertname: JitdDrift" in promtool("test", "rules", copy)
