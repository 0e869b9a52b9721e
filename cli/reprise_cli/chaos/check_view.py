"""A result on a history, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from reprise_cli.chaos.checker import CheckResult


def result_table(result: CheckResult) -> Table:
    """Return what a history shows; it fits 80 columns."""
    title = f"HISTORY OF {result.run}: " + ("holds" if result.holds else "DOES NOT HOLD")
    table = Table(title=title, title_style="bold green" if result.holds else "bold red")
    table.add_column("by the history alone")
    table.add_column("count", justify="right")
    rows = {
        "calls made": result.calls,
        **{f"answered: {kind}": count for kind, count in result.answers.items()},
        **{f"ended: {state}": count for state, count in result.ends.items()},
        **{f"met by nemesis: {name}": count for name, count in result.faults.items()},
        "lost": len(result.lost),
        "executed twice": len(result.twice),
        "fake successes": len(result.fake),
        "waited too long": len(result.late),
        "contradictions": len(result.contradictions),
    }
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    table.add_row("longest wait for an end", f"{result.slowest_s:.1f} s")
    for finding in result.findings:
        table.add_row(Text(finding, "red"), "")
    return table
