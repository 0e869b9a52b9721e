"""Run the product's own code one request at a time: from its beginning, on the answers that it had so far.

A process is what it was given, and a tape of answers. To find what it does next its code is run on the tape
until it makes a request that has no answer yet; there it is suspended, and thrown away. So a process can be
copied, hashed, and continued in several ways, as no thread can.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.exceptions import ClientError

from doubles import FakeClock
from reprise.errors import StoreError
from reprise.testing import START_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from reprise.call.target import Target
    from reprise.ports import OutMessage, Reply
    from reprise_letters.letter import Letter

TICK_S: Final = 300
"""One tick: longer than any lease, backoff, probe's gap and visibility timeout of the world."""


EVERY_TARGET_KEY: Final = {"id": {"S": "gate#*"}}
"""Of the item that notes throttles of the whole account: there are none here, and no step is spent on it."""


class Request(NamedTuple):
    """What a process asks of the world: one step."""

    kind: str
    """`dynamodb`, `send`, `invoke`, `line`, `delete`; or `end`, which says what becomes of its messages."""
    name: str
    """Operation, or queue."""
    body: str
    """JSON."""


class Answer(NamedTuple):
    """What the world says."""

    kind: str
    """`ok`, `condition` (a condition failed), or `error` (refused, or lost on its way)."""
    value: Any = None


class Suspended(BaseException):
    """The code has come to a request that has no answer yet."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class Tape:
    """The answers that a process has had, each with the tick at which it came."""

    def __init__(self, start: int, answers: Sequence[tuple[Answer, int]]) -> None:
        self.tick = start
        self._answers = answers
        self._at = 0

    def ask(self, kind: str, name: str, body: object) -> Answer:
        """Return the next answer.

        Raises:
            Suspended: If there is none yet.
        """
        if self._at == len(self._answers):
            raise Suspended(Request(kind, name, json.dumps(body, separators=(",", ":"))))
        answer, self.tick = self._answers[self._at]
        self._at += 1
        return answer


class TapeClock(FakeClock):
    """Tells the time of the last answer."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    @property
    def now(self) -> datetime:  # type: ignore[override] # it cannot be set
        return START_AT + timedelta(seconds=TICK_S * self._tape.tick)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


class TapeClient:
    """DynamoDB's client; `plant` may change what is asked, as a defect of the product would."""

    def __init__(self, tape: Tape, plant: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._tape = tape
        self._plant = plant

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def asked(**request: Any) -> dict[str, Any]:
            if request.get("Key") == EVERY_TARGET_KEY:
                return {}
            answer = self._tape.ask("dynamodb", operation, self._plant(request))
            if answer.kind == "ok":
                return cast("dict[str, Any]", answer.value)
            raise ClientError(answer.value, operation)

        return asked


class TapeQueue:
    """A queue to send to; what is given back is part of how its process ends."""

    def __init__(self, tape: Tape, name: str) -> None:
        self._tape = tape
        self._name = name
        self.waits_s: dict[str, float] = {}

    def send(self, messages: Sequence[OutMessage]) -> None:
        bodies = [[message.body, message.delay_s] for message in messages]
        if self._tape.ask("send", self._name, bodies).kind != "ok":
            raise StoreError("explored", "SendMessage", "InternalServerError", "refused, or lost")

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        self.waits_s |= waits_s

    def depth(self) -> int:
        return cast("int", self._tape.ask("depth", self._name, "").value)


class TapeLetters:
    """The dead-letter queue, as an operator deletes from it."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        answer = self._tape.ask("delete", "letters", [letter.body for letter in letters])
        return [] if answer.kind == "ok" else list(letters)


class TapeFunctions:
    """The target."""

    def __init__(self, tape: Tape, replies: Mapping[str, Reply]) -> None:
        self._tape = tape
        self._replies = replies

    def invoke(self, target: Target, payload: bytes, *_: object) -> Reply:
        return self._replies[self._tape.ask("invoke", target.name, payload.decode()).value]


class Lane:
    """A lane of a batch that has run, in place of a `Future`."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class InTurn:
    """Runs the lanes of a batch one after the other: those of two replayers stand for two of one."""

    def __init__(self, _most: int = 0) -> None:
        pass

    def __enter__(self) -> InTurn:  # noqa: PYI034 - nobody inherits from it
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *given: object) -> Lane:
        return Lane(work(*given))


def wait_for_none(lanes: set[Future[Any]], *_: object) -> tuple[set[Any], set[Any]]:
    """Return all lanes as ended."""
    return set(lanes), set()
