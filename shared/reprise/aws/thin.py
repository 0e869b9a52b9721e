"""Call DynamoDB, SQS and Lambda as the SDK's clients do, for a fraction of their CPU: the few hot operations.

What the SDK spends goes to models: read at init, and walked through for every request and answer. Here are
botocore's own credentials, retry rules, events and errors, without its models. Other operations
go to a client of the SDK's, which is made for the first of them, and `address.why_not` names the settings
with which that client takes the whole place.

Parameters are not validated here, but by the service. An answer that is cut, that is no JSON (as an empty one
is none) or that fails DynamoDB's checksum is a lost one; the SDK takes the first two for empty answers. MD5s
of SQS are not looked at, nor are they by botocore: the body's hash is part of the signature.

Sources: Smithy, "AWS JSON 1.0 protocol"; Lambda API reference, "Invoke".
"""

from __future__ import annotations

import io
import os
import re
import time
from copy import copy
from functools import cache, partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from uuid import uuid4
from zlib import crc32

import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.hooks import first_non_none_response
from botocore.model import ServiceId
from botocore.retries.standard import register_retry_handler
from botocore.utils import percent_encode

from reprise.aws.address import endpoint, region_of
from reprise.aws.exchange import Connections, HttpReply, SignedRequest, refusal, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.client import BaseClient
    from botocore.session import Session


class _Service(NamedTuple):
    """What a service's model would say."""

    id: str
    operations: Mapping[str, str]
    """What is called here: each operation by its method's name."""
    target: str = ""
    """What `X-Amz-Target` begins with; Lambda has none."""
    retried: tuple[str, ...] = ()
    """Codes that the model, and not botocore's own list, says to retry."""


def _named(text: str) -> dict[str, str]:
    return {re.sub(r"\B([A-Z])", r"_\1", name).lower(): name for name in text.split()}


_SERVICES: Final = {
    "dynamodb": _Service(
        id="DynamoDB",
        operations=_named(
            "BatchExecuteStatement BatchGetItem DeleteItem GetItem PutItem UpdateItem"
        ),
        target="DynamoDB_20120810.",
        retried=("ReplicatedWriteConflictException",),
    ),
    "sqs": _Service(
        id="SQS",
        operations=_named(
            "ChangeMessageVisibilityBatch GetQueueAttributes GetQueueUrl SendMessageBatch"
        ),
        target="AmazonSQS.",
    ),
    "lambda": _Service(
        id="Lambda",
        operations=_named(
            "GetAccountSettings GetFunctionConcurrency GetFunctionConfiguration Invoke"
        ),
    ),
}
_HEARD: Final = ("tcp_keepalive", "user_agent_appid")
_PATHS: Final = {
    "Invoke": "/2015-03-31/functions/{}/invocations",
    "GetFunctionConcurrency": "/2019-09-30/functions/{}/concurrency",
    "GetFunctionConfiguration": "/2015-03-31/functions/{}/configuration",
    "GetAccountSettings": "/2016-08-19/account-settings",
}
_ASKED: Final = {"ClientContext": "X-Amz-Client-Context", "LogType": "X-Amz-Log-Type"}
_TOLD: Final = {
    "FunctionError": "x-amz-function-error",
    "ExecutedVersion": "x-amz-executed-version",
    "LogResult": "x-amz-log-result",
}


