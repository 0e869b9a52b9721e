"""Put together what runs jobs in the stack, from its settings and AWS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reprise.aws.clients import lazily
from reprise.aws.keys import SecretKeyring
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.instant import utc_now
from reprise.wiring import make_clients, make_ledger
from reprise_letters.job_store import LetterJobStore
from reprise_letters.runner import LetterJobRunner
from reprise_letters.tools import LetterTools, QueueUrls

if TYPE_CHECKING:
    from reprise_letters.settings import LetterJobSettings


def deployed_runner(settings: LetterJobSettings) -> tuple[LetterJobRunner, SqsQueue]:
    """Return what runs the jobs of a deployed stack, and the queue of its orders."""
    clients = make_clients()
    sqs, s3, bucket = clients.sqs(), clients.s3(), settings.bucket
    orders = SqsQueue(sqs, settings.letter_jobs_queue_url)
    runner = LetterJobRunner(
        store=LetterJobStore(
            objects=S3Objects(s3, bucket), listing=S3Listing(s3, bucket), bucket=bucket
        ),
        tools=LetterTools(
            sqs=sqs,
            ledger=make_ledger(clients, settings.ledger_table),
            keys=SecretKeyring(lazily(clients.secrets), settings.stack),
            urls=QueueUrls(
                dead_letters=settings.dead_letter_queue_url,
                replay=settings.replay_queue_url,
                capture_dead_letters=settings.capture_dlq_url,
                capture=settings.capture_queue_url,
            ),
        ),
        orders=orders,
        dead_letters=SqsQueue(sqs, settings.letter_jobs_dlq_url),
        clock=utc_now,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    return runner, orders
