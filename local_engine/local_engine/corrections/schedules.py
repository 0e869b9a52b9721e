"""Restore one-time schedules: the instant, the time zone, universal targets, retries.

Stock ministack looks every ten seconds, reads all times as UTC, knows no
``aws-sdk`` target, leaves context attributes literal, and never tries again.

Source: EventBridge Scheduler User Guide, "Schedule types", "Using universal targets",
"Adding context attributes", "Configuring a dead-letter queue".
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import boto3
from botocore import xform_name
from botocore.config import Config

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

    type Schedule = dict[str, Any]

_SCHEDULER = Seam("services.scheduler")
_EVENTS = Seam("services.eventbridge")
_SQS = Seam("services.sqs")
_LAMBDA_RUNTIME = Seam("core.lambda_runtime")

_TICK_S = 0.1
_DEFAULT_RETRIES, _MAX_RETRY_WAIT_S = 185, 60.0
_AT = re.compile(r"\s*at\((.+)\)\s*")
_UNIVERSAL = re.compile(r"arn:aws:scheduler:::aws-sdk:(\w+):(\w+)")

_log = logging.getLogger("reprise")


class Firing:
    """Carries a schedule's target out, with its retries."""

    def __init__(self, endpoint: str) -> None:
        """Call API actions at this address."""
        self._endpoint = endpoint

    def fire(self, key: tuple[str, ...], schedule: Schedule, due_at: float) -> None:
        """Carry out what was due at an instant."""
        account, region, _ = key
        _SCHEDULER["set_request_account_id"](account)
        _SCHEDULER["set_request_region"](region)
        target = schedule["Target"]
        retries = (target.get("RetryPolicy") or {}).get("MaximumRetryAttempts", _DEFAULT_RETRIES)
        for attempt in range(1, retries + 2):
            try:
                self._dispatch(schedule, (account, region), due_at, attempt)
                break
            except Exception as error:  # noqa: BLE001 - whatever the target raises is retried
                _log.warning("schedule %s, attempt %d: %s", schedule["Name"], attempt, error)
                if attempt > retries:
                    _bury(target, error)
                    break
                time.sleep(min(_MAX_RETRY_WAIT_S, 2.0 ** (attempt - 1)))

    def _dispatch(
        self, schedule: Schedule, scope: tuple[str, str], due_at: float, attempt: int
    ) -> None:
        target = {**schedule["Target"]}
        target["Input"] = _fill_in(target.get("Input") or "{}", schedule["Arn"], due_at, attempt)
        universal = _UNIVERSAL.fullmatch(target["Arn"])
        if universal:
            self._call(universal.group(1), universal.group(2), target, scope)
            return
        event = {
            "EventId": str(uuid.uuid4()),
            "Source": "aws.scheduler",
            "DetailType": "Scheduled Event",
            "Detail": "{}",
            "Time": due_at,
            "Resources": [schedule["Arn"]],
            "Account": scope[0],
            "Region": scope[1],
        }
        _EVENTS["_invoke_target"](target, event, schedule)

    def _call(
        self, service: str, action: str, target: dict[str, Any], scope: tuple[str, str]
    ) -> None:
        """Call an API action as the target's role."""
        account, region = scope
        credentials = _LAMBDA_RUNTIME["execution_credentials"](
            {
                "FunctionArn": f"arn:aws:lambda:{region}:{account}:function:scheduler",
                "FunctionName": "scheduler",
                "Role": target.get("RoleArn", ""),
            }
        )
        client = boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self._endpoint,
            region_name=region,
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=credentials["AWS_SESSION_TOKEN"] or None,
            config=Config(retries={"total_max_attempts": 1}),
        )
        getattr(client, xform_name(action))(**json.loads(target["Input"]))


class _OneTime:
    """Fires ``at(…)`` schedules at their instants."""

    def __init__(self, firing: Firing) -> None:
        self._firing = firing
        #: What fired already, by the schedule's key; an update makes it new.
        self._fired: dict[tuple[str, ...], object] = {}

    def tick(self) -> None:
        now = time.time()
        for key, schedule in list(_SCHEDULER["_schedules"]._data.items()):  # noqa: SLF001
            due_at = due_epoch(schedule)
            version = (schedule["ScheduleExpression"], schedule["LastModificationDate"])
            if due_at is None or now < due_at or schedule.get("State") != "ENABLED":
                continue
            if self._fired.get(key) != version:
                self._fired[key] = version
                threading.Thread(
                    target=contextvars.Context().run,
                    args=(self._fire, key, schedule, due_at),
                    daemon=True,
                ).start()

    def _fire(self, key: tuple[str, ...], schedule: Schedule, due_at: float) -> None:
        self._firing.fire(key, schedule, due_at)
        if schedule.get("ActionAfterCompletion") == "DELETE":
            _SCHEDULER["_schedules"]._data.pop(key, None)  # noqa: SLF001


def apply(options: EngineOptions) -> None:
    """Fire one-time schedules ourselves; ``recurring`` adds the others."""
    _SCHEDULER.set("_SCHEDULE_TICK_INTERVAL", _TICK_S)
    _SCHEDULER.replace("_tick_schedules", _OneTime(Firing(options.url)).tick)


def due_epoch(schedule: Schedule) -> float | None:
    """Return when a one-time schedule is due, or None for another kind."""
    found = _AT.fullmatch(schedule.get("ScheduleExpression", ""))
    if not found:
        return None
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    return datetime.fromisoformat(found.group(1)).replace(tzinfo=zone).timestamp()


def _fill_in(text: str, arn: str, due_at: float, attempt: int) -> str:
    due = datetime.fromtimestamp(due_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    attributes = {
        "schedule-arn": arn,
        "scheduled-time": due,
        "execution-id": str(uuid.uuid4()),
        "attempt-number": str(attempt),
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _bury(target: dict[str, Any], error: Exception) -> None:
    """Send an event that found no taker to the target's dead-letter queue."""
    arn = (target.get("DeadLetterConfig") or {}).get("Arn") or ""
    if not arn or _SQS["_queue_by_arn"](arn) is None:
        return
    attributes = {
        "ERROR_MESSAGE": {"DataType": "String", "StringValue": str(error)},
        "TARGET_ARN": {"DataType": "String", "StringValue": target["Arn"]},
    }
    url = _SQS["_queue_url"](arn.rsplit(":", 1)[-1])
    _SQS["_act_send_message"](
        {
            "QueueUrl": url,
            "MessageBody": target.get("Input", "{}"),
            "MessageAttributes": attributes,
        },
        url,
    )
