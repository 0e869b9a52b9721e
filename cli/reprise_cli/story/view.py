"""Show a call's story to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from reprise_cli.fitted import Column, Fitted
from reprise_cli.story.parts import BAD, GOOD, PLAIN, WAIT

if TYPE_CHECKING:
    from reprise_cli.output import Output
    from reprise_cli.story.parts import Story

_LEAST: Final = 24
"""Characters in which a sentence can still be read."""
_STYLES: Final = {GOOD: "green", BAD: "red", WAIT: "yellow", PLAIN: ""}


def show_story(out: Output, story: Story) -> None:
    """Show facts, steps, and what was asked for beside them."""
    facts = {"state": story.row.state.value, **story.facts}
    known = (
        Column(name="what", cells=list(facts), rank=0),
        Column(name="value", cells=list(facts.values()), rank=0, least=_LEAST),
    )
    out.show(Fitted(columns=known, title=f"call {story.row.id}"))
    steps = story.steps
    happened = (
        Column(name="when", cells=[_to_ms(step.at) for step in steps], rank=3),
        Column(name="after", cells=[step.after for step in steps], rank=2, is_number=True),
        Column(name="what", cells=[Text(step.what, _STYLES[step.kind]) for step in steps], rank=0),
        Column(name="how", cells=[step.how for step in steps], rank=1, least=_LEAST),
    )
    out.show("", Fitted(columns=happened, title="its story"))
    if story.replies:
        told = (
            Column(name="to", cells=[note.to for note in story.replies], rank=0),
            Column(name="state", cells=[note.state for note in story.replies], rank=0),
            Column(name="when", cells=[_to_ms(note.at) for note in story.replies], rank=2),
            Column(
                name="tries",
                cells=[str(note.tries) for note in story.replies],
                rank=3,
                is_number=True,
            ),
            Column(
                name="why",
                cells=[note.reason or "" for note in story.replies],
                rank=1,
                least=_LEAST,
            ),
        )
        out.show("", Fitted(columns=told, title="its late result goes to"))
    for title, copied in (("late result", story.result), ("payload", story.payload)):
        if copied is not None:
            out.show("", Text(title, "bold"))
            out.show(copied)


def _to_ms(at: str) -> str:
    """Return an instant with milliseconds: who needs the rest has --json."""
    whole, _, fraction = at.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3]}Z" if fraction else at
