"""Doctor's checks: found by themselves, with codes that stay the same."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitd.diagnostics import checks, registry

DOCUMENT = Path(__file__).parents[3] / "docs" / "doctor.md"


@pytest.fixture
def _fresh() -> Iterator[None]:
    registry.every.cache_clear()
    yield
    registry.every.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_a_check_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is put beside the others is examined with its part, with nothing else changed."""
    (tmp_path / "extra.py").write_text(
        "from jitd.diagnostics.check import Check\n"
        "from jitd.diagnostics.lines import warning\n"
        "CHECKS = (Check('extra', 'people', 'More', 'warning', lambda _: [warning('it rains')], fix='wait'),)\n"
    )
    monkeypatch.setattr(checks, "__path__", [str(tmp_path)])
    assert registry.examine("people", None) == [  # type: ignore[arg-type]  # it looks at nothing
        {"level": "warning", "what": "it rains", "fix": "wait", "code": "extra"}
    ]


def test_codes_are_unique() -> None:
    """A program that reads a code knows which check it is."""
    codes = [one.code for one in registry.every()]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_every_part_has_a_check() -> None:
    """And so there is none that says nothing."""
    assert {one.part for one in registry.every()} == set(registry.PARTS)


def test_codes_are_documented() -> None:
    """Codes are promised: docs/doctor.md has each, with its part and the worst that it says, and no other."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (\w+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [(one.code, one.part, one.severity, one.title) for one in registry.every()]
