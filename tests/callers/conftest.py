"""Collects the cells, and writes the page if every one of them passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from callers.table import COLUMNS, PAGE, ROWS, Cell, page

# One deployment as the end-to-end tests make it.
from e2e.conftest import deployment, engine, guest, world

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["deployment", "engine", "guest", "world"]

_CELLS: Final = pytest.StashKey[dict[tuple[str, str], Cell]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CELLS] = {}


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str, str, Cell], None]:
    """Return what holds a cell to the table, and enters it."""

    def enter(row: str, column: str, cell: Cell) -> None:
        assert cell == ROWS[row][column]
        request.config.stash[_CELLS][row, column] = cell

    return enter


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    cells = session.config.stash[_CELLS]
    if exitstatus == pytest.ExitCode.OK and len(cells) == len(ROWS) * len(COLUMNS):
        PAGE.write_text(page(cells))
