"""Restore SQS's limits and its promise not to lose a message under concurrency.

Stock ministack rebuilds a queue's list on every delete while other threads append
to the old one, takes any DelaySeconds and any visibility timeout, counts only the
body towards the message size, and refuses to delete a message twice.

Source: botocore 1.44.5 sqs model; SQS Developer Guide, "Amazon SQS message quotas";
SQS API Reference, DeleteMessage, ChangeMessageVisibility.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from local_engine.corrections.in_hand import (
    MOST_RECEIVED,
    collect,
    delete_by_handles,
    forget,
    hide,
    lock,
    message_of,
    remove,
)
from local_engine.corrections.message_checks import check_in_flight, check_message, visibility_s
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.options import EngineOptions

    type Queue = dict[str, Any]
    type Message = dict[str, Any]

_EXPIRY_CHECK_S = 1.0

_SQS = Seam("services.sqs")


def apply(_options: EngineOptions) -> None:
    """Take messages out in place under one lock, and check what is sent."""
    for name, function in (
        ("_collect_msgs", _with_order(_SQS["_collect_msgs"])),
        ("_expire_retained", _expire_retained),
        ("_dlq_sweep", _sweep_to_dead_letters),
        ("_delete_messages_for_esm", delete_by_handles),
    ):
        _SQS.replace(name, function)
    send, purge = _SQS["_act_send_message"], _SQS["_act_purge_queue"]

    def send_message(data: dict[str, Any], queue_url: str) -> Any:
        check_message(data)
        return send(data, queue_url)

    def purge_queue(data: dict[str, Any], queue_url: str) -> Any:
        with lock:
            forget(_SQS["_get_q"](data.get("QueueUrl", queue_url)))
            return purge(data, queue_url)

    actions: dict[str, Callable[..., Any]] = {
        "SendMessage": send_message,
        "DeleteMessage": _delete_message,
        "DeleteMessageBatch": _for_each(_delete_message, "DeleteMessageBatchRequestEntry"),
        "ChangeMessageVisibility": _change_visibility,
        "ChangeMessageVisibilityBatch": _for_each(
            _change_visibility, "ChangeMessageVisibilityBatchRequestEntry"
        ),
        "PurgeQueue": purge_queue,
    }
    for action, handler in actions.items():
        _SQS.replace_entry("_HANDLERS", action, handler)
    # SendMessageBatch calls the single action by name.
    _SQS.replace("_act_send_message", send_message)


def _with_order(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Leave FIFO queues to ministack, which keeps the order of groups."""

    def collect_messages(queue: Queue, count: int, timeout_s: int) -> Any:
        if not queue["is_fifo"]:
            return collect(queue, count, timeout_s)
        with lock:
            return stock(queue, count, timeout_s)

    return collect_messages


def _expire_retained(queue: Queue) -> None:
    """Drop messages past the retention period; looked for once a second and queue."""
    now = time.time()
    if now - queue.get("reprise_expiry_at", 0.0) < _EXPIRY_CHECK_S:
        return
    queue["reprise_expiry_at"] = now
    oldest = now - int(queue["attributes"].get("MessageRetentionPeriod", "345600"))
    with lock:
        stored = queue["messages"]
        remove(queue, [m for m in stored if m.get("enqueued_at", m["sent_at"]) <= oldest])


def _sweep_to_dead_letters(queue: Queue) -> None:
    """Move messages that were received maxReceiveCount times and came back."""
    policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
    target = policy and _SQS["_queue_by_arn"](policy["deadLetterTargetArn"])
    if not target:
        return
    limit, now = int(policy["maxReceiveCount"]), time.time()
    if not queue["is_fifo"] and queue.get(MOST_RECEIVED, 0) < limit:
        return
    with lock:
        spent = [
            message
            for message in queue["messages"]
            if message.get("receive_count", 0) >= limit and message["visible_at"] <= now
        ]
        for message in spent:
            system = dict(message.get("sys") or {})
            system.setdefault("DeadLetterQueueSourceArn", queue["attributes"]["QueueArn"])
            # Standard queues keep the enqueue time; FIFO queues start it anew.
            enqueued = {"enqueued_at": now} if target.get("is_fifo") else {}
            moved = {"receipt_handle": None, "visible_at": now, "sys": system, **enqueued}
            target["messages"].append({**message, **moved})
        remove(queue, spent)
    if spent:
        _SQS["esm_wake"].set()


def _delete_message(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    """Delete by handle; one that was used already is no error, a malformed one is."""
    url = data.get("QueueUrl", queue_url)
    _SQS["_get_q"](url, "sqs:DeleteMessage")
    handle = data.get("ReceiptHandle") or ""
    try:
        uuid.UUID(handle)
    except ValueError as error:
        raise _SQS["_Err"](
            "ReceiptHandleIsInvalid", "The input receipt handle is invalid."
        ) from error
    delete_by_handles(url, {handle})
    return {}


def _change_visibility(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    """Hide a message that somebody holds for so long from now."""
    timeout_s = visibility_s(data)
    queue = _SQS["_get_q"](data.get("QueueUrl", queue_url), "sqs:ChangeMessageVisibility")
    with lock:
        message, now = message_of(queue, data.get("ReceiptHandle") or ""), time.time()
        if message is None:
            raise _SQS["_Err"]("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        check_in_flight(message, now)
        hide(queue, message, now + timeout_s)
    _SQS["esm_wake"].set()
    return {}


def _for_each(action: Callable[..., Any], entry_name: str) -> Callable[..., Any]:
    """Return the batch form of an action."""

    def batch(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
        url = data.get("QueueUrl", queue_url)
        entries = data.get("Entries", [])
        _SQS["_validate_batch_entries"](entries, entry_name)
        successful, failed = [], []
        for entry in entries:
            try:
                action({**entry, "QueueUrl": url}, url)
                successful.append({"Id": entry["Id"]})
            except _SQS["_Err"] as error:
                failed.append(
                    {
                        "Id": entry["Id"],
                        "Code": error.code,
                        "Message": error.message,
                        "SenderFault": True,
                    }
                )
        return {"Successful": successful, "Failed": failed}

    return batch
