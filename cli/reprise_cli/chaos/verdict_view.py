"""A verdict on a history, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from reprise_cli.chaos.checker import Verdict


def verdict_table(verdict: Verdict) -> Table:
    """Return what a history shows; it fits 80 columns."""
    title = f"HISTORY OF {verdict.run}: " + ("holds" if verdict.holds else "DOES NOT HOLD")
    table = Table(title=title, title_style="bold green" if verdict.holds else "bold red")
    table.add_column("by the history alone")
    table.add_column("count", justify="right")
    rows = {
        "calls made": verdict.calls,
        **{f"answered: {kind}": count for kind, count in verdict.answers.items()},
        **{f"ended: {state}": count for state, count in verdict.ends.items()},
        **{f"nemesis: {name}": count for name, count in verdict.faults.items()},
        "lost": len(verdict.lost),
        "executed twice": len(verdict.twice),
        "fake successes": len(verdict.fake),
        "waited too long": len(verdict.late),
        "contradictions": len(verdict.contradictions),
    }
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    table.add_row("longest wait for an end", f"{verdict.slowest_s:.1f} s")
    for finding in verdict.findings:
        table.add_row(Text(finding, "red"), "")
    return table
