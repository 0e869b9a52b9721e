"""Work at a dead-letter queue: look through it, and redrive what is meant."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from reprise.aws.queue import SqsQueue
from reprise_cli.dlq.browser import Browser
from reprise_cli.dlq.letter import Letter, Selection, select
from reprise_cli.dlq.redrive import Redriver, Result
from reprise_cli.request import utc_now

if TYPE_CHECKING:
    from reprise_cli.app import App


class Which(StrEnum):
    """The two dead-letter queues."""

    CALLS = "calls"
    CAPTURE = "capture"


def peek(
    reprise: App, queue: Which, limit: int | None, until: Selection | None = None
) -> list[Letter]:
    """Return a queue's letters and give them back at once.

    Args:
        reprise: What is at hand.
        queue: Which queue.
        limit: Letters to look at, at most; None looks at all.
        until: Stop once all ids that this names were seen.
    """
    letters: list[Letter] = []
    wanted = set(until.ids) if until is not None else set()
    with (
        reprise.out.progress("looking through the dead-letter queue") as advance,
        _browser(reprise, queue) as browser,
    ):
        for batch in browser.letters():
            letters += batch
            advance(len(batch))
            seen = {name for letter in batch for name in (letter.id, letter.message_id)}
            if wanted and not (wanted := wanted - seen):
                break
            if limit is not None and len(letters) >= limit:
                reprise.out.note(f"looked at {len(letters)} letters: there may be more (--limit)")
                break
    return letters


def redrive_selected(reprise: App, queue: Which, selection: Selection) -> list[Result]:
    """Redrive the letters that are meant, batch by batch, and return what became of each."""
    stack, started_at = reprise.stack, utc_now()
    back_to = stack.replay_queue_url if queue is Which.CALLS else stack.capture_queue_url
    results: list[Result] = []
    seen: set[str] = set()
    with (
        reprise.out.progress("redriving dead letters") as advance,
        _browser(reprise, queue) as browser,
    ):
        redriver = Redriver(
            ledger=reprise.ledger,
            queue=SqsQueue(reprise.aws.sqs, back_to),
            letters=browser,
            clock=utc_now,
        )
        for batch in browser.letters():
            # What came back dead since we began has had its turn.
            meant = [
                letter
                for letter in select(batch, selection, started_at)
                if letter.id not in seen or letter.at < started_at
            ]
            seen |= {letter.id for letter in meant}
            if meant:
                results += redriver.run(meant)
                advance(len(meant))
            if selection.ids and selection.ids <= seen:
                break
    return results


def _browser(reprise: App, queue: Which) -> Browser:
    stack, is_capture = reprise.stack, queue is Which.CAPTURE
    url = stack.capture_dlq_url if is_capture else stack.dead_letter_queue_url
    return Browser(reprise.aws.sqs, url, is_capture=is_capture)