class ThinClient:
    """A client of one service; safe to use from several threads."""

    def __init__(
        self,
        session: Session,
        service: str,
        config: Any,  # noqa: ANN401 - its stubs name no setting
        sdk: Callable[[], Any],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Call a service.

        Args:
            session: Has credentials, settings and listeners; `why_not` found nothing in it.
            service: As botocore calls it.
            config: What the SDK's client gets.
            sdk: Makes the SDK's client, for all that is not called here.
            sleep: Waits before a repetition.
        """
        # What a client of the SDK's takes from the environment, or a profile, unless it is given.
        heard = {name: session.get_config_variable(name) for name in _HEARD}
        config = Config(**heard).merge(config)
        region = region_of(session) or ""
        url, _ = endpoint(session, service, region)
        self._service = _SERVICES[service]
        self._scope, self._url = (region, service), url.rstrip("/")
        self._attempts = int(config.retries["total_max_attempts"])
        self._sdk, self._sleep = cache(sdk), sleep
        self._credentials = session.get_credentials()
        self.connections = Connections(
            url,
            config,
            session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE"),
        )
        agent = session.get_component("user_agent_creator").with_client_config(config)
        self._headers = {"User-Agent": agent.to_string()}
        if self._service.target:
            self._headers["Content-Type"] = "application/x-amz-json-1.0"
        if service == "sqs":
            self._headers["X-Amzn-Query-Mode"] = "true"
        service_id = ServiceId(self._service.id)
        self._hyphenized = service_id.hyphenize()
        model = SimpleNamespace(service_id=service_id, service_name=service)
        # Who listens to the session's clients hears of these requests, too: `functions` adds headers so.
        events = copy(session.get_component("event_emitter"))
        self.meta = SimpleNamespace(events=events, service_model=model)
        self._model = SimpleNamespace(
            service_model=model,
            is_endpoint_discovery_operation=False,
            error_shapes=[
                SimpleNamespace(name=code, metadata={"retryable": {"throttling": False}})
                for code in self._service.retried
            ],
        )
        register_retry_handler(cast("BaseClient", self), max_attempts=self._attempts)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a client's methods
        """Return what calls an operation."""
        if name.startswith("_"):
            raise AttributeError(name)
        operation = self._service.operations.get(name)
        if operation is None:
            return getattr(self._sdk(), name)
        method = partial(self._rpc if self._service.target else self._rest, operation)
        setattr(self, name, method)
        return method

    def _rpc(self, operation: str, **parameters: object) -> dict[str, Any]:
        headers = {"X-Amz-Target": f"{self._service.target}{operation}", **self._headers}
        return self._call(operation, "/", headers, msgspec.json.encode(parameters))

    def _rest(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - a client's
        function = parameters.pop("FunctionName", None)
        body: Any = parameters.pop("Payload", b"")
        qualifier = parameters.pop("Qualifier", None)
        unknown = parameters.keys() - _ASKED.keys()
        if function == "" or unknown:
            raise ParamValidationError(report=f"FunctionName {function!r}, and {sorted(unknown)}")
        path = _PATHS[operation].format(percent_encode(function or ""))
        if qualifier is not None:
            path = f"{path}?Qualifier={percent_encode(qualifier)}"
        headers = {_ASKED[name]: value for name, value in parameters.items()} | self._headers
        return self._call(
            operation, path, headers, body.encode() if isinstance(body, str) else body
        )

    def _call(
        self, operation: str, path: str, headers: dict[str, str], body: bytes
    ) -> dict[str, Any]:
        """Call, and repeat as botocore's rules say."""
        retries = {"invocation-id": str(uuid4())}
        context: dict[str, Any] = {"retries": retries}
        about = {"model": self._model, "context": context}
        self._emit(
            "before-call", operation, params={"headers": headers}, request_signer=None, **about
        )
        attempt = 1
        while True:
            retries["attempt"] = str(attempt)
            failure: BotoCoreError | None = None
            answer, parsed = None, {}
            request = self._request(path, headers, body, context, operation)
            try:
                answer = self._emit("before-send", operation, request=request)
                answer = answer or self.connections.send(request)
                parsed = self._parsed(operation, answer)
            except BotoCoreError as error:
                answer, failure = None, error
            if answer is not None and answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
                break
            # Asked after the last attempt, too: it notes that in the answer.
            wait_s = self._emit(
                "needs-retry",
                operation,
                response=answer and (answer, parsed),
                endpoint=self,
                operation=self._model,
                attempts=attempt,
                caught_exception=failure,
                request_dict={"context": context},
            )
            if attempt >= self._attempts or wait_s is None or wait_s is False:
                break
            self._sleep(wait_s)
            attempt += 1
        if failure is not None:
            raise failure
        parsed["ResponseMetadata"]["RetryAttempts"] = attempt - 1
        self._emit("after-call", operation, http_response=answer, parsed=parsed, **about)
        if "Error" in parsed:
            raise ClientError(cast("Any", parsed), operation)
        return parsed

    def _request(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        context: dict[str, Any],
        operation: str,
    ) -> SignedRequest:
        """Return a request that is signed now."""
        if self._credentials is None:
            raise NoCredentialsError
        method = "GET" if operation.startswith("Get") and not self._service.target else "POST"
        request = SignedRequest(method, f"{self._url}{path}", dict(headers), body, context)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        sign(request, self._credentials.get_frozen_credentials(), self._scope, stamp)
        self._emit("request-created", operation, request=request, operation_name=operation)
        return request

    def _emit(self, event: str, about: str, /, **values: Any) -> Any:  # noqa: ANN401 - what listeners say
        """Tell listeners, and return what the first of those says that say something."""
        told = self.meta.events.emit(f"{event}.{self._hyphenized}.{about}", **values)
        return first_non_none_response(told) if told else None

    def _parsed(self, operation: str, answer: HttpReply) -> dict[str, Any]:
        headers, content = answer.headers, answer.content
        metadata = {"HTTPStatusCode": answer.status_code, "HTTPHeaders": headers}
        if "x-amzn-requestid" in headers:
            metadata["RequestId"] = headers["x-amzn-requestid"]
        if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            return {
                **refusal(answer, is_rest=not self._service.target),
                "ResponseMetadata": metadata,
            }
        if operation == "Invoke":
            told = {name: headers[key] for name, key in _TOLD.items() if key in headers}
            body = {"StatusCode": answer.status_code, "Payload": io.BytesIO(content), **told}
            return {**body, "ResponseMetadata": metadata}
        checksum = headers.get("x-amz-crc32")
        try:
            if checksum is not None and int(checksum) != crc32(content):
                raise ValueError(checksum)  # noqa: TRY301 - one word for all that is not whole
            decoded = msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError) as error:
            raise HTTPClientError(error=error) from error
        found = {name: value for name, value in decoded.items() if value is not None}
        return {**found, "ResponseMetadata": metadata}
