"""Messages of queues, received, hidden and taken out; no correction itself.

Whoever looks through 100,000 letters holds them all, and gives each back by its handle. So a message is found
by its handle, and those that are known to be hidden are not looked at again: else each request would search
them all.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    type Queue = dict[str, Any]
    type Message = dict[str, Any]

MOST_RECEIVED = "reprise_most_received"
"""Key of a standard queue: how often the message of it that was received most often was received."""
_HIDDEN = "reprise_hidden"
"""Key of a standard queue: how many messages in front are hidden, and until when each of them is."""

_SQS = Seam("services.sqs")

#: Held by whoever takes messages out of a list; appending needs no lock.
lock = threading.RLock()
_received: dict[str, tuple[Queue, Message]] = {}
"""Messages of standard queues by the handle that they were received with last."""


def collect(
    queue: Queue, count: int, timeout_s: float, limit_bytes: float = math.inf
) -> list[Message]:
    """Receive up to ``count`` visible messages of a standard queue, oldest first."""
    found: list[Message] = []
    size = 0
    with lock:
        now, stored = time.time(), queue["messages"]
        place, until = queue.get(_HIDDEN, (0, math.inf))
        if until <= now:
            place, until = 0, math.inf
        while place < len(stored) and len(found) < count:
            message = stored[place]
            if message.get("visible_at", now) <= now:
                size += len(message["body"])
                if found and size > limit_bytes:
                    break
                _take(queue, message, now, timeout_s)
                found.append(message)
            until = min(until, message["visible_at"])
            place += 1
        queue[_HIDDEN] = (place, until)
    return found


def _take(queue: Queue, message: Message, now: float, timeout_s: float) -> None:
    _SQS["_ensure_msg_fields"](message)
    _received.pop(message["receipt_handle"], None)
    message["receipt_handle"] = str(uuid.uuid4())
    _received[message["receipt_handle"]] = (queue, message)
    message["visible_at"] = now + timeout_s
    message["receive_count"] += 1
    message["first_receive_at"] = message["first_receive_at"] or now
    queue[MOST_RECEIVED] = max(queue.get(MOST_RECEIVED, 0), message["receive_count"])


def hide(queue: Queue, message: Message, until: float) -> None:
    """Hide a message until then."""
    with lock:
        message["visible_at"] = until
        place, first = queue.get(_HIDDEN, (0, math.inf))
        queue[_HIDDEN] = (place, min(first, until))


def message_of(queue: Queue, handle: str) -> Message | None:
    """Return the message of a queue that was received last with a handle, if it is still there."""
    of, message = _received.get(handle, (None, None))
    if of is queue:
        return message
    # Of a FIFO queue, or received before the engine was started.
    return next((m for m in queue["messages"] if m.get("receipt_handle") == handle), None)


def remove(queue: Queue, messages: list[Message]) -> None:
    """Take messages out of a queue without disturbing those that arrive meanwhile."""
    gone = {id(message) for message in messages}
    if not gone:
        return
    with lock:
        for message in messages:
            _received.pop(message.get("receipt_handle") or "", None)
        stored = queue["messages"]
        hidden, until = queue.get(_HIDDEN, (0, math.inf))
        # From the oldest on: what is taken out was mostly received, and so stands in front.
        place = 0
        while gone and place < len(stored):
            if id(stored[place]) in gone:
                gone.remove(id(stored[place]))
                del stored[place]
                hidden -= place < hidden
            else:
                place += 1
        queue[_HIDDEN] = (hidden, until)


def delete_by_handles(queue_url: str, receipt_handles: set[str]) -> None:
    """Delete the messages that were received with these handles."""
    queue = _SQS["_get_q"](queue_url)
    with lock:
        found = (message_of(queue, handle) for handle in receipt_handles)
        remove(queue, [message for message in found if message is not None])


def forget(queue: Queue) -> None:
    """Know nothing of a queue's messages any more: they are about to go."""
    for message in queue["messages"]:
        _received.pop(message.get("receipt_handle") or "", None)
    queue.pop(_HIDDEN, None)
