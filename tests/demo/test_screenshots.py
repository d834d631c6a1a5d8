"""The pictures of the README can be made, and show a true session."""

from pathlib import Path

import pytest

from demo import screenshots

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["list.svg", "dashboard.svg"])
def test_the_pictures_can_be_made(tmp_path: Path, name: str) -> None:
    """Both are written, with what the session has; those in docs/ show the same people and columns."""
    screenshots.main(tmp_path)
    for directory in (tmp_path, DOCS):
        picture = (directory / name).read_text()
        for words in ("prod-db", "alice", "OPS-12:", "bob", "REASON"):
            assert words in picture
