"""The table of decisions, which people have reviewed, is what the code decides."""

from pathlib import Path

import decision_table

TABLE = Path(__file__).with_name("decisions.txt")


def test_the_table_is_what_is_decided() -> None:
    """Each of its 720 cells. A difference is a change of the policy: make the table anew and review the diff."""
    assert decision_table.table() == TABLE.read_text()
    cells = [cell for line in TABLE.read_text().splitlines()[2:] for cell in line.partition("| ")[2].split()]
    assert len(cells) == 80 * 9
    assert set(cells) == {"open", "ask", "closed", "unknown"}
