"""jitd's hints are data: commands that only jitctl writes as command lines, of verbs and options that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jitd
from jitctl.cli import app
from jitctl.cli.verbs import VERBS

#: Texts that go elsewhere than to jitctl: files, mail, and what jitd prints by itself.
ELSEWHERE = ("cli/", "config.py", "core/configuration.py", "core/policyfile.py", "core/events.py", "notify/")
ROOT = Path(jitd.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
NAMES = {one.name for one in VERBS}


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of each text of a module that may be shown: no docstrings, and nothing of its log."""
    unseen = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
            unseen |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unseen:
            yield node.lineno, node.value


def commands(path: Path) -> Iterator[ast.Call]:
    """Every call of `command` in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
            yield node


@pytest.mark.parametrize(
    "path", [one for one in MODULES if not str(one.relative_to(ROOT)).startswith(ELSEWHERE)], ids=str
)
def test_no_command_is_text(path: Path) -> None:
    """No sentence has a command line in it, and none loses its command in an f-string."""
    tree = ast.parse(path.read_text())
    for line, text in texts(tree):
        found = re.search(r"\bjitctl ([a-z-]+)(?: ([a-z-]+))?", text)
        assert found is None or not {found[1], f"{found[1]} {found[2]}"} & NAMES, (line, text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue):
            assert "command(" not in ast.unparse(node), node.lineno


def test_every_command_can_be_typed() -> None:
    """Every verb and every option that jitd ever tells people to type is one of jitctl's."""
    seen = 0
    for path in MODULES:
        for call in commands(path):
            verb = call.args[0]
            if not isinstance(verb, ast.Constant) or not isinstance(verb.value, str):
                continue
            found: Any = app.root()
            context = found.make_context("jitctl", ["--help"], resilient_parsing=True)
            for word in verb.value.split():
                found = found.get_command(context, word)
                assert found is not None, f"{path}:{call.lineno}: {verb.value}"
            options = {name for one in found.params for name in one.opts} | {"--help"}
            asked = {f"--{one.arg.replace('_', '-')}" for one in call.keywords if one.arg}
            assert asked <= options, f"{path}:{call.lineno}: {asked - options}"
            seen += 1
    assert seen > 100
