"""The dashboard, from the question of the first ten seconds down to the parts of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise_dashboard import health, incident, one_target
from reprise_dashboard.layout import place

if TYPE_CHECKING:
    from reprise_dashboard.layout import Row

START: Final = "-PT3H"


def rows() -> list[Row]:
    """Return the dashboard's rows."""
    return [*incident.rows(), *one_target.rows(), *health.rows()]


def body() -> dict[str, Any]:
    """Return the dashboard's body, with CloudFormation's `${…}` in it."""
    return {
        "start": START,
        "periodOverride": "inherit",
        "variables": [one_target.variable()],
        "widgets": list(place(rows())),
    }
