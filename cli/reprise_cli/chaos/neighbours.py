"""Fill the account: calls by others, as many at once as functions without a reservation may make."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.chaos.load import refusal
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda import LambdaClient

ACCOUNT_FULL: Final = "ConcurrentInvocationLimitExceeded"
"""Lambda API reference, Invoke: the reason of a 429 for the account's concurrency."""
_SPARE: Final = 2
"""Calls beyond the room: they take at once what another gives back."""
_AGAIN_S: Final = 0.01
_FULL_LIMIT_S: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Neighbours:
    """Calls of a function that nobody captures, one after the other."""

    calls: LambdaClient
    """Client that does not retry: its throttles say that the account is full."""
    function: str
    run: str
    """Name of their receipts."""
    room: int
    """Executions that the account has for functions without a reservation."""
    work_ms: int = 1000
    limit_s: float = _FULL_LIMIT_S
    """How long it may take to fill the account."""
    _stop: Event = field(default_factory=Event)
    _full: Event = field(default_factory=Event)
    _problem: str = ""

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Keep the account full inside.

        Raises:
            CommandError: If no call is refused for the account's concurrency within a minute.
        """
        many = self.room + _SPARE
        with ThreadPoolExecutor(many, thread_name_prefix="neighbour") as pool:
            try:
                for number in range(1, many + 1):
                    pool.submit(self._call_on, number)
                if not self._full.wait(self.limit_s):
                    raise CommandError(
                        "--account-limit",
                        f"{many} calls of {self.function} at once do not fill the account: "
                        f"{self._problem or 'all of them were answered'}",
                        "Look at the function's reserved concurrency and at its log",
                    )
                yield
            finally:
                self._stop.set()

    def _call_on(self, number: int) -> None:
        payload = {"run": self.run, "call": number, "behaviour": "ok", "work_ms": self.work_ms}
        body = json.dumps(payload).encode()
        while not self._stop.is_set():
            try:
                answer = self.calls.invoke(FunctionName=self.function, Payload=body)
                answer["Payload"].read()
            except (ClientError, BotoCoreError) as error:
                if refusal(error) == ACCOUNT_FULL:
                    self._full.set()
                else:
                    self._problem = str(error)
                self._stop.wait(_AGAIN_S)
