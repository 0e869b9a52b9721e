"""Drive the calls of a chaos test through the invoker, many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event, Lock
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.chaos.call import AnswerKind, Call, CallAnswer
from reprise_cli.chaos.history import History
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from reprise_cli.calling import InvokerAnswer


class CallEndpoint(Protocol):
    """The front door of calls."""

    def call(self, request: Mapping[str, Any], /) -> InvokerAnswer:
        """Make one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What every call of a test has in common."""

    run: str
    """Name of the test; the receipts' key."""
    target: str
    work_ms: int = 0
    has_keys: bool = False
    """Whether each call has an idempotency key of its own."""

    def request(self, call: Call) -> dict[str, Any]:
        """Return what the invoker is asked for a call; the same every time."""
        key = {"IdempotencyKey": f"{self.run}-{call.number}"} if self.has_keys else {}
        payload = call.payload(self.run, self.work_ms)
        return {"FunctionName": self.target, "Payload": payload, **key}


def refusal(error: Exception) -> str | None:
    """Return Lambda's reason for a 429; None if the error is another."""
    if not isinstance(error, ClientError):
        return None
    response: Mapping[str, Any] = error.response
    if response.get("Error", {}).get("Code") != "TooManyRequestsException":
        return None
    return str(response.get("Reason") or "TooManyRequestsException")


class Load:
    """Calls on their way."""

    def __init__(
        self,
        door: CallEndpoint,
        script: Script,
        concurrency: int,
        history: History | None = None,
    ) -> None:
        """Send calls through this door."""
        self._door = door
        self._history = history or History()
        self.script = script
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="chaos")
        self._stop = Event()
        self._lock = Lock()
        self._answers: list[CallAnswer] = []
        self._futures: list[Future[None]] = []

    def start(self, calls: Sequence[Call]) -> None:
        """Begin to make calls, in their order."""
        self._futures = [self._pool.submit(self._make, call) for call in calls]

    @property
    def is_done(self) -> bool:
        """Tell whether every call has been made."""
        return all(future.done() for future in self._futures)

    @property
    def answers(self) -> list[CallAnswer]:
        """Return the answers so far."""
        with self._lock:
            return list(self._answers)

    def stop(self) -> None:
        """Make no more calls, and wait for those on their way."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _make(self, call: Call) -> None:
        if self._stop.is_set():
            return
        self._history.called(call)
        answer = self._ask(call)
        self._history.answered(answer)
        with self._lock:
            self._answers.append(answer)

    def _ask(self, call: Call) -> CallAnswer:
        try:
            answer = self._door.call(self.script.request(call))
        except (ClientError, BotoCoreError, CommandError) as error:
            reason = refusal(error)
            if reason is not None:
                return CallAnswer(call=call, kind=AnswerKind.REFUSED, problem=reason)
            return CallAnswer(call=call, kind=AnswerKind.FAILED, problem=str(error))
        if answer.call_id is not None:
            return CallAnswer(call=call, kind=AnswerKind.CAPTURED, call_id=answer.call_id)
        if answer.status == HTTPStatus.OK:
            return CallAnswer(call=call, kind=AnswerKind.DIRECT)
        problem = str(answer.document.get("error") or answer.document)
        return CallAnswer(call=call, kind=AnswerKind.FAILED, problem=problem[:300])
