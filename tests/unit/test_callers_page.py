from __future__ import annotations

from callers.table import COLUMNS, PAGE, ROWS, page


def test_page_has_each_caller_and_ending_as_the_command_holds_them() -> None:
    # That a cell is so only `make callers` can know; it writes the page where all are.
    cells = {(row, column): cell for row, of in ROWS.items() for column, cell in of.items()}
    assert len(cells) == len(ROWS) * len(COLUMNS)
    assert PAGE.read_text() == page(cells)
