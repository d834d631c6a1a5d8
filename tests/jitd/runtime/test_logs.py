"""Log lines: nobody waits for them, what is lost is counted, and nobody fills the log with tracebacks."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitd.runtime import logs
from support.wait import until


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """(reading, writing) end of a pipe that nobody drains yet."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


def drain(reading: int) -> str:
    """All that is in the pipe by now."""
    os.set_blocking(reading, False)
    found = b""
    try:
        while got := os.read(reading, 65536):
            found += got
    except BlockingIOError:
        pass
    return found.decode()


def test_nobody_waits_for_a_pipe_that_nobody_drains(pipe: tuple[int, int]) -> None:
    """Attack: the log's pipe is full. Lines are said without waiting; once it is drained, the log says how many are lost."""
    reading, writing = pipe
    output = logs.Output(writing, lines=100)
    began = time.monotonic()
    for number in range(5000):
        output.put(f"line {number} " + "x" * 1000)
    assert time.monotonic() - began < 2
    until(lambda: "no line was written for" in output.problem(), "the log is told to be stuck", 10)
    assert "lines are lost" in output.problem()
    found = ""
    lines = iter(range(10_000))

    def told() -> bool:
        nonlocal found
        found += drain(reading)
        output.put(f"later {next(lines)}")
        return "lines before this one are lost" in found

    until(told, "the log says what is lost", 10)
    assert "line 0 x" in found
    until(lambda: output.problem().endswith("could not be written in time"), "it goes on", 5)


def test_a_full_disk_loses_lines_and_nothing_else() -> None:
    """A log that cannot be written is told, and is written again as soon as it can be."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        output = logs.Output(descriptor)
        output.put("lost")
        until(lambda: "No space left on device; 1 lines are lost" in output.problem(), "it is told", 5)
    finally:
        os.close(descriptor)


def test_a_reader_that_is_gone_loses_lines_and_nothing_else(pipe: tuple[int, int]) -> None:
    """`jitd run 2>&1 | something` whose end died: no signal, no exception, and it is told."""
    reading, writing = pipe
    os.close(reading)
    output = logs.Output(writing)
    output.put("lost")
    until(lambda: "Broken pipe" in output.problem(), "it is told", 5)


def test_a_non_blocking_pipe_is_waited_for(pipe: tuple[int, int]) -> None:
    """Standard error that somebody else made non-blocking loses nothing."""
    reading, writing = pipe
    os.set_blocking(writing, False)
    output = logs.Output(writing)
    for number in range(200):
        output.put(f"line {number} " + "x" * 1000)
    found = ""

    def complete() -> bool:
        nonlocal found
        found += drain(reading)
        return found.count("\n") == 200

    until(complete, "every line has come", 10)
    assert output.problem() == ""


def test_the_file_is_opened_anew(tmp_path: Path) -> None:
    """After a rotation lines go to the new file, which has the mode of the old one."""
    path = tmp_path / "jitd.log"
    descriptor = logs.open_log(path)
    saved = os.dup(1)
    try:
        output = logs.Output(descriptor, path)
        output.put("before")
        until(lambda: path.read_text() == "before\n", "the first line", 5)
        path.rename(tmp_path / "jitd.log.1")
        output.reopen()
        output.put("after")
        until(lambda: path.exists() and path.read_text() == "after\n", "the second line", 5)
        assert path.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "jitd.log.1").read_text() == "before\n"
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(descriptor)


def test_a_traceback_of_one_place_comes_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack: whoever finds a way to cause a traceback repeats it. The second one is a line."""
    told = logs._Tracebacks()

    def record(message: str) -> logging.LogRecord:
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError as error:
            found = (type(error), error, error.__traceback__)
        made = logging.LogRecord("jitd", logging.ERROR, __file__, 1, message + " %s", ("failed",), found)
        told.filter(made)
        return made

    assert "Traceback" in logging.Formatter().format(record("first"))
    second = logging.Formatter().format(record("second"))
    assert second.startswith("second failed: ZeroDivisionError, as told before at ")
    assert "\n" not in second
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3601)
    assert "Traceback" in logging.Formatter().format(record("later"))
