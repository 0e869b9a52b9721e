"""Restore the recursion guard for chains that pass through the real runtime.

Stock ministack counts hops in a header of its own, which only its own Python
worker sets. Here the count travels as AWS's does, in the trace header that boto3
forwards, so a chain is followed through Lambda, SQS and S3, and
``RecursiveLoop: Allow`` lets it go on.

Source: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent
infinite loops"; aws-facts, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.context import TRACE_HEADER
from local_engine.runtime.lineage import MAX_CHAIN_LENGTH, count, next_hop
from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_LAMBDA_SVC = Seam("services.lambda_svc")
_SQS = Seam("services.sqs")
_CLOUDWATCH = Seam("services.cloudwatch")


def apply(_options: EngineOptions) -> None:
    """Count by lineage, and hand every invocation its trace header."""
    stock_drop = _LAMBDA_SVC["_recursive_loop_drop"]

    def drop(name: str, func: dict[str, Any], _depth: int) -> object:
        hops = count(TRACE_HEADER.get(), func["config"]["FunctionArn"]) + 1
        return stock_drop(name, func, max(1, hops))

    def trace_id(config: dict[str, Any], _inbound: str | None = None) -> str:
        return next_hop(TRACE_HEADER.get(), config["FunctionArn"])

    stock_attributes = _SQS["_build_send_sys_attrs"]
    stock_fields = _SQS["_ensure_msg_fields"]

    def send_attributes(now: float, given: dict[str, Any]) -> dict[str, Any]:
        attributes: dict[str, Any] = stock_attributes(now, given)
        if TRACE_HEADER.get():
            attributes.setdefault("AWSTraceHeader", TRACE_HEADER.get())
        return attributes

    def message_fields(message: dict[str, Any]) -> None:
        # A message without system attributes is one that S3 or SNS just made.
        is_new = "sys" not in message
        stock_fields(message)
        if is_new and TRACE_HEADER.get():
            message["sys"]["AWSTraceHeader"] = TRACE_HEADER.get()

    _SQS.replace("_build_send_sys_attrs", send_attributes)
    _SQS.replace("_ensure_msg_fields", message_fields)
    _LAMBDA_SVC.replace("_recursive_loop_drop", drop)
    _LAMBDA_SVC.replace("_xray_trace_id_for_invocation", trace_id)


def is_refused(func: dict[str, Any], trace_header: str) -> bool:
    """Tell whether Lambda refuses an event source's invocation as a loop."""
    if (func.get("recursive_loop") or "Terminate") == "Allow":
        return False
    return count(trace_header, func["config"]["FunctionArn"]) >= MAX_CHAIN_LENGTH


def count_refusal(function_name: str) -> None:
    """Count an event source's refused invocation as Lambda does."""
    dimensions = {"FunctionName": function_name}
    _CLOUDWATCH["record_metric"](
        "AWS/Lambda", "RecursiveInvocationsDropped", 1, "Count", dimensions
    )
