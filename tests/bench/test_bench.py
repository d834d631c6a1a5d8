"""The benchmark itself, with tiny numbers: what is measured rarely must not rot meanwhile."""

from pathlib import Path

import pytest

from bench import change, command, listing, start, telling
from bench.memory import MemoryDaemon
from bench.options import Options
from bench.results import Result, Row, Table, percentile
from bench.run import MEASUREMENTS, main

pytestmark = pytest.mark.slow


def test_the_cost_of_a_change_is_measured_on_the_memory_backend(tmp_path: Path) -> None:
    """A filled store, grants and revokes over the socket, and a table with every floor come out of it."""
    said: list[str] = []
    result = Result()
    with MemoryDaemon(tmp_path / "jitd") as daemon:
        daemon.start()
        daemon.furnish()
        change.on(daemon, (10, 30), 3, change._memory_floors, "memory", said.append, result)
    assert [len(table.row("grant").values) for table in result.tables] == [3, 3]
    assert all(len(table.row("revoke").floors) == 2 for table in result.tables)
    assert len(said) == len(result.summary) == 2


def test_a_start_is_measured_on_the_memory_backend(tmp_path: Path) -> None:
    """A daemon with grants in its store starts, has all of them, and is compared with one that has none."""
    result = Result()
    with MemoryDaemon(tmp_path / "jitd") as daemon:
        start.on(daemon, 20, "memory", Options(tmp_path, quick=True, real=False), result)
    (table,) = result.tables
    assert len(table.row(start.COLD).values) == 3


def test_a_table_shows_each_number_as_a_multiple_of_its_floors() -> None:
    """The floor of a row is the sum of the medians that it names; a floor itself says so."""
    table = Table("Title")
    table.add("a", [1.0, 2.0, 300.0])
    table.add("b", [3.0])
    row = table.add("both", [10.0], "a", "b")
    assert table.ratio(row) == 2.0
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.text().splitlines()[2:]]
    assert cells[2] == ["a", "3", "2.00", "300", "300", "floor"]
    assert cells[4] == ["both", "1", "10.0", "10.0", "10.0", "2.0"]


def test_percentiles_are_samples() -> None:
    """A percentile is the smallest sample that the share does not exceed; nothing is made up between two."""
    assert percentile([5, 1, 4, 2, 3], 0.5) == 3
    assert percentile(list(range(1, 101)), 0.99) == 99
    assert percentile([7], 0.99) == 7
    assert Row("x", (1.0, 2.0)).p50 == 1.5


def test_every_measurement_that_is_offered_is_there() -> None:
    """Each name of `--only` is a module that can be imported and measures."""
    import importlib

    for name in MEASUREMENTS:
        assert callable(importlib.import_module(f"bench.{name}").measure)
    assert callable(main)


def test_what_telling_costs_is_measured(tmp_path: Path) -> None:
    """Changes with watchers and endings with a mail server that hangs: every row has its samples and its floor."""
    result = Result()
    with MemoryDaemon(tmp_path / "jitd") as daemon:
        daemon.start()
        daemon.furnish()
        telling.watched(daemon, 2, result)
        telling.hanging(daemon, 3, result)
    assert [len(row.values) for row in result.tables[0].rows] == [2, 2, 2, 2]
    assert [len(row.values) for row in result.tables[1].rows] == [3, 3]
    assert len(result.summary) == 2


def test_the_command_and_lists_are_measured(tmp_path: Path) -> None:
    """Every command and every list succeeds and has its samples, beside an empty Python and a call that does nothing."""
    result = Result()
    with MemoryDaemon(tmp_path / "jitd") as daemon:
        daemon.start()
        daemon.furnish()
        command.on(daemon, 1, result)
        daemon.stop()
        now_ms = listing.load(daemon.state_dir, 2_000)
        daemon.start()
        listing.on(daemon, 2_000, now_ms, 1, result)
    assert [len(table.rows) for table in result.tables] == [
        len(command.COMMANDS) + 1,
        len(listing.LISTS) + 1,
    ]
