"""Invoke functions through Lambda's Invoke API, once, and say how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
)

from reprise.outcome.classify import classify_error, classify_reply, never_sent, no_answer
from reprise.outcome.outcome import Outcome, OutcomeKind
from reprise.ports import Reply

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef

    from reprise.call.target import Target


class LambdaFunctions:
    """Invokes Lambda functions; the client must not retry (see `Clients.functions`)."""

    __slots__ = ("_client",)

    def __init__(self, client: LambdaClient) -> None:
        """Invoke through this client."""
        self._client = client

    def invoke(self, target: Target, payload: bytes, client_context: str | None) -> Reply:
        """Invoke once, synchronously; never raise for how it ends."""
        request: InvocationRequestTypeDef = {"FunctionName": target.function, "Payload": payload}
        if target.qualifier is not None:
            request["Qualifier"] = target.qualifier
        if target.tenant_id is not None:
            request["TenantId"] = target.tenant_id
        if client_context is not None:
            request["ClientContext"] = client_context
        try:
            response = self._client.invoke(**request)
            body = response["Payload"].read()
        except ClientError as error:
            return Reply(outcome=_refused(error))
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            return Reply(outcome=never_sent(type(error).__name__, str(error)))
        except ParamValidationError as error:
            return Reply(
                outcome=Outcome(
                    kind=OutcomeKind.PERMANENT, code="ParamValidationError", message=str(error)
                )
            )
        except (
            ReadTimeoutError,
            ConnectionClosedError,
            HTTPClientError,
            IncompleteReadError,
        ) as error:
            return Reply(outcome=no_answer(type(error).__name__, str(error)))
        except BotoCoreError as error:
            # Raised before anything is sent: no credentials, no region, an unreadable config.
            return Reply(outcome=never_sent(type(error).__name__, str(error)))
        outcome = classify_reply(
            response["StatusCode"],
            response.get("FunctionError"),
            body,
            response["ResponseMetadata"].get("RequestId"),
        )
        return Reply(
            outcome=outcome, payload=body, executed_version=response.get("ExecutedVersion")
        )


def _refused(error: ClientError) -> Outcome:
    response: dict[str, Any] = dict(error.response)
    details, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    return classify_error(
        str(details.get("Code", "Unknown")),
        metadata.get("HTTPStatusCode"),
        str(details.get("Message") or response.get("message") or ""),
        reason=response.get("Reason"),
        retry_after_s=_seconds(response.get("retryAfterSeconds")),
        request_id=metadata.get("RequestId"),
    )


def _seconds(text: object) -> float | None:
    """Return `Retry-After` in seconds, if the server sent a number."""
    try:
        seconds = float(str(text))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
