"""Find which letters are meant: one look through a queue, of which only what a job remembers is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reprise.retry.decision import Reason
from reprise_letters.job import Planned, first, planned
from reprise_letters.letter import select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from reprise_letters.letter import Letter, Selection


class Seen(Protocol):
    """What a look through a queue sees."""

    def letters(self) -> Iterator[list[Letter]]:
        """Yield the queue's letters in batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a look through a queue found."""

    letters: list[Planned]
    """Those that are meant, the oldest first."""
    seen: int
    targets: set[str]
    """Of all that were seen."""
    missing: frozenset[str]
    """Ids that were asked for and not seen."""
    has_unknown: bool
    """Whether a call that is meant may have run already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyor:
    """Looks through queues."""

    prepare: Callable[[Sequence[Letter]], list[Letter]]
    """Tells the ledger of calls that SQS gave up."""
    advance: Callable[[int], None] = lambda _: None
    is_over: Callable[[], bool] = lambda: False
    """Tells whether to end here, though there may be more."""
    has_more: Callable[[], bool] = lambda: False
    """Tells whether more may be seen now, once it has waited."""

    def survey(self, box: Seen, selection: Selection, now: datetime) -> Survey:
        """Return which letters are meant.

        Raises:
            StoreError: If the queue cannot be read.
        """
        meant: list[Planned] = []
        targets: set[str] = set()
        unknown = seen = 0
        left = set(selection.ids)
        for found in self._batches(box):
            batch = self.prepare(found)
            seen += len(batch)
            self.advance(len(batch))
            targets |= {letter.target for letter in batch}
            taken = select(batch, selection, now)
            meant += [planned(letter) for letter in taken]
            unknown += sum(letter.reason == Reason.UNKNOWN for letter in taken)
            left -= {name for letter in batch for name in (letter.id, letter.message_id)}
            if (selection.ids and not left) or self.is_over():
                break
        return Survey(
            letters=first(meant, selection.max_count),
            seen=seen,
            targets=targets - {""},
            missing=frozenset(left),
            has_unknown=unknown > 0,
        )

    def _batches(self, box: Seen) -> Iterator[list[Letter]]:
        yield from box.letters()
        while self.has_more():
            yield from box.letters()
