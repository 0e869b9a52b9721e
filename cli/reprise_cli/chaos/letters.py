"""Find the dead letters of a chaos test, and on request take them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise_cli.dlq.browser import Browser

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedLetters:
    """The dead-letter queue, as a chaos test sees it."""

    client: SQSClient
    url: str
    is_drained: bool = False
    """Whether the letters of the test are deleted; those of others stay in any case."""

    def seen(self, call_ids: frozenset[str]) -> frozenset[str]:
        """Return which of these calls have a dead letter; looks through the whole queue.

        Raises:
            StoreError: If the queue cannot be read.
        """
        found: set[str] = set()
        with Browser(self.client, self.url) as browser:
            for batch in browser.letters():
                own = [letter for letter in batch if letter.id in call_ids]
                found |= {letter.id for letter in own}
                if self.is_drained:
                    browser.delete(own)
        return frozenset(found)
