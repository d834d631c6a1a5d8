"""Questions that may hang."""

import asyncio
import threading
from functools import partial

import pytest

from jitd.identity.questions import Questions, Unanswered


async def test_an_answer_and_an_error_come_back() -> None:
    """What a question returns is returned, and what it raises is raised."""
    questions = Questions(2, 5)
    assert await questions.ask("sum", lambda: 1 + 1) == 2
    with pytest.raises(ZeroDivisionError):
        await questions.ask("division", lambda: 1 // 0)
    questions.close()


async def test_many_quick_ones_wait_for_each_other() -> None:
    """A thousand quick questions on two threads are all answered: waiting in line is no failure."""
    questions = Questions(2, 5)
    answers = await asyncio.gather(*(questions.ask(number, partial(int, number)) for number in range(1000)))
    assert answers == list(range(1000))
    questions.close()


async def test_the_same_question_is_asked_once_at_a_time() -> None:
    """Those who ask what is being asked already share its answer."""
    questions = Questions(4, 5)
    asked = []
    go_on = threading.Event()

    def slow() -> str:
        asked.append(1)
        go_on.wait(10)
        return "answer"

    waiting = [asyncio.create_task(questions.ask("slow", slow)) for _ in range(6)]
    assert await questions.ask("quick", lambda: "quick") == "quick"
    go_on.set()
    assert await asyncio.gather(*waiting) == ["answer"] * 6
    assert asked == [1]
    questions.close()


async def test_one_that_hangs_takes_only_its_own_thread() -> None:
    """A hanging question is given up after its limit, and is not asked a second time; others are answered meanwhile."""
    questions = Questions(2, 0.1)
    go_on = threading.Event()
    for _ in range(3):
        with pytest.raises(Unanswered):
            await questions.ask("hangs", lambda: go_on.wait(60))
    assert await questions.ask("quick", lambda: 1) == 1
    go_on.set()
    questions.close()


async def test_when_all_threads_hang_nobody_waits() -> None:
    """With every thread hanging a question is unanswered at once; when one comes back, it is asked again."""
    questions = Questions(2, 0.1)
    go_on = threading.Event()
    hanging = [questions.ask(number, lambda: go_on.wait(60)) for number in range(2)]
    assert [type(end) for end in await asyncio.gather(*hanging, return_exceptions=True)] == [Unanswered] * 2
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(Unanswered):
        await questions.ask("another", lambda: 1)
    assert loop.time() - begun < 0.05
    go_on.set()

    async def again() -> int:
        while True:
            try:
                return await questions.ask("another", lambda: 1)
            except Unanswered:
                await asyncio.sleep(0.01)

    assert await asyncio.wait_for(again(), 10) == 1
    questions.close()
