"""Restore event source mappings of SQS queues.

Stock ministack deletes a message whose batch answered with an unknown
itemIdentifier, polls delayed messages up to a second late, ignores the batching
window and batches above ten, and reads a MaximumConcurrency from CloudFormation
as text. Here a mapping takes what its concurrency allows, wakes when the next
message becomes visible, and never touches the visibility a function set.

Source: Lambda Developer Guide, "Handling errors for an SQS event source in Lambda",
"Configuring scaling behavior for SQS event source mappings"; aws-facts, section 6.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_engine.context import CLIENT_CONTEXT, TENANT_ID, TRACE_HEADER
from local_engine.corrections import in_hand, lineage
from local_engine.corrections.batch_responses import failed_ids
from local_engine.runtime.lineage import longest
from local_engine.seams import Seam
from local_engine.switches import DELIVERIES

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

    type Message = dict[str, Any]

_LAMBDA_SVC = Seam("services.lambda_svc")
_SQS = Seam("services.sqs")
_RESPONSES = Seam("core.responses")

#: Concurrent batches of a mapping without MaximumConcurrency: where AWS starts.
_DEFAULT_CONCURRENCY = 5
_MAX_BATCH_BYTES = 6 * 1024 * 1024
_LONGEST_WAIT_S, _SHORTEST_WAIT_S = 1.0, 0.002
_FIRST_THROTTLE_WAIT_S, _LAST_THROTTLE_WAIT_S = 0.1, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapping:
    """An enabled mapping with the function and the queue it joins."""

    settings: dict[str, Any]
    function: dict[str, Any]
    queue: dict[str, Any]
    queue_url: str

    @property
    def id(self) -> str:
        return str(self.settings["UUID"])

    @property
    def concurrency(self) -> int:
        scaling = self.settings.get("ScalingConfig") or {}
        return (
            1
            if self.queue.get("is_fifo")
            else int(scaling.get("MaximumConcurrency") or _DEFAULT_CONCURRENCY)
        )


def apply(options: EngineOptions) -> None:
    """Poll queues ourselves; leave streams to ministack."""
    window_scale = options.time_scale

    def poll_loop() -> None:
        wake = _LAMBDA_SVC["_esm_wake"]
        while True:
            wake.clear()
            started = time.monotonic()
            next_at = _poll_queues(window_scale)
            if _has_streams():
                _LAMBDA_SVC["_poll_kinesis"]()
                _LAMBDA_SVC["_poll_dynamodb_streams"]()
            # Traffic may wake the loop without end: leave four fifths of a core.
            time.sleep(max(_SHORTEST_WAIT_S, 4 * (time.monotonic() - started)))
            wake.wait(min(_LONGEST_WAIT_S, max(0.0, next_at - time.time())))

    _LAMBDA_SVC.replace("_poll_loop", poll_loop)


def _has_streams() -> bool:
    mappings = _LAMBDA_SVC["_iter_all_esms"]()
    return any(":sqs:" not in settings.get("EventSourceArn", "") for _, _, settings in mappings)


def _poll_queues(window_scale: float) -> float:
    """Dispatch what every mapping may take; return when the next message is due."""
    next_at = math.inf
    for account, region, settings in _LAMBDA_SVC["_iter_all_esms"]():
        tokens = (
            (_LAMBDA_SVC["_request_account_id"], account),
            (_LAMBDA_SVC["_request_region"], region),
        )
        for variable, value in tokens:
            variable.set(value)
        mapping = _find_mapping(settings)
        if mapping is not None:
            next_at = min(next_at, _poll(mapping, window_scale))
    return next_at


def _find_mapping(settings: dict[str, Any]) -> _Mapping | None:
    arn = settings.get("EventSourceArn", "")
    if ":sqs:" not in arn or not settings.get("Enabled", True):
        return None
    function, _ = _LAMBDA_SVC["_get_func_record_for_qualifier"](
        settings["FunctionName"], settings.get("Qualifier")
    )
    queue_url = _SQS["_queue_url"](arn.rsplit(":", 1)[-1])
    queue = _SQS["_queues"].get(queue_url)
    if function is None or queue is None:
        return None
    return _Mapping(settings=settings, function=function, queue=queue, queue_url=queue_url)


def _poll(mapping: _Mapping, window_scale: float) -> float:
    """Dispatch batches up to the mapping's concurrency; return when to look again."""
    while _LAMBDA_SVC["_esm_inflight"].get(mapping.id, 0) < mapping.concurrency:
        _SQS["_expire_retained"](mapping.queue)
        _SQS["_dlq_sweep"](mapping.queue)
        now = time.time()
        size = int(mapping.settings.get("BatchSize", 10))
        messages = list(mapping.queue["messages"])
        times = (message["visible_at"] for message in messages)
        visible = list(itertools.islice((at for at in times if at <= now), size))
        if not visible:
            return min((message["visible_at"] for message in messages), default=math.inf)
        window_s = float(mapping.settings.get("MaximumBatchingWindowInSeconds") or 0) * window_scale
        if len(visible) < size and min(visible) + window_s > now:
            return float(min(visible) + window_s)
        batch = _receive(mapping, size)
        if batch:
            _LAMBDA_SVC["_dispatch_esm_batch"](mapping.id, _run_batch, mapping, batch)
            if (after_s := DELIVERIES.draw_s()) is not None:
                copy = [dict(message) for message in batch]
                _LAMBDA_SVC["_dispatch_esm_batch"](mapping.id, _run_again, mapping, copy, after_s)
    # The end of a running batch wakes the loop.
    return math.inf


