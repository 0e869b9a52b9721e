"""What a request that is none of the table's may do to queues and target, worked out once a process."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exploration.store import ERROR, Numbers
from exploration.tape import TICK_S, Answer, Request
from harness import envelope, notification

if TYPE_CHECKING:
    from collections.abc import Collection

    from exploration.roles import AddressedObjects, Start
    from exploration.store import Table

QUEUE_OF: Final = {"replayer": "replays", "unpacker": "captures"}
"""Where the messages of a role come from, and go back to."""


class Process(NamedTuple):
    """A process that is suspended."""

    start: Start
    answers: tuple[tuple[Answer, int], ...]
    request: Request
    may_crash: bool
    """Whether it may have changed something since it could crash last: else that is the same crash."""


class Effect(NamedTuple):
    """One way for a request to end."""

    how: str
    bound: str
    """The bound that it is taken from, if any."""
    answer: int
    queue: str = ""
    sent: tuple[tuple[int, int], ...] = ()
    """For how many ticks, and the number of its body, of each message."""
    is_new: bool = False
    """Whether they are sent, and not given back."""
    taken: tuple[int, ...] = ()
    """Letters, or messages of the queue, that are deleted."""


class Effects:
    """Works out effects."""

    def __init__(self, table: Table, objects: AddressedObjects) -> None:
        self._table = table
        self._objects = objects
        self.texts: Numbers[str] = Numbers()

    def text(self, body: str, copy: int = 0) -> int:
        """Return the number of a message: two of the same body may be there at once, as two copies."""
        return self.texts.of(body, (body, copy))

    def unlike(self, text: int, there: Collection[int]) -> int:
        """Return the number of a message with the body of another one, which is not there yet."""
        if text not in there:
            return text
        body = self.texts.values[text]
        numbers = (self.text(body, copy) for copy in range(len(there) + 1))
        return next(number for number in numbers if number not in there)

    def of(self, process: Process) -> tuple[Effect, ...]:
        """Return how a process's request may end."""
        kind, name, body = process.request
        ok, error = self._table.answer(Answer("ok")), self._table.answer(ERROR)
        match kind:
            case "invoke":
                return self._invoked()
            case "send":
                sent = tuple(
                    (math.ceil(delay_s / TICK_S), self.text(text))
                    for text, delay_s in json.loads(body)
                )
                effects = (
                    Effect("", "", ok, name, sent, is_new=True),
                    Effect("refused", "faults", error),
                    Effect("lost answer", "faults", error, name, sent, is_new=True),
                    Effect("in part", "faults", error, name, sent[:1], is_new=True),
                )
                return effects if len(sent) > 1 else effects[:3]
            case "delete":
                taken = tuple(self.text(text) for text in json.loads(body))
                return (Effect("", "", ok, taken=taken), Effect("refused", "faults", error))
            case "line":
                text = self.capture(f"captured/live/{process.start.name}.gz", [json.loads(body)])
                return (Effect("", "", ok, "captures", ((0, text),), is_new=True),)
            case "depth":
                return (Effect("", "", self._table.answer(Answer("ok", 0))),)
            case _:
                return (self.kept(process, json.loads(body) or {}, ok),)

    def _invoked(self) -> tuple[Effect, ...]:
        number = {
            reply: self._table.answer(Answer("ok", reply))
            for reply in ("ok", "unknown", "failed", "throttled")
        }
        return (
            Effect("", "", number["ok"]),
            Effect("lost answer", "faults", number["unknown"]),
            Effect("refused", "faults", number["unknown"]),
            Effect("failed", "failures", number["failed"]),
            Effect("throttled", "failures", number["throttled"]),
        )

    def kept(self, process: Process, waits_s: dict[str, Any], answer: int) -> Effect:
        """Return that a process's messages come again after their waits, or have served if there is none."""
        given = [(waits_s.get(f"m{i}"), text) for i, text in enumerate(process.start.held)]
        sent = tuple(
            (math.ceil(wait_s / TICK_S), text) for wait_s, text in given if wait_s is not None
        )
        taken = tuple(text for wait_s, text in given if wait_s is None)
        return Effect("", "", answer, QUEUE_OF.get(process.start.role, ""), sent, taken=taken)

    def expired(self, process: Process) -> Effect:
        """Return that what a process holds can be received again, now."""
        if process.start.role not in QUEUE_OF:
            return Effect("", "", 0)
        return self.kept(process, {f"m{i}": 0.0 for i in range(len(process.start.held))}, 0)

    def crashed(self, process: Process) -> Effect:
        """Return that a process is no more: what it held comes again after a tick."""
        effect = self.expired(process)
        return effect._replace(sent=tuple((1, text) for _, text in effect.sent))

    def capture(self, key: str, lines: list[str]) -> int:
        """Store lines as one object; return the number of its notification's body."""
        kept = self._objects.put(key, b"".join(envelope(line) for line in lines))
        notice = json.loads(notification(key))
        notice["Records"][0]["s3"]["object"]["versionId"] = kept.version_id
        return self.text(json.dumps(notice))
