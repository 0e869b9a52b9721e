"""Ping a function, and see whether that started an environment."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from reprise.aws.functions import outcome_of
from reprise.outcome.outcome import OutcomeKind
from reprise.schedule.report_line import read_report
from reprise.stage.warm import Ping

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


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
