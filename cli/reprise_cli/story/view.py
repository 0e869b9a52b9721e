"""Show a call's story to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from reprise_cli.story.story import BAD, GOOD, PLAIN, WAIT

if TYPE_CHECKING:
    from reprise_cli.output import Output
    from reprise_cli.story.story import Story

_STYLES: Final = {GOOD: "green", BAD: "red", WAIT: "yellow", PLAIN: ""}


def show_story(out: Output, story: Story) -> None:
    """Show facts, steps, and what was asked for beside them."""
    facts = Table("what", "value", title=f"call {story.row.id}")
    facts.add_row("state", story.row.state.value)
    for name, text in story.facts.items():
        facts.add_row(name, text)
    out.show(facts)
    steps = Table(title="its story")
    steps.add_column("when", no_wrap=True)
    steps.add_column("after", justify="right", no_wrap=True)
    steps.add_column("what", no_wrap=True)
    steps.add_column("how", overflow="fold")
    for step in story.steps:
        steps.add_row(step.at, step.after, Text(step.what, _STYLES[step.kind]), step.how)
    out.show(steps)
    for title, copied in (("late result", story.result), ("payload", story.payload)):
        if copied is not None:
            out.show(Text(title, "bold"))
            out.show(copied)
