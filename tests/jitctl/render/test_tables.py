"""How wide the columns of a table are."""

from hypothesis import given
from hypothesis import strategies as st

from jitctl.render.tables import GAP, Column, fit

COLUMNS = [
    Column("ID", right=True),
    Column("USER", least=6),
    Column("STATUS"),
    Column("WANTS", spare=2),
    Column("REASON", squeezed=True, least=12),
    Column("BY", least=4, spare=1),
]


def used(widths: list[int]) -> int:
    """The width of a whole row."""
    shown = [width for width in widths if width]
    return sum(shown) + GAP * (len(shown) - 1)


def test_what_fits_is_not_cut() -> None:
    """With enough room every column has its natural width."""
    assert fit(COLUMNS, [2, 8, 9, 5, 60, 4], 200) == [2, 8, 9, 5, 60, 4]


def test_the_squeezed_column_gives_way_first() -> None:
    """A little too narrow: only the reason is cut."""
    assert fit(COLUMNS, [2, 8, 9, 5, 60, 4], 80) == [2, 8, 9, 5, 42, 4]


def test_then_the_others_and_then_the_least_important_go() -> None:
    """Much too narrow: the reason at its least, users cut, then whole columns are left away."""
    assert fit(COLUMNS, [2, 20, 9, 5, 60, 4], 48) == [2, 6, 9, 5, 12, 4]
    assert fit(COLUMNS, [2, 20, 9, 5, 60, 4], 42) == [2, 7, 9, 0, 12, 4]


def test_columns_with_nothing_in_them_go_before_anything_is_cut() -> None:
    """Too narrow: WANTS and BY are empty and go; with enough room they stay."""
    assert fit(COLUMNS, [2, 8, 9, 5, 40, 2], 67, {3, 5}) == [2, 8, 9, 0, 40, 0]
    assert fit(COLUMNS, [2, 8, 9, 5, 40, 2], 80, {3, 5}) == [2, 8, 9, 5, 40, 2]


@given(st.lists(st.integers(2, 100), min_size=6, max_size=6), st.integers(44, 300))
def test_it_fits_and_uses_the_room(natural: list[int], width: int) -> None:
    """As long as the uncut columns leave room, the table fits, and no column is wider than it needs."""
    natural[0], natural[2] = natural[0] % 5 + 2, natural[2] % 8 + 6
    widths = fit(COLUMNS, natural, width)
    assert used(widths) <= width
    assert all(got <= wanted for got, wanted in zip(widths, natural, strict=True))
