"""Deliver a late result by the service that it goes to: one try."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from reprise.aws.config import TTL_S, Cached
from reprise.aws.fault import store_errors
from reprise.aws.sqs import NamedQueue
from reprise.errors import SettingsError, StoreError
from reprise.events import SOURCE
from reprise.ledger import State
from reprise.ports import OutMessage
from reprise_replies.document import MAX_REPLY_BYTES, fit, without_payloads
from reprise_replies.errors import DeliveryError
from reprise_replies.webhook import post, read_keys, sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from reprise.call.destinations import Destinations
    from reprise.call.reply_to import ReplyTo
    from reprise.ports import Clock

DETAIL_TYPE: Final = "Late Result"
MAX_BODY_BYTES: Final = MAX_REPLY_BYTES
"""Of messages and webhooks: below SQS's 1 MiB per message, attributes included."""
SHORT_BODY_BYTES: Final = 262_144 - 2_048
"""Of messages to a queue that takes no more than any did before 2025, attributes included (SQS API reference,
SetQueueAttributes, MaximumMessageSize)."""
_TOO_LONG: Final = "InvalidParameterValue"
"""What SQS says of a message that is longer than its queue takes."""
MAX_OUTPUT_BYTES: Final = 262_144
"""Step Functions API reference, SendTaskSuccess, output; Lambda API reference,
SendDurableExecutionCallbackSuccess, Result."""
MAX_CAUSE_BYTES: Final = 32_768
"""Step Functions API reference, SendTaskFailure, cause."""
_FINAL: Final = frozenset(
    {
        "CallbackTimeoutException",
        "InvalidOutput",
        "InvalidParameterValueException",
        "InvalidToken",
        "ResourceNotFoundException",
        "TaskDoesNotExist",
        "TaskTimedOut",
    }
)
"""Whoever waited does so no longer, or the token is none."""


class Tasks(Protocol):
    """Answers tasks of state machines, as the SDK's client does."""

    def send_task_success(self, *, taskToken: str, output: str) -> object:  # noqa: N803 - the SDK's
        """End a task well."""

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> object:  # noqa: N803 - the SDK's
        """End a task as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The clients, each made when it is first used."""

    sqs: SQSClient
    events: EventBridgeClient
    state_machines: Tasks
    functions: LambdaClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Delivers late results."""

    services: Services
    destinations: Destinations
    stack: str
    event_bus: str
    webhook_keys: Callable[[], list[bytes]]
    """What webhooks are signed with, the current key first."""
    clock: Clock
    post: Callable[..., None] = post
    _queues: dict[str, NamedQueue] = field(default_factory=dict)

    def deliver(
        self, reply_to: ReplyTo, to: str, document: dict[str, Any], message_id: str
    ) -> None:
        """Deliver once.

        Args:
            reply_to: Where the caller wants it.
            to: Where that is, by `Destinations.resolve`.
            document: The record of the call's end.
            message_id: The same for each try of this delivery.

        Raises:
            DeliveryError: If it was not taken.
        """
        try:
            match reply_to.kind:
                case "queue":
                    self._send(to, document)
                case "event":
                    self._put_event(reply_to, document)
                case "task_token":
                    self._end_task(str(reply_to.value), document)
                case "callback_id":
                    self._end_callback(str(reply_to.value), document)
                case _:
                    self._post(to, document, message_id)
        except SettingsError as error:
            raise DeliveryError("no_key", str(error)) from error
        except StoreError as error:
            raise DeliveryError(
                error.code, f"by {error.operation}", is_final=error.code in _FINAL
            ) from error

    def _send(self, arn: str, document: dict[str, Any]) -> None:
        *_, account, name = arn.split(":")
        queue = self._queues.setdefault(arn, NamedQueue(self.services.sqs, name, account))
        block = document["reprise"]
        attributes = {"call_id": block["id"], "state": block["state"]}
        body = fit(document, MAX_BODY_BYTES)
        try:
            queue.send([OutMessage(body=body, attributes=attributes)])
        except StoreError as error:
            shorter = fit(document, SHORT_BODY_BYTES)
            if error.code != _TOO_LONG or shorter == body:
                raise
            queue.send([OutMessage(body=shorter, attributes=attributes)])

    def _put_event(self, reply_to: ReplyTo, document: dict[str, Any]) -> None:
        detail = {**without_payloads(document), "stack": self.stack, "reply_to": reply_to.value}
        with store_errors("events", "PutEvents"):
            response = self.services.events.put_events(
                Entries=[
                    {
                        "EventBusName": self.event_bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Detail": json.dumps(detail, separators=(",", ":")),
                    }
                ]
            )
        for entry in response["Entries"]:
            if code := entry.get("ErrorCode"):
                raise DeliveryError(code, "by PutEvents")

    def _end_task(self, token: str, document: dict[str, Any]) -> None:
        if _has_succeeded(document):
            output = fit(document, MAX_OUTPUT_BYTES)
            with store_errors("stepfunctions", "SendTaskSuccess"):
                self.services.state_machines.send_task_success(taskToken=token, output=output)
            return
        with store_errors("stepfunctions", "SendTaskFailure"):
            self.services.state_machines.send_task_failure(
                taskToken=token, error=_error(document), cause=fit(document, MAX_CAUSE_BYTES)
            )

    def _end_callback(self, callback_id: str, document: dict[str, Any]) -> None:
        body = fit(document, MAX_OUTPUT_BYTES)
        if _has_succeeded(document):
            with store_errors("lambda", "SendDurableExecutionCallbackSuccess"):
                self.services.functions.send_durable_execution_callback_success(
                    CallbackId=callback_id, Result=body.encode()
                )
            return
        with store_errors("lambda", "SendDurableExecutionCallbackFailure"):
            self.services.functions.send_durable_execution_callback_failure(
                CallbackId=callback_id,
                Error={
                    "ErrorType": _error(document),
                    "ErrorMessage": document["reprise"]["message"] or _error(document),
                    "ErrorData": body,
                },
            )

    def _post(self, url: str, document: dict[str, Any], message_id: str) -> None:
        keys = self.webhook_keys()
        body = fit(document, MAX_BODY_BYTES)
        headers = sign(message_id, int(self.clock().timestamp()), body, keys)
        self.post(url, body, headers, may_be_private=self.destinations.allows_address)


def secret_keys(secrets: SecretsManagerClient, arn: str) -> Callable[[], list[bytes]]:
    """Return what reads the keys of webhooks from their secret, and remembers them for a minute."""

    def fetch() -> list[bytes]:
        with store_errors("secretsmanager", "GetSecretValue"):
            found = secrets.get_secret_value(SecretId=arn)
        return read_keys(found.get("SecretString", ""))

    return Cached(fetch, ttl_s=TTL_S).get


def _has_succeeded(document: dict[str, Any]) -> bool:
    return bool(document["reprise"]["state"] == State.SUCCEEDED)


def _error(document: dict[str, Any]) -> str:
    return f"Reprise.{document['requestContext']['condition']}"