def _receive(mapping: _Mapping, size: int) -> list[Message]:
    """Receive a batch of at most 6 MB; what is over it stays visible."""
    timeout_s = int(mapping.queue["attributes"].get("VisibilityTimeout", "30"))
    if mapping.queue["is_fifo"]:
        received = _SQS["_collect_msgs"](mapping.queue, size, timeout_s)
    else:
        received = in_hand.collect(mapping.queue, size, timeout_s, _MAX_BATCH_BYTES)
    # Copies: a later receive changes the handle of the stored message.
    return [dict(message) for message in received]


def _run_again(mapping: _Mapping, batch: list[Message], after_s: float) -> None:
    """Invoke the function with a batch that it had already."""
    time.sleep(after_s)
    _run_batch(mapping, batch)


def _run_batch(mapping: _Mapping, batch: list[Message]) -> None:
    """Invoke the function with a batch and delete what it dealt with."""
    CLIENT_CONTEXT.set("")
    TENANT_ID.set("")
    TRACE_HEADER.set(_trace_header(batch))
    arn = mapping.settings["EventSourceArn"]
    records = [_make_record(message, arn) for message in batch]
    wanted = _LAMBDA_SVC["_apply_filter_criteria"](records, mapping.settings)
    kept_ids = {record["messageId"] for record in wanted}
    _delete(mapping, [message for message in batch if message["id"] not in kept_ids])
    batch = [message for message in batch if message["id"] in kept_ids]
    if not batch:
        return
    if lineage.is_refused(mapping.function, TRACE_HEADER.get()):
        lineage.count_refusal(mapping.settings["FunctionName"])
        mapping.settings["LastProcessingResult"] = "PROBLEM: Recursive loop detected"
        return
    result = _invoke(mapping, {"Records": wanted}, batch)
    failed = {message["id"] for message in batch}
    if not result.get("error"):
        reports = "ReportBatchItemFailures" in (mapping.settings.get("FunctionResponseTypes") or [])
        failed = failed_ids(result.get("body"), failed) if reports else set()
    _delete(mapping, [message for message in batch if message["id"] not in failed])
    mapping.settings["LastProcessingResult"] = (
        "OK" if not failed else f"PROBLEM: {len(failed)} of {len(batch)} records failed"
    )


def _invoke(mapping: _Mapping, event: object, batch: list[Message]) -> dict[str, Any]:
    """Invoke, and on throttling again until the messages become visible."""
    deadline = min(message["visible_at"] for message in batch)
    wait_s = _FIRST_THROTTLE_WAIT_S
    while True:
        result: dict[str, Any] = _LAMBDA_SVC["_execute_function"](mapping.function, event)
        if not result.get("throttle") or time.time() + wait_s > deadline:
            return result
        time.sleep(wait_s)
        wait_s = min(_LAST_THROTTLE_WAIT_S, wait_s * 2)


def _delete(mapping: _Mapping, messages: list[Message]) -> None:
    if messages:
        _SQS["_delete_messages_for_esm"](
            mapping.queue_url, {message["receipt_handle"] for message in messages}
        )


def _trace_header(batch: list[Message]) -> str:
    """Return the trace header of the batch's longest chain; AWS documents no choice."""
    headers = [str((message.get("sys") or {}).get("AWSTraceHeader", "")) for message in batch]
    return max(headers, key=longest)


def _make_record(message: Message, arn: str) -> dict[str, Any]:
    attributes = _LAMBDA_SVC["_sqs_message_attributes_to_camel_case"]
    return {
        "messageId": message["id"],
        "receiptHandle": message["receipt_handle"],
        "body": message["body"],
        "attributes": _SQS["_build_sys_attrs"](message, ["All"]),
        "messageAttributes": attributes(message.get("message_attributes") or {}),
        "md5OfBody": message["md5_body"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": _RESPONSES["get_region"](),
    }
