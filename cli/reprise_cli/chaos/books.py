"""Read what the proof compares: our ledger, the target's receipts, and the dead letters."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise.aws.fault import store_errors
from reprise.instant import parse_instant
from reprise.ledger import State
from reprise_cli.chaos.call import CallState, Receipt
from reprise_letters.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


BATCH: Final = 100
"""DynamoDB API reference, BatchGetItem: at most 100 keys."""
_ATTRIBUTES: Final = (
    "id",
    "state",
    "updated_at",
    "refusals",
    "letter_sent",
    "reason",
    "captured_at",
    "history",
)
"""Of a ledger row, as `reprise.ledger` names them."""
_FIRST_WAIT_S: Final = 0.05
_LAST_WAIT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReader:
    """Ledger and receipts, in DynamoDB."""

    client: DynamoDBClient
    ledger_table: str
    receipts_table: str

    def standings(self, call_ids: Sequence[str]) -> dict[str, CallState]:
        """Return how calls stand, by id; a call without a row is left out.

        Raises:
            StoreError: If the ledger cannot be read.
        """
        found: dict[str, CallState] = {}
        for start in range(0, len(call_ids), BATCH):
            for item in self._items(call_ids[start : start + BATCH]):
                found[item["id"]["S"]] = standing_of(item)
        return found

    def _items(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        keys: Any = [{"id": {"S": call_id}} for call_id in call_ids]
        items: list[Any] = []
        wait_s = _FIRST_WAIT_S
        while keys:
            request: Any = {
                self.ledger_table: {
                    "Keys": keys,
                    "ConsistentRead": True,
                    "ProjectionExpression": ", ".join(f"#{name}" for name in _ATTRIBUTES),
                    "ExpressionAttributeNames": {f"#{name}": name for name in _ATTRIBUTES},
                }
            }
            with store_errors("dynamodb", "BatchGetItem"):
                response = self.client.batch_get_item(RequestItems=request)
            items += response["Responses"].get(self.ledger_table, [])
            # DynamoDB answers as much as it can, and names the rest.
            left: Any = response.get("UnprocessedKeys", {})
            keys = left.get(self.ledger_table, {}).get("Keys", [])
            if keys:
                time.sleep(wait_s)
                wait_s = min(_LAST_WAIT_S, wait_s * 2)
        return items

    def receipts(self, run: str) -> list[Receipt]:
        """Return every receipt of a test.

        Raises:
            StoreError: If they cannot be read.
        """
        pages = self.client.get_paginator("query").paginate(
            TableName=self.receipts_table,
            KeyConditionExpression="#run = :run",
            ExpressionAttributeNames={"#run": "run"},
            ExpressionAttributeValues={":run": {"S": run}},
            ConsistentRead=True,
        )
        with store_errors("dynamodb", "Query"):
            items: list[Any] = [item for page in pages for item in page["Items"]]
        return [
            Receipt(
                call=int(item["call"]["N"]),
                is_ok=item["ok"]["BOOL"],
                ran_at=item.get("at", {}).get("S", ""),
            )
            for item in items
        ]


def standing_of(item: Mapping[str, Any]) -> CallState:
    """Return what the proof needs of a row's attributes."""
    state = item["state"]["S"]
    return CallState(
        is_succeeded=state == State.SUCCEEDED,
        # The letter follows the row: a call has ended when it is known to be in its queue.
        is_dead_lettered=state == State.DEAD_LETTERED
        and item.get("letter_sent", {}).get("BOOL", False),
        updated_at=parse_instant(item["updated_at"]["S"]),
        refusals=int(item.get("refusals", {}).get("N", "0")),
        reason=item.get("reason", {}).get("S"),
        captured_at=item["captured_at"]["S"],
        attempts=item.get("history", {}).get("S", "[]"),
    )


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
