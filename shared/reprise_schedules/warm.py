"""Keep environments of functions warm, by pings that overlap.

The line in which Lambda reports an invocation tells what a ping took, and whether it was a cold start.
Source: Lambda Developer Guide, "Understanding Lambda log formats" (REPORT, and `platform.report` in JSON).
"""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta

from reprise import metric
from reprise.aws.functions import outcome_of
from reprise.call.outcome import OutcomeKind
from reprise.errors import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda import LambdaClient

    from reprise.ports import Meter

_REQUEST: Final = re.compile(r"\bREPORT RequestId: ([0-9A-Za-z-]+)")
_FIGURE: Final = re.compile(
    r"\b((?:[A-Z][A-Za-z]{0,15} ){0,3}[A-Z][A-Za-z]{0,15}): ([0-9.]+) (?:ms|MB)\b"
)
"""A figure and all words of its name: `Billed Restore Duration` ends as `Restore Duration` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationReport:
    """What Lambda reports of one invocation."""

    request_id: str
    billed_ms: float
    memory_mb: int
    init_ms: float | None = None
    """Set if it was a cold start: how long the environment took to start."""


def read_report(line: str) -> InvocationReport | None:
    """Return the report of a log line, as text or as JSON; None if the line is none."""
    text = line.strip()
    try:
        return _from_json(json.loads(text)) if text.startswith("{") else _from_text(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_text(text: str) -> InvocationReport | None:
    request = _REQUEST.search(text)
    if request is None:
        return None
    figures = {name: float(value) for name, value in _FIGURE.findall(text)}
    return InvocationReport(
        request_id=request[1],
        billed_ms=figures["Billed Duration"],
        memory_mb=int(figures["Memory Size"]),
        init_ms=figures.get("Init Duration", figures.get("Restore Duration")),
    )


def _from_json(document: dict[str, Any]) -> InvocationReport | None:
    if document.get("type") != "platform.report":
        return None
    record = document["record"]
    metrics = record["metrics"]
    init_ms = metrics.get("initDurationMs", metrics.get("restoreDurationMs"))
    return InvocationReport(
        request_id=str(record["requestId"]),
        billed_ms=float(metrics["billedDurationMs"]),
        memory_mb=int(metrics["memorySizeMB"]),
        init_ms=float(init_ms) if init_ms is not None else None,
    )


MAX_CONCURRENCY: Final = 50


class WarmOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event of a warm window."""

    functions: str
    """ARNs or names, separated by commas. The warmer's role bounds them."""
    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] = 1
    """Environments to keep warm per function: so many pings are on their way at once."""
    payload: dict[str, Any] = msgspec.field(default_factory=lambda: {"reprise": "warm"})

    @property
    def names(self) -> tuple[str, ...]:
        """Return the functions."""
        return tuple(name.strip() for name in self.functions.split(",") if name.strip())

    @property
    def body(self) -> bytes:
        """Return what each function is sent."""
        return json.dumps(self.payload, separators=(",", ":")).encode()


def read_order(event: object) -> WarmOrder:
    """Return what an event asks for.

    Raises:
        ScheduleError: Naming the field.
    """
    try:
        order = msgspec.convert(event, WarmOrder)
    except msgspec.ValidationError as error:
        raise ScheduleError(
            "event", str(error), 'Send {"functions": "...", "concurrency": 1, "payload": {}}'
        ) from error
    if not order.names:
        raise ScheduleError("functions", "lists nothing", "List function ARNs, with commas between")
    return order


MAX_PINGS: Final = 200
"""Pings at once: each is a thread for as long as its function runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """How a ping ended."""

    is_cold: bool | None = None
    """It started an environment: nothing had kept one warm. None: its log tail does not tell."""
    is_throttled: bool = False
    """The function was busy up to its limit, and so as warm as can be."""
    is_failed: bool = False


class Pings(Protocol):
    """Pings functions."""

    def ping(self, function: str, payload: bytes) -> Ping:
        """Ping once; never raise for how it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmer:
    """Pings every function of a list."""

    pings: Pings
    meter: Meter

    def run(self, order: WarmOrder) -> dict[str, int]:
        """Ping all functions, and return how the pings ended. Throttles are counted, and silent."""
        # Function by function, so that the pings of one overlap even if there are many functions.
        asked = [function for function in order.names for _ in range(order.concurrency)]
        with ThreadPoolExecutor(max_workers=min(MAX_PINGS, len(asked))) as pool:
            ended = list(pool.map(lambda function: self.pings.ping(function, order.body), asked))
        counts = dict(_count(ended))
        for name, value in counts.items():
            self.meter.count(name, value)
        return counts


def _count(ended: list[Ping]) -> Iterator[tuple[str, int]]:
    yield metric.WARM_PINGS, len(ended)
    told = [ping.is_cold for ping in ended if ping.is_cold is not None]
    if told:
        # No count at all where no tail tells: 0 would say that every environment was warm.
        yield metric.WARM_COLD_STARTS, sum(told)
    yield metric.WARM_THROTTLED, sum(ping.is_throttled for ping in ended)
    yield metric.WARM_FAILED, sum(ping.is_failed for ping in ended)


class LambdaPings:
    """Pings Lambda functions; the client must not retry."""

    __slots__ = ("_client",)

    def __init__(self, client: LambdaClient) -> None:
        """Ping through this client."""
        self._client = client

    def ping(self, function: str, payload: bytes) -> Ping:
        """Invoke once, synchronously, its payload as it is; never raise for how it ends."""
        try:
            # The tail of the log holds the REPORT line, which alone tells of a cold start.
            response: Any = self._client.invoke(
                FunctionName=function, Payload=payload, LogType="Tail"
            )
            response["Payload"].read()
        except Exception as error:  # noqa: BLE001 - the class of the failure is the answer
            is_throttled = outcome_of(error).kind is OutcomeKind.THROTTLED
            return Ping(is_throttled=is_throttled, is_failed=not is_throttled)
        tail = base64.b64decode(response.get("LogResult", "")).decode("utf-8", "replace")
        reports = [found for line in tail.splitlines() if (found := read_report(line)) is not None]
        return Ping(
            is_cold=any(report.init_ms is not None for report in reports) if reports else None,
            is_failed=response.get("FunctionError") is not None,
        )
