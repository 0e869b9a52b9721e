"""Count each invocation once in AWS/Lambda metrics, whatever caused it.

Stock ministack counts a throttle twice and also as an invocation and an error, and
counts nothing for event source mappings.

Source: Lambda Developer Guide, "Types of metrics for Lambda functions": throttled
requests are counted as neither Invocations nor Errors.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_LAMBDA_SVC = Seam("services.lambda_svc")
_CLOUDWATCH = Seam("services.cloudwatch")


def apply(_options: EngineOptions) -> None:
    """Make the one place that every invocation passes the only one that counts."""
    stock = _LAMBDA_SVC["_execute_function"]

    def execute_function(func: dict[str, Any], event: object) -> dict[str, Any]:
        config = func.get("config") or func
        if _LAMBDA_SVC["_function_config_scope_mismatch"](config):
            in_scope = _LAMBDA_SVC["_run_with_function_config_scope"]
            scoped: dict[str, Any] = in_scope(config, execute_function, func, event)
            return scoped
        started = time.monotonic()
        result: dict[str, Any] = stock(func, event)
        _record(config["FunctionName"], result, (time.monotonic() - started) * 1000)
        return result

    _LAMBDA_SVC.replace("_execute_function", execute_function)
    _LAMBDA_SVC.replace("_emit_lambda_metrics", _count_nothing)


def _count_nothing(*_values: object, **_named_values: object) -> None:
    """Stand in for ministack's own counting."""


def _record(function_name: str, result: dict[str, Any], duration_ms: float) -> None:
    record = _CLOUDWATCH["record_metric"]
    dimensions = {"FunctionName": function_name}
    if result.get("throttle"):
        record("AWS/Lambda", "Throttles", 1, "Count", dimensions)
        return
    record("AWS/Lambda", "Invocations", 1, "Count", dimensions)
    record("AWS/Lambda", "Throttles", 0, "Count", dimensions)
    record("AWS/Lambda", "Errors", int(bool(result.get("error"))), "Count", dimensions)
    record("AWS/Lambda", "Duration", duration_ms, "Milliseconds", dimensions)
