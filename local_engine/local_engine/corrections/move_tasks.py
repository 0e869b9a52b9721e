"""Add SQS's dead-letter operations: move tasks, and the sources of a dead-letter queue.

Stock ministack lacks StartMessageMoveTask, ListMessageMoveTasks,
CancelMessageMoveTask and ListDeadLetterSourceQueues.

Source: botocore 1.44.5 sqs model; SQS API Reference, StartMessageMoveTask.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_engine.corrections import in_hand
from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_SQS = Seam("services.sqs")
_MAX_RATE = 500


@dataclass(slots=True, kw_only=True)
class _Task:
    """One move task of a dead-letter queue."""

    source_arn: str
    destination_arn: str | None
    rate: int | None
    to_move: int
    handle: str = field(default_factory=lambda: uuid.uuid4().hex)
    started_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    moved: int = 0
    status: str = "RUNNING"
    cancelled: threading.Event = field(default_factory=threading.Event)

    def describe(self) -> dict[str, Any]:
        """Return the task as ListMessageMoveTasks shows it."""
        shown: dict[str, Any] = {
            "Status": self.status,
            "SourceArn": self.source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": self.started_ms,
        }
        if self.destination_arn:
            shown["DestinationArn"] = self.destination_arn
        if self.rate:
            shown["MaxNumberOfMessagesPerSecond"] = self.rate
        if self.status == "RUNNING":
            shown["TaskHandle"] = self.handle
        return shown


_tasks: dict[str, list[_Task]] = {}


def apply(_options: EngineOptions) -> None:
    """Add the operations to the dispatch table."""
    _SQS.add_entry("_HANDLERS", "StartMessageMoveTask", _start)
    _SQS.add_entry("_HANDLERS", "ListMessageMoveTasks", _list)
    _SQS.add_entry("_HANDLERS", "CancelMessageMoveTask", _cancel)
    _SQS.add_entry("_HANDLERS", "ListDeadLetterSourceQueues", _list_sources)


def _sources(arn: str) -> list[dict[str, Any]]:
    """Return the queues whose redrive policy names the queue."""
    found = []
    for queue in _SQS["_queues"].values():
        policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
        if policy.get("deadLetterTargetArn") == arn:
            found.append(queue)
    return found


def _find(arn: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = _SQS["_queue_by_arn"](arn)
    if queue is None:
        raise _SQS["_Err"](
            "ResourceNotFoundException", "The resource that you specified doesn't exist.", 404
        )
    return queue


def _start(data: dict[str, Any], _url: str) -> dict[str, Any]:
    source_arn, destination_arn = data["SourceArn"], data.get("DestinationArn")
    source = _find(source_arn)
    if not _sources(source_arn):
        raise _SQS["_Err"](
            "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."
        )
    if destination_arn:
        _find(destination_arn)
    rate = data.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 0 < int(rate) <= _MAX_RATE:
        message = "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: 1 to 500."
        raise _SQS["_Err"]("InvalidParameterValue", message)
    tasks = _tasks.setdefault(source_arn, [])
    if any(task.status == "RUNNING" for task in tasks):
        raise _SQS["_Err"](
            "UnsupportedOperation",
            "There is already a task running. Only one active task is allowed.",
        )
    task = _Task(
        source_arn=source_arn,
        destination_arn=destination_arn,
        rate=int(rate) if rate else None,
        to_move=len(source["messages"]),
    )
    tasks.append(task)
    scope = contextvars.copy_context()
    threading.Thread(target=scope.run, args=(_move, task, source), daemon=True).start()
    return {"TaskHandle": task.handle}


def _move(task: _Task, source: dict[str, Any]) -> None:
    """Move the messages that are visible now, as new messages of the destination."""
    try:
        for message in list(source["messages"]):
            if task.cancelled.wait(1 / task.rate if task.rate else 0):
                task.status = "CANCELLED"
                return
            origin = (message.get("sys") or {}).get("DeadLetterQueueSourceArn")
            arn = task.destination_arn or origin or _only_source(task.source_arn)
            _move_one(message, source, _find(arn))
            task.moved += 1
        task.status = "COMPLETED"
    except _SQS["_Err"]:
        task.status = "FAILED"


def _only_source(arn: str) -> str:
    return str(_sources(arn)[0]["attributes"]["QueueArn"])


def _move_one(message: dict[str, Any], source: dict[str, Any], target: dict[str, Any]) -> None:
    now = time.time()
    system = {k: v for k, v in message.get("sys", {}).items() if k != "DeadLetterQueueSourceArn"}
    moved = {
        **message,
        "id": str(uuid.uuid4()),
        "receipt_handle": None,
        "receive_count": 0,
        "first_receive_at": None,
        "sent_at": now,
        "visible_at": now,
        "sys": {**system, "SentTimestamp": str(int(now * 1000))},
    }
    in_hand.remove(source, [message])
    target["messages"].append(moved)
    _SQS["esm_wake"].set()


def _list(data: dict[str, Any], _url: str) -> dict[str, Any]:
    _find(data["SourceArn"])
    tasks = reversed(_tasks.get(data["SourceArn"], []))
    limit = min(int(data.get("MaxResults") or 1), 10)
    return {"Results": [task.describe() for task in tasks][:limit]}


def _cancel(data: dict[str, Any], _url: str) -> dict[str, Any]:
    for task in (task for tasks in _tasks.values() for task in tasks):
        if task.handle == data["TaskHandle"] and task.status == "RUNNING":
            task.cancelled.set()
            return {"ApproximateNumberOfMessagesMoved": task.moved}
    raise _SQS["_Err"](
        "ResourceNotFoundException", "The resource that you specified doesn't exist.", 404
    )


def _list_sources(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    queue = _SQS["_get_q"](data.get("QueueUrl", queue_url))
    found = _sources(queue["attributes"]["QueueArn"])
    names = [source["attributes"]["QueueArn"].rsplit(":", 1)[-1] for source in found]
    return {"queueUrls": [_SQS["_queue_url"](name) for name in names]}
