"""What every test run knows: which parts are real, which cannot run here, and a summary for the runner."""

import json
import os
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

GROUPS = ("machine", "vm", "root")  # the markers of real parts; everything else is "plain"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of this project's runs."""
    parser.addoption(
        "--strict-real",
        action="store_true",
        help="a test that would be skipped fails: nothing real may be left out silently",
    )
    parser.addoption("--summary", metavar="FILE", help="write counts by kind of test to FILE, as JSON")


def pytest_configure() -> None:
    """Ctrl-C means something to the programs that are tested, also where the run was begun in the background of a shell
    that lets such runs ignore it: what is ignored is inherited, what is handled is not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real parts need root; without it their tests are named and not run."""
    if os.geteuid() == 0:
        return
    for item in items:
        if any(item.get_closest_marker(group) for group in GROUPS):
            item.add_marker(pytest.mark.skip(reason="not run: needs root"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With --strict-real a skip is a failure that says what was missing."""
    report = yield
    if report.skipped and item.config.getoption("--strict-real") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        _, _, reason = (
            report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        )
        report.longrepr = f"not run, and --strict-real is set: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Count outcomes by kind for the runner, which sees several runs."""
    if not (target := config.getoption("--summary")):
        return
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(outcome, []):
            # A file that cannot be collected has an outcome and no keywords.
            keywords = getattr(report, "keywords", {})
            kind = next((group for group in GROUPS if group in keywords), "plain")
            counts[f"{kind} {outcome}"] += 1
            if outcome == "skipped":
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                reasons[f"{kind}: {reason.removeprefix('Skipped: ')}"] += 1
    Path(target).write_text(json.dumps({"counts": counts, "reasons": reasons}))
