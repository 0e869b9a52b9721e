"""What a run of a job needs from the world, as Protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reprise.ledger import Row
    from reprise_letters.job import Segment
    from reprise_letters.letter import Letter
    from reprise_letters.redrive import RedriveResult


class LetterLook(Protocol):
    """One look through a dead-letter queue."""

    def letters(self) -> Iterator[list[Letter]]:
        """Yield the queue's letters in batches."""

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete letters; return those that are still there."""

    def renew(self) -> None:
        """Hold on to what is in hand."""

    def count_hidden(self) -> int:
        """Return how many messages somebody has in hand."""


class Handler(Protocol):
    """Does what a job does."""

    def run(self, batch: Sequence[Letter]) -> list[RedriveResult]:
        """Do it to a batch."""


class CallRows(Protocol):
    """Tells how calls stand."""

    def get_all(self, call_ids: Sequence[str]) -> dict[str, Row]:
        """Return the rows that there are, by id."""


class JobKeeper(Protocol):
    """Keeps what became of a job's letters."""

    def add(self, job_id: str, segment: Segment) -> None:
        """Keep a piece."""
