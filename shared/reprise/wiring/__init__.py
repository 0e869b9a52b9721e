"""The composition root: settings and adapters become invoker, unpacker, replayer and monitor, a file each.

Handlers, tests and benches build none of these themselves. What all need of the world stands here.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final

from reprise.aws.clients import Clients
from reprise.aws.job_book import FailedJobTable
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.sqs import NamedQueue
from reprise.given_up import BookedJobs
from reprise.replies import ReplyQueue, queue_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from reprise.call.target_type import TargetType
    from reprise.ports import KeySource, Meter

TARGET_TYPES: Final = {
    "lambda": "reprise.call.target_type:FUNCTION",
    "batch": "reprise_batch.target_type:BATCH",
}
"""The types of targets, by the service in their ARNs; one of an add-on is loaded only where it is listed."""


def target_types(targets: Iterable[str]) -> tuple[TargetType, ...]:
    """Return the types that the listed targets are of, functions first, which nearly all are."""
    services = {"lambda": None} | dict.fromkeys(arn.split(":")[2] for arn in targets if ":" in arn)
    return tuple(resolve_name(TARGET_TYPES[each]) for each in services if each in TARGET_TYPES)


def make_clients() -> Clients:
    """Return what makes AWS clients, each when it is first needed."""
    return Clients()


def make_replies(sqs: SQSClient, stack: str, keys: KeySource, meter: Meter) -> ReplyQueue:
    """Return what tells a stack's add-on replies of calls that have ended; looks for it when there is one."""
    return ReplyQueue(queue=NamedQueue(sqs, queue_name(stack)), keys=keys, meter=meter)


def make_job_teller(
    dynamodb: DynamoDBClient, table: str, types: tuple[TargetType, ...]
) -> BookedJobs:
    """Return what keeps the jobs that are given up, for the observer to tell of."""
    return BookedJobs(book=FailedJobTable(dynamodb, table), types=types)


def make_ledger(clients: Clients, table: str) -> LedgerTable:
    """Return the ledger in this table."""
    return LedgerTable(clients.dynamodb(), table)
