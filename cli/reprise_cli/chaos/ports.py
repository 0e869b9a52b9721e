"""What a chaos run needs of its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from reprise_cli.chaos.call import CallState, Receipt
    from reprise_cli.chaos.live import LiveCall


class Holds(Protocol):
    """Holds the target."""

    @property
    def phases(self) -> tuple[str, str, str]:
        """Return what people are told before the hold, in it, and after it."""

    def bounded(self) -> AbstractContextManager[None]:
        """Give it the test's own reserved concurrency inside, if there is one."""

    def held(self) -> AbstractContextManager[None]:
        """Hold it inside, and let it go whatever happens."""


class Ledgers(Protocol):
    """The two books."""

    def standings(self, call_ids: Sequence[str]) -> dict[str, CallState]:
        """Return how calls stand, by id; a call without a row is left out."""

    def receipts(self, run: str) -> list[Receipt]:
        """Return every receipt of a test."""


class Traffic(Protocol):
    """Live traffic of the target."""

    @property
    def run(self) -> str:
        """Return the name of its receipts."""

    def flowing(self) -> AbstractContextManager[list[LiveCall]]:
        """Let it flow inside; the list has all of its calls once it has ended."""


class Queues(Protocol):
    """The queues that calls run from."""

    def wait(self) -> bool:
        """Return True once no copy of a call can run any more; False if others keep the queues busy."""


class DeadLetterQueue(Protocol):
    """The dead-letter queue."""

    def seen(self, call_ids: frozenset[str]) -> frozenset[str]:
        """Return which of these calls have a dead letter there."""
