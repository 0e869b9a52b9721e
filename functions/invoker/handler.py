"""Lambda handler of the invoker: event to request, call, answer; by its own name, or through a front door."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from invoker.runtime import Invocation, Reply
from reprise import cold_start, metric
from reprise.call.request import read_request
from reprise.capturing.answer import write_answer, write_refusal
from reprise.doors.alias import Doors, alias_of
from reprise.doors.answer import answer_door, refuse_door
from reprise.doors.request import door_request
from reprise.doors.sending import read_sending
from reprise.errors import BadRequestError
from reprise.settings import CallerSettings
from reprise.telemetry import EmfMeter, FlushInterval, make_logger, trace_header
from reprise.wiring import make_clients
from reprise.wiring.callers import (
    FUNCTION_MARGIN_S,
    behind_doors,
    make_invoker,
    make_status_reader,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.call.request import CallRequest
    from reprise.capturing.invoker import Answer

make_logger()
_settings = CallerSettings.from_env(os.environ)
_doors = Doors.read(
    os.environ.get("REPRISE_FRONT_DOORS", ""),
    _settings.targets,
    invoker=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
)
_clients = make_clients()
_meter = EmfMeter()
_flush_interval = FlushInterval(time.monotonic)
_invoker = make_invoker(
    _clients, _settings, meter=_meter, longest_s=_settings.call_timeout_s + FUNCTION_MARGIN_S
)
_invoker_at_doors = behind_doors(_invoker)
_status = make_status_reader(_clients, _settings)
cold_start.finish()


def handle(invocation: Invocation) -> Reply:
    """Handle an invocation as bytes: of an alias the target's own event, else a request."""
    alias = alias_of(invocation.arn)
    if alias is None:
        return Reply(payload=_written(lambda_handler(json.loads(invocation.event), None)))
    sending = read_sending(invocation.event)
    try:
        request = door_request(
            _doors.target(alias),
            invocation.event,
            sending,
            request_id=invocation.request_id,
            client_context=invocation.client_context,
            trace=trace_header(),
        )
        run = _invoker_at_doors.run if sending.may_keep else _invoker.pass_on
        answer = _counted(run, request)
    except BadRequestError as error:
        told = refuse_door(sending, error)
    else:
        told = answer_door(sending, invocation.event, answer, _settings.status_url)
    return Reply(payload=told.payload, error_type=told.error_type)


def lambda_handler(event: object, _context: object) -> dict[str, Any]:
    """Make the call that the event asks for, or tell how an earlier one stands."""
    try:
        if isinstance(event, dict) and "StatusOf" in event:
            return _status.run(event)
        request = read_request(event, _settings, trace=trace_header())
        answer = _counted(_invoker.run, request)
    except BadRequestError as error:
        return write_refusal(error)
    return write_answer(request, answer, _settings.status_url)


def _counted(run: Callable[[CallRequest], Answer], request: CallRequest) -> Answer:
    """Make a call, and count it."""
    start_s = time.perf_counter()
    answer = run(request)
    if answer.is_passed_through:
        added_ms = (time.perf_counter() - start_s) * 1000 - answer.reply.took_ms
        _meter.count(metric.PASSED_THROUGH, target=request.target.function)
        _meter.observe(metric.ADDED_LATENCY, added_ms, target=request.target.function)
    if not answer.is_passed_through or _flush_interval.is_due():
        _meter.flush()
    return answer


def _written(document: dict[str, Any]) -> bytes:
    """Return JSON as the managed runtime writes it; text that is none in UTF-8 goes in escapes."""
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(document).encode()
