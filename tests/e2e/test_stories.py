"""docs/stories.md, line by line: what it shows is what happens."""

import re
import shlex
from pathlib import Path

import pytest

from support.deployment import Deployment
from support.gateway import RefusedError
from support.wait import until
from support.world import World

pytestmark = pytest.mark.root

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "stories.md"
_LINE = re.compile(r"(?P<who>[a-z]+)\$ (?P<command>.*?)(?:\s+# exits with (?P<status>\d+): .*)?")
_CHECK = re.compile(r"# (?P<who>[a-z]+) (?P<what>gets in|is out)")


def lines() -> list[str]:
    """Every line of every block."""
    text = DOCUMENT.read_text()
    return [line for block in re.findall(r"(?ms)^```\n(.*?)^```", text) for line in block.splitlines()]


def test_the_stories_are_what_happens(tmp_path: Path) -> None:
    """Every command ends as the document says, and who gets in or is out is so for real packets."""
    typed = lines()
    assert len(typed) > 50
    with World() as world:
        place = Deployment(world, tmp_path)
        place.people()
        place.gateway.init()
        place.gateway.start()
        for number, line in enumerate(typed):
            if number == 2:
                # The setting up of the gateway is done: now the laptops that the document speaks of.
                place.laptop("alice")
                place.laptop("bob")
            _play(place, line)


def _play(place: Deployment, line: str) -> None:
    check = _CHECK.fullmatch(line)
    if check:
        who = check["who"]
        if check["what"] == "gets in":
            until(lambda: place.connects(who), line, seconds=20)
        else:
            until(lambda: not place.connects(who), line, seconds=5)
        return
    found = _LINE.fullmatch(line)
    assert found, line
    words = shlex.split(found["command"])
    wanted = int(found["status"] or 0)
    if words[0] != "jitctl":
        place.world.run(words, user=found["who"])
        return
    try:
        place.gateway.jitctl(found["who"], *words[1:])
        status, said = 0, ""
    except RefusedError as refused:
        status, said = refused.status, str(refused)
    assert status == wanted, f"{line}\n{said}"
