"""Show dead letters, to people and to programs; payloads stay where they are."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.letter import Letter, LetterKind
from reprise_cli.dlq.redrive import Action, RedriveResult
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.output import Output


_ID_WIDTH: Final = 36
"""A UUID: ids are there to be copied, never cut."""


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
    table = Table(title=title, expand=True)
    table.add_column("id", no_wrap=True, min_width=_ID_WIDTH, overflow="fold")
    for name in ("target", "reason", "attempts", "age"):
        table.add_column(name, no_wrap=True)
    table.add_column("message", no_wrap=True, ratio=1, overflow="ellipsis")
    now = utc_now()
    for letter in letters:
        age = format_duration(max(0.0, (now - letter.at).total_seconds()))
        kind = "" if letter.kind is LetterKind.DEAD_LETTER else f" ({letter.kind.value})"
        reason = f"{letter.reason}{kind}"
        table.add_row(letter.id, letter.target, reason, str(letter.attempts), age, letter.message)
    out.show(table)
    if any(letter.reason == "unknown" for letter in letters):
        out.warn("letters with reason `unknown` may have run already: a redrive may run them again")


def report(out: Output, results: Sequence[RedriveResult], *, is_rehearsal: bool = False) -> None:
    """Show what became of letters, or in a rehearsal what would."""
    counts = Counter(result.action for result in results)
    table = Table("what would become of them" if is_rehearsal else "what became of them", "letters")
    for action in Action:
        if counts[action]:
            table.add_row(action.value.replace("_", " "), str(counts[action]))
    out.show(table if results else "no letter was meant")
    for result in results:
        if result.action in {Action.FAILED, Action.REFUSED, Action.SKIPPED}:
            out.warn(f"{result.letter.id}: {result.action.value}: {result.why}")
    documents = [
        (describe(result.letter) if is_rehearsal else {"id": result.letter.id})
        | {"action": result.action.value, "why": result.why}
        for result in results
    ]
    out.result(
        {"dry_run": is_rehearsal, "selected": len(results), "letters": documents}
        | {action.value: counts[action] for action in Action}
    )


def pretty(body: str) -> str:
    """Return JSON over several lines; anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return body
