"""Lambda handler of the invoker: event to request, call, answer."""

from __future__ import annotations

import os
import time
from typing import Any

from reprise import cold_start, metric
from reprise.call.request import read_request
from reprise.capturing.answer import write_answer, write_refusal
from reprise.errors import BadRequestError
from reprise.settings import CallerSettings
from reprise.telemetry import EmfMeter, FlushInterval, make_logger, trace_header
from reprise.wiring import make_clients
from reprise.wiring.callers import FUNCTION_MARGIN_S, make_invoker, make_status_reader

make_logger()
_settings = CallerSettings.from_env(os.environ)
_clients = make_clients()
_meter = EmfMeter()
_flush_interval = FlushInterval(time.monotonic)
_invoker = make_invoker(
    _clients, _settings, meter=_meter, longest_s=_settings.call_timeout_s + FUNCTION_MARGIN_S
)
_status = make_status_reader(_clients, _settings)
cold_start.finish()


def lambda_handler(event: object, _context: object) -> dict[str, Any]:
    """Make the call that the event asks for, or tell how an earlier one stands."""
    try:
        if isinstance(event, dict) and "StatusOf" in event:
            return _status.run(event)
        request = read_request(event, _settings, trace=trace_header())
        start_s = time.perf_counter()
        answer = _invoker.run(request)
    except BadRequestError as error:
        return write_refusal(error)
    if answer.is_passed_through:
        added_ms = (time.perf_counter() - start_s) * 1000 - answer.reply.took_ms
        _meter.count(metric.PASSED_THROUGH, target=request.target.function)
        _meter.observe(metric.ADDED_LATENCY, added_ms, target=request.target.function)
    if not answer.is_passed_through or _flush_interval.is_due():
        _meter.flush()
    return write_answer(request, answer, _settings.status_url)
