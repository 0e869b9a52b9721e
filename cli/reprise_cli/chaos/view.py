"""Show a chaos test: a live timeline, and the proof at its end."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Final, Self

from rich.live import Live
from rich.table import Table
from rich.text import Text

from reprise_cli.chaos.timeline import Timeline, sparkline
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from reprise_cli.chaos.proof import Proof
    from reprise_cli.chaos.timeline import LedgerSample
    from reprise_cli.output import Output

_WIDTH: Final = 48
_LINE_EVERY_S: Final = 2.0
"""Where nothing can be redrawn: one line in that time."""
_STYLES: Final = {"captured": "yellow", "waiting": "cyan", "replayed": "green", "dead": "red"}


class ChaosView(AbstractContextManager["ChaosView"]):
    """Shows how the calls stand while the test runs."""

    def __init__(self, out: Output) -> None:
        """Show it where people look."""
        self._console = out.people
        self._timeline = Timeline()
        self._stack = ExitStack()
        self._live: Live | None = None
        self._phase = ""
        self._line_due_s = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        if self._console.is_terminal:
            live = Live(console=self._console, refresh_per_second=4)
            self._live = self._stack.enter_context(live)
        return self

    def __exit__(self, *_: object) -> None:
        """End; the last picture stays."""
        self._draw(is_last=True)
        self._stack.close()

    def say(self, phase: str) -> None:
        """Name what happens now."""
        self._phase = phase
        if self._live is None:
            self._console.print(f"{self._timeline.last.at_s:6.1f}s  {phase}")

    def tell(self, sample: LedgerSample) -> None:
        """Show how the calls stand."""
        self._timeline.add(sample)
        self._draw()

    def _draw(self, *, is_last: bool = False) -> None:
        if self._live is not None:
            self._live.update(picture(self._timeline, self._phase), refresh=is_last)
        elif is_last or time.monotonic() >= self._line_due_s:
            self._line_due_s = time.monotonic() + _LINE_EVERY_S
            self._console.print(line(self._timeline.last))


def line(sample: LedgerSample) -> str:
    """Return how the calls stand, in one line."""
    return (
        f"{sample.at_s:6.1f}s  captured {sample.captured:6}  waiting {sample.waiting:6}  "
        f"replayed {sample.replayed:6}  dead {sample.dead:4}"
    )


def picture(timeline: Timeline, phase: str) -> Table:
    """Return the timeline as bars over time."""
    last = timeline.last
    table = Table(title=f"{phase} ({format_duration(last.at_s)})", title_justify="left")
    table.add_column("calls")
    table.add_column("now", justify="right")
    table.add_column("over time", width=_WIDTH)
    for name, values in timeline.rates(_WIDTH).items():
        style = _STYLES[name]
        now = str(getattr(last, name))
        table.add_row(Text(name, style), Text(now, style), Text(sparkline(values), style))
    return table


def proof_table(proof: Proof) -> Table:
    """Return the proof for people."""
    title = "PROVEN: nothing lost, nothing run twice" if proof.holds else "NOT PROVEN"
    table = Table(title=title, title_style="bold green" if proof.holds else "bold red")
    table.add_column("what")
    table.add_column("calls", justify="right")
    table.add_column("by")
    times = proof.restore_to_success_s
    rows = (
        ("calls made", proof.calls, "this command"),
        ("answered directly", proof.direct, "the invoker's answers"),
        ("captured (202)", proof.captured, "the invoker's answers"),
        ("succeeded by replay", proof.succeeded, "ledger and the target's receipts"),
        ("dead-lettered", proof.dead_lettered, "ledger and the dead-letter queue"),
        ("lost", proof.lost, "captured, and not proven to have ended"),
        ("executed twice", proof.executed_twice, "the target's receipts"),
        ("wasted replays", proof.wasted_replays, "ledger: replays that the target refused"),
    )
    for name, count, source in rows:
        table.add_row(name, f"{count:,}", source)
    for name, value in times.document().items():
        shown = "-" if value is None else f"{value:.2f} s"
        table.add_row(f"restore to success, {name}", shown, "ledger")
    if proof.live is not None:
        for name, share in (
            ("without replay", proof.live.without_replay),
            ("with replay", proof.live.with_replay),
        ):
            shown = f"{share.throttled:,} of {share.calls:,} ({share.throttled_percent:.2f} %)"
            table.add_row(f"live throttles {name}", shown, "live calls' answers")
        table.add_row(
            "extra live throttles", f"{proof.live.extra_percent:+.2f} %", "the difference"
        )
    for end, count in (proof.resubmitted or {}).items():
        table.add_row(f"repeated, {end.replace('_', ' ')}", f"{count:,}", "repeated calls' answers")
    for problem in proof.problems:
        table.add_row(Text("problem", "bold red"), "", Text(problem, "red"))
    return table
