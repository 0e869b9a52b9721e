"""Lambda handler of the unpacker: one batch of S3 notifications."""

from __future__ import annotations

import os
import random
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.aws.clients import Clients
from reprise.aws.counters_table import CountersTable
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.gate_table import GateTable
from reprise.aws.keys import SecretKeyring
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.mark_table import MarkTable
from reprise.aws.s3 import S3Objects
from reprise.aws.sqs import SqsQueue, SqsQueueSize
from reprise.events import EventPublisher
from reprise.monitor.counters import CounterPublisher
from reprise.outbox import Outbox
from reprise.settings import UnpackerSettings
from reprise.telemetry import EmfMeter, make_logger
from reprise.unpack.accept import RecordValidator
from reprise.unpack.backlog import ExpansionController
from reprise.unpack.defer import Deferrer
from reprise.unpack.enqueue import Enqueuer
from reprise.unpack.intake import CaptureConsumer, Notice
from reprise.unpack.notification import NoticeReader
from reprise.unpack.unpacker import Unpacker
from reprise.wiring import target_types, utc_now

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_settings = UnpackerSettings.from_env(os.environ)
_clients = Clients()
_meter = EmfMeter()
_s3, _sqs, _dynamodb = _clients.s3(), _clients.sqs(), _clients.dynamodb()
_counters = CounterPublisher(books=CountersTable(_dynamodb, _settings.ledger_table), meter=_meter)
_objects = S3Objects(lambda: _s3, _settings.bucket)
_capture_queue = SqsQueue(_sqs, _settings.capture_queue_url)
_keyring = SecretKeyring(cache(_clients.secrets), _settings.stack)
_draw = random.SystemRandom().random
_outbox = Outbox(
    cache(lambda: EventBridgeBus(_clients.events(), _settings.event_bus)),
    meter=_meter,
    monotonic=time.monotonic,
    has_successes=False,
)
_stage = Unpacker(
    reader=RecordValidator(
        objects=_objects,
        keys=_keyring,
        meter=_meter,
        targets=_settings.targets,
        log_groups=_settings.log_groups,
        account_id=_settings.account_id,
        types=target_types(_settings.targets),
    ),
    enterer=Enqueuer(
        ledger=LedgerTable(_dynamodb, _settings.ledger_table),
        replay_queue=SqsQueue(_sqs, _settings.replay_queue_url),
        dead_letters=SqsQueue(_sqs, _settings.dead_letter_queue_url),
        clock=utc_now,
        draw=_draw,
        meter=_meter,
        retention_days=_settings.retention_days,
        publisher=EventPublisher(_settings.stack, _outbox.add),
    ),
    parker=Deferrer(
        objects=_objects,
        capture_queue=_capture_queue,
        keys=_keyring,
        clock=utc_now,
        meter=_meter,
    ),
    backlog=ExpansionController(
        gates=GateTable(_dynamodb, _settings.ledger_table),
        depth=SqsQueueSize(_sqs, _settings.replay_queue_url),
        clock=utc_now,
        draw=_draw,
    ),
    objects=_objects,
    clock=utc_now,
    meter=_meter,
    retention_days=_settings.retention_days,
)
_intake = CaptureConsumer(
    stage=_stage,
    reader=NoticeReader(bucket=_settings.bucket, keys=_keyring),
    objects=_objects,
    queue=_capture_queue,
    dead_letters=SqsQueue(_sqs, _settings.capture_dlq_url),
    marks=MarkTable(_dynamodb, _settings.ledger_table),
    clock=utc_now,
    meter=_meter,
)
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Unpack the objects of a batch; name the messages that must come again."""
    notices = [
        Notice(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        for record in event["Records"]
    ]
    again = _intake.run(notices, context.get_remaining_time_in_millis)
    _outbox.flush()
    _counters.finish()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}
