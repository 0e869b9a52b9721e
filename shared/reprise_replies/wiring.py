"""Put the replier together, from its settings and AWS."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from reprise.aws.clients import lazily
from reprise.aws.keys import SecretKeys, secret_name
from reprise.aws.reply_notes import ReplyNoteTable
from reprise.aws.s3 import S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.capturing.signature import PIPELINE
from reprise.instant import utc_now
from reprise.telemetry import EmfMeter
from reprise.wiring import make_clients, make_ledger
from reprise_replies.deliver import Deliverer, Services, secret_keys
from reprise_replies.replier import Replier

if TYPE_CHECKING:
    from reprise_replies.settings import ReplierSettings


def deployed_replier(settings: ReplierSettings) -> tuple[Replier, SqsQueue, EmfMeter]:
    """Return the replier of a deployed add-on, its queue, and its meter."""
    clients, meter = make_clients(), EmfMeter()
    sqs, dynamodb = clients.sqs(), clients.dynamodb()
    secrets = lazily(clients.secrets)
    replier = Replier(
        keys=SecretKeys(secrets, secret_name(settings.stack, PIPELINE)),
        ledger=make_ledger(clients, settings.ledger_table),
        objects=S3Objects(lazily(clients.s3), settings.bucket),
        bucket=settings.bucket,
        notes=ReplyNoteTable(dynamodb, settings.ledger_table, utc_now),
        destinations=settings.destinations,
        deliverer=Deliverer(
            services=Services(
                sqs=sqs,
                events=lazily(clients.events),
                state_machines=lazily(clients.state_machines),
                functions=lazily(clients.callbacks),
            ),
            destinations=settings.destinations,
            stack=settings.stack,
            event_bus=settings.event_bus,
            webhook_keys=secret_keys(secrets, settings.webhook_secret_arn),
            clock=utc_now,
        ),
        dead_letters=SqsQueue(sqs, settings.replies_dead_letter_queue_url),
        clock=utc_now,
        draw=random.SystemRandom().random,
        meter=meter,
    )
    return replier, SqsQueue(sqs, settings.replies_queue_url), meter
