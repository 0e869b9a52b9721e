"""Lambda handler of the invoker: event to request, stage, answer."""

from __future__ import annotations

import os
import time
from typing import Any

from reprise import cold_start, metric
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.objects import S3Objects
from reprise.aws.session import Clients
from reprise.call.answer import write_answer, write_refusal, write_status
from reprise.call.payload import ClaimCheck
from reprise.call.request import read_request
from reprise.errors import BadRequestError
from reprise.observe.pace import Pace
from reprise.settings import CallerSettings
from reprise.telemetry import EmfMeter, make_logger
from reprise.wiring import make_call_stage, trace_header

make_logger()
_settings = CallerSettings.from_env(os.environ)
_clients = Clients()
_meter = EmfMeter()
_pace = Pace(time.monotonic)
_stage = make_call_stage(_clients, _settings, source="invoker", meter=_meter)
cold_start.finish()


def lambda_handler(event: Any, context: object) -> dict[str, Any]:  # noqa: ANN401, ARG001 - Lambda's own signature
    """Make the call that the event asks for, or tell how an earlier one stands."""
    if isinstance(event, dict) and isinstance(event.get("StatusOf"), str):
        return _status(event["StatusOf"])
    try:
        request = read_request(event, _settings, trace=trace_header())
    except BadRequestError as error:
        return write_refusal(error)
    start_s = time.perf_counter()
    answer = _stage.run(request)
    if answer.is_passed_through:
        added_ms = (time.perf_counter() - start_s) * 1000 - answer.reply.took_ms
        _meter.count(metric.PASSED_THROUGH, target=request.target.function)
        _meter.observe(metric.ADDED_LATENCY, added_ms, target=request.target.function)
    if not answer.is_passed_through or _pace.is_due():
        _meter.flush()
    return write_answer(request, answer, _settings.status_url)


def _status(call_id: str) -> dict[str, Any]:
    row = LedgerTable(_clients.dynamodb(), _settings.ledger_table).get(call_id)
    late_result = None
    if row is not None and row.result_key is not None:
        kept = ClaimCheck(bucket=_settings.bucket, key=row.result_key)
        late_result = S3Objects(_clients.s3, _settings.bucket).get(kept)
    return write_status(call_id, row, late_result)
