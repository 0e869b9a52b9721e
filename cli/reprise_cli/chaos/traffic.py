"""Drive live traffic against the target itself: paced, and never waiting for an answer."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.chaos.live import LiveCall, LiveEnd, arrivals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient

    from reprise.ports import Clock

MAX_AT_ONCE: Final = 128
"""Live calls on their way; beyond that the load would be no open loop, and its target is hopeless."""
_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTraffic:
    """Live calls of the target, by whom the pipeline does not know."""

    calls: LambdaClient
    """Client that does not retry: a throttle is to be seen."""
    function: str
    run: str
    """Name of their receipts."""
    rate_per_s: float
    work_ms: int
    clock: Clock
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """Of all phases: a number names one call, and so its receipts."""
    pause: Callable[[threading.Event, float], bool] = field(default=threading.Event.wait)
    """Waits on an event for some seconds at most."""

    @contextmanager
    def flowing(self) -> Iterator[list[LiveCall]]:
        """Let traffic flow inside; the list has all of its calls once it has ended."""
        done: list[LiveCall] = []
        stop = threading.Event()
        pacer = threading.Thread(target=self._pace, args=(stop, done), name="live", daemon=True)
        pacer.start()
        try:
            yield done
        finally:
            stop.set()
            pacer.join()

    def _pace(self, stop: threading.Event, done: list[LiveCall]) -> None:
        began_s = time.monotonic()
        with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="live") as pool:
            for at_s in arrivals(self.rate_per_s, _SEED):
                if self.pause(stop, max(0.0, at_s - (time.monotonic() - began_s))):
                    return
                pool.submit(self._call, next(self._numbers), done)

    def _call(self, number: int, done: list[LiveCall]) -> None:
        payload = {"run": self.run, "call": number, "behaviour": "ok", "work_ms": self.work_ms}
        started_at = self.clock()
        try:
            answer = self.calls.invoke(
                FunctionName=self.function, Payload=json.dumps(payload).encode()
            )
            answer["Payload"].read()
            end = LiveEnd.FAILED if answer.get("FunctionError") else LiveEnd.ANSWERED
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            is_throttle = code == "TooManyRequestsException"
            end = LiveEnd.THROTTLED if is_throttle else LiveEnd.FAILED
        except BotoCoreError:
            end = LiveEnd.FAILED
        done.append(LiveCall(number=number, started_at=started_at, end=end))
