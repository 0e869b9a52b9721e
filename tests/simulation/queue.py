"""A standard queue in simulated time: at least once, out of order, and with SQS's own limits, small ones.

Source: SQS developer guide, "Standard queues", "Visibility timeout", "Dead-letter queues", "Message quotas".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from reprise.ports import OutMessage

LONGEST_S: Final = 11 * 3600
"""As in the adapter: an hour below SQS's longest visibility timeout."""


@dataclass(slots=True)
class Message:
    """One message in a queue."""

    name: str
    body: str
    sent_at_s: float
    visible_at_s: float
    attributes: Mapping[str, str]
    receives: int = 0
    handle: str = ""
    """The most recent receipt handle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as a consumer gets it."""

    name: str
    handle: str
    body: str
    receive_count: int
    sent_at_s: float


@dataclass(slots=True, kw_only=True)
class SimulatedQueue:
    """A queue. Its limits are counted from an offset, so that large ones are soon met."""

    name: str
    now_s: Callable[[], float]
    random: Random
    is_met: Callable[[str], bool]
    """Tells whether a fault is met now."""
    report: Callable[[str, str], None]
    """Takes what must not happen: a kind, and what it was."""
    changed: Callable[[float], None] = lambda _: None
    """Told when something may become visible."""
    visibility_s: float = 60.0
    max_receives: float = math.inf
    receives_offset: int = 0
    retention_s: float = math.inf
    age_offset_s: float = 0.0
    in_flight_limit: int = 120_000
    overtaken: Callable[[], object] = lambda: None
    """Told when messages come in another order than they were sent."""
    messages: dict[str, Message] = field(default_factory=dict)
    sent: int = 0

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Send all messages, or some of them.

        Raises:
            StoreError: If some were not accepted.
        """
        left = 0
        for message in messages:
            if len(messages) > 1 and self.is_met("send in part"):
                left += 1
                continue
            self.sent += 1
            now_s = self.now_s()
            name = f"{self.name}-{self.sent}"
            due_s = now_s + message.delay_s
            self.messages[name] = Message(
                name, message.body, now_s, due_s, dict(message.attributes or {})
            )
            self.changed(due_s)
        if left:
            raise StoreError("simulated", "SendMessageBatch", "Failed", f"{left} not accepted")

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        for handle, wait_s in waits_s.items():
            message = self._held(handle)
            if message is None or self.is_met("ignore wait"):
                continue
            message.visible_at_s = self.now_s() + min(LONGEST_S, max(0, math.ceil(wait_s)))
            self.changed(message.visible_at_s)

    def depth(self) -> int:
        return len(self.messages)

    def delete(self, handle: str) -> None:
        message = self._held(handle)
        if message is not None and not self.is_met("keep deleted"):
            del self.messages[message.name]

    def receive(self, most: int) -> list[Received]:
        now_s = self.now_s()
        self._expire(now_s)
        ready = [message for message in self.messages.values() if message.visible_at_s <= now_s]
        room = self.in_flight_limit - self._in_flight(now_s)
        chosen = self.random.sample(ready, max(0, min(most, room, len(ready))))
        if any(later.sent_at_s < first.sent_at_s for first, later in pairwise(chosen)):
            self.overtaken()
        received: list[Received] = []
        for message in chosen:
            if message.receives + self.receives_offset >= self.max_receives:
                del self.messages[message.name]
                self.report("queue limit", f"{message.name} was received {message.receives} times")
                continue
            received.append(self._received(message))
            if self.is_met("twin"):
                received.append(self._received(message))
            message.visible_at_s = now_s + (0.05 if self.is_met("share") else self.visibility_s)
        return received

    def next_due_s(self) -> float:
        """Return when something may be received, later than now; infinity if nothing is there."""
        now_s = self.now_s()
        if self._in_flight(now_s) < self.in_flight_limit and any(
            message.visible_at_s <= now_s for message in self.messages.values()
        ):
            return now_s
        later = [m.visible_at_s for m in self.messages.values() if m.visible_at_s > now_s]
        return min(later, default=math.inf)

    def _in_flight(self, now_s: float) -> int:
        if len(self.messages) < self.in_flight_limit:
            return 0
        return sum(m.receives > 0 and m.visible_at_s > now_s for m in self.messages.values())

    def _received(self, message: Message) -> Received:
        message.receives += 1
        message.handle = f"{message.name}/{message.receives}"
        return Received(
            name=message.name,
            handle=message.handle,
            body=message.body,
            receive_count=message.receives + self.receives_offset,
            sent_at_s=message.sent_at_s - self.age_offset_s,
        )

    def _held(self, handle: str) -> Message | None:
        """Return the message of a receipt handle; one that is not the most recent may do nothing."""
        message = self.messages.get(handle.partition("/")[0])
        if message is None or (message.handle != handle and self.random.random() < 0.5):
            return None
        return message

    def _expire(self, now_s: float) -> None:
        for message in list(self.messages.values()):
            if now_s - message.sent_at_s + self.age_offset_s > self.retention_s:
                del self.messages[message.name]
                self.report("queue limit", f"{message.name} was kept for its whole retention")
