"""The scheduler beside a real service, and when a round fails."""

import asyncio
import logging

import pytest

from jitd.engine import scheduler


async def test_a_round_that_fails_is_told_and_followed_by_the_next(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in one round is logged with its traceback, and the work goes on after a moment."""
    monkeypatch.setattr(scheduler, "PATIENCE_SECONDS", 0.01)
    rounds = 0
    third = asyncio.Event()

    async def round_() -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 3:
            raise RuntimeError(f"round {rounds} failed")
        third.set()
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        working = asyncio.create_task(scheduler._for_ever(round_))
        await asyncio.wait_for(third.wait(), 10)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert working.cancelled()
    told = [record for record in caplog.records if record.name == "jitd.engine"]
    assert [str(record.exc_info[1]) for record in told if record.exc_info] == [
        "round 1 failed",
        "round 2 failed",
    ]
