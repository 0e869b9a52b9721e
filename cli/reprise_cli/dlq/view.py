"""Show dead letters, to people and to programs; payloads stay where they are."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table

from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.letter import Letter, LetterKind
from reprise_cli.dlq.redrive import Action, RedriveResult
from reprise_cli.duration import format_duration
from reprise_cli.fitted import Column, Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.output import Output


def describe(letter: Letter) -> dict[str, Any]:
    """Return a letter as JSON values."""
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "target": letter.target,
        "reason": letter.reason,
        "message": letter.message,
        "attempts": letter.attempts,
        "at": format_instant(letter.at),
        "message_id": letter.message_id,
    }


def show_letters(out: Output, letters: Sequence[Letter], title: str) -> None:
    """Show letters as a table."""
    now = utc_now()
    ages = [format_duration(max(0.0, (now - letter.at).total_seconds())) for letter in letters]
    # Ids are there to be copied: none is cut, and one that is longer than a UUID is folded if it must be.
    columns = (
        Column(name="id", cells=[letter.id for letter in letters], rank=0, folded=36),
        Column(name="target", cells=[letter.target for letter in letters], rank=4, least=12),
        Column(name="reason", cells=[_reason(letter) for letter in letters], rank=1, least=16),
        Column(
            name="attempts",
            cells=[str(letter.attempts) for letter in letters],
            rank=5,
            is_number=True,
        ),
        Column(name="age", cells=ages, rank=2, is_number=True),
        Column(
            name="message",
            cells=[" ".join(letter.message.split()) for letter in letters],
            rank=3,
            least=12,
            is_shortened=True,
        ),
    )
    out.show(Fitted(columns=columns, title=title, wanted=3))
    if any(letter.reason == "unknown" for letter in letters):
        out.warn("letters with reason `unknown` may have run already: a redrive may run them again")


def _reason(letter: Letter) -> str:
    kind = "" if letter.kind is LetterKind.DEAD_LETTER else f" ({letter.kind.value})"
    return f"{letter.reason}{kind}"


def report(out: Output, results: Sequence[RedriveResult], *, is_dry_run: bool = False) -> None:
    """Show what became of letters, or in a dry run what would."""
    counts = Counter(result.action for result in results)
    table = Table("what would become of them" if is_dry_run else "what became of them", "letters")
    for action in Action:
        if counts[action]:
            table.add_row(action.value.replace("_", " "), str(counts[action]))
    out.show(table if results else "no letter was meant")
    for result in results:
        if result.action in {Action.FAILED, Action.REFUSED, Action.SKIPPED}:
            out.warn(f"{result.letter.id}: {result.action.value}: {result.why}")
    documents = [
        (describe(result.letter) if is_dry_run else {"id": result.letter.id})
        | {"action": result.action.value, "why": result.why}
        for result in results
    ]
    out.result(
        {"dry_run": is_dry_run, "selected": len(results), "letters": documents}
        | {action.value: counts[action] for action in Action}
    )


def pretty(body: str) -> str:
    """Return JSON over several lines; anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return body
