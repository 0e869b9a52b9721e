"""Restore what API Gateway, load balancers and Function URLs answer when a function gives no answer.

Stock ministack has one mapping for all doors, and takes whatever a function returns for an answer. On AWS
each door has its own: a client sees Lambda's 429 at a Function URL only, and a function's error nowhere; a
malformed answer is an error; one that takes longer than an integration may take comes too late.

| Door | throttled | error, or malformed | too late |
|---|---|---|---|
| REST API | 500 | 502 | 504 |
| HTTP API | 503 | 500 | 503 |
| load balancer | 502 | 502 | 502, by the function's own timeout |
| Function URL | 429 | 502 | 502, by the function's own timeout |

A state machine's task fails by a throttle with an error name of its own, which a `Retry` names.

Sources: API Gateway Developer Guide, "Lambda proxy integrations in API Gateway" (output format, 502),
"Gateway response types", "Create AWS Lambda proxy integrations for HTTP APIs" (formats 1.0 and 2.0); AWS
re:Post, "API Gateway proxy integration does not forward Lambda throttling (HTTP 429)" (500); Elastic Load
Balancing, "Use Lambda functions as targets" (1 MB, multi-value headers), "Troubleshoot your Application
Load Balancers" (502 where Lambda returned an error, 413); Lambda Developer Guide, "Invoking Lambda function
URLs"; Step Functions Developer Guide, "Handle Lambda service exceptions". That an HTTP API answers 503 to a
throttle and to a late answer is observed, and not documented.
"""

from __future__ import annotations

import asyncio
import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local_engine.options import EngineOptions

    type Answer = tuple[int, dict[str, Any], bytes]
    type Handler = Callable[..., Awaitable[Any]]

_LAMBDA_SVC = Seam("services.lambda_svc")
_REST = Seam("services.apigateway_v1")
_HTTP = Seam("services.apigateway")
_ALB = Seam("services.alb")
_STATES = Seam("services.stepfunctions")

_MAX_ALB_BYTES = 1024 * 1024
_FIELDS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_ALB_FIELDS = _FIELDS | {"statusDescription"}
_JSON = {"Content-Type": "application/json"}


def _message(status: int, text: str) -> Answer:
    return status, dict(_JSON), json.dumps({"message": text}).encode()


def _page(status: int, title: str) -> Answer:
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return status, {"Content-Type": "text/html"}, page.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """What one kind of door answers."""

    throttled: Answer | None
    """None shows Lambda's own."""
    failed: Answer
    is_multi_value: bool | None = None
    """Of a load balancer: whether the target group asks for headers with several values."""

    def accepts(self, answer: object) -> bool:
        """Tell whether a function's answer is in the format that the door reads."""
        raise NotImplementedError


class _Strict(_Door):
    """One that reads the documented format only."""

    __slots__ = ()

    def accepts(self, answer: object) -> bool:
        is_alb = self.is_multi_value is not None
        return (
            isinstance(answer, dict)
            and answer.keys() <= (_ALB_FIELDS if is_alb else _FIELDS)
            and ("statusCode" in answer or not is_alb)
            and _is_well_formed(answer)
            and (not is_alb or len(json.dumps(answer)) <= _MAX_ALB_BYTES)
        )


class _Inferring(_Door):
    """One that takes what is no answer for the body of one, as payload format 2.0 does."""

    __slots__ = ()

    def accepts(self, answer: object) -> bool:
        return not isinstance(answer, dict) or "statusCode" not in answer or _is_well_formed(answer)


_REST_DOOR = _Strict(
    throttled=_message(500, "Internal server error"),
    failed=_message(502, "Internal server error"),
)
_HTTP_DOOR = _Inferring(
    throttled=_message(503, "Service Unavailable"),
    failed=_message(500, "Internal Server Error"),
)
_URL_DOOR = _Inferring(
    throttled=None, failed=(502, {"Content-Type": "text/plain"}, b"Internal Server Error")
)
_BAD_GATEWAY = _page(502, "Bad Gateway")
_ALB_DOORS = {
    is_multi: _Strict(throttled=_BAD_GATEWAY, failed=_BAD_GATEWAY, is_multi_value=is_multi)
    for is_multi in (False, True)
}

_DOOR: ContextVar[_Door | None] = ContextVar("reprise_door", default=None)


class _InsteadError(Exception):
    """A door answers this in the place of the function."""

    def __init__(self, answer: Answer) -> None:
        """Keep the answer."""
        super().__init__(answer[0])
        self.answer = answer


def apply(_options: EngineOptions) -> None:
    """Let every door answer in its own way."""
    stock = _LAMBDA_SVC["lambda_execute_result_to_api_proxy_response"]
    stock_execute = _LAMBDA_SVC["_execute_function_with_config_scope"]

    def convert(result: dict[str, Any]) -> Any:
        if (door := _DOOR.get()) is not None:
            _refuse(door, result)
        response, error = stock(result)
        if door is not None and door.is_multi_value is not None:
            response = dict(response)
            response.pop("headers" if door.is_multi_value else "multiValueHeaders", None)
        return response, error

    def execute(func: dict[str, Any], event: object) -> Any:
        door = _DOOR.get()
        if door is not None and door.is_multi_value and isinstance(event, dict):
            single = ("headers", "queryStringParameters")
            event = {name: value for name, value in event.items() if name not in single}
        return stock_execute(func, event)

    _LAMBDA_SVC.replace("lambda_execute_result_to_api_proxy_response", convert)
    _LAMBDA_SVC.replace("_execute_function_with_config_scope", execute)
    _wrap_gateway(
        _REST, "_invoke_lambda_proxy_v1", _REST_DOOR, _message(504, "Endpoint request timed out")
    )
    _wrap_gateway(_HTTP, "_invoke_lambda_proxy", _HTTP_DOOR, _message(503, "Service Unavailable"))
    _wrap_load_balancer()
    _wrap_url()
    _wrap_state_machines()


def _refuse(door: _Door, result: dict[str, Any]) -> None:
    """Refuse what is no answer of a function.

    Raises:
        _InsteadError: With what the door says.
    """
    if result.get("throttle"):
        if door.throttled is not None:
            raise _InsteadError(door.throttled)
    elif result.get("error") or not door.accepts(result.get("body")):
        raise _InsteadError(door.failed)


def _is_well_formed(answer: dict[str, Any]) -> bool:
    headers = answer.get("headers") or {}
    many = answer.get("multiValueHeaders") or {}
    return (
        _is_status(answer.get("statusCode", 200))
        and isinstance(answer.get("body") or "", str)
        and isinstance(headers, dict)
        and all(isinstance(value, (str, int, float, bool)) for value in headers.values())
        and isinstance(many, dict)
        and all(isinstance(values, list) for values in many.values())
    )


def _is_status(value: object) -> bool:
    try:
        return 100 <= int(str(value)) <= 599  # noqa: PLR2004 - RFC 9110, section 15
    except ValueError:
        return False


def _wrap_gateway(module: Seam, name: str, door: _Door, too_late: Answer) -> None:
    stock: Handler = module[name]

    async def invoke(integration: dict[str, Any], *values: object, **named: object) -> Any:
        _DOOR.set(door)
        # Lambda runs on, as on AWS.
        call = asyncio.ensure_future(stock(integration, *values, **named))
        limit_ms = integration.get("timeoutInMillis")
        done, _ = await asyncio.wait({call}, timeout=int(limit_ms) / 1000 if limit_ms else None)
        try:
            return call.result() if done else too_late
        except _InsteadError as instead:
            return instead.answer

    module.replace(name, invoke)


def _wrap_load_balancer() -> None:
    stock: Handler = _ALB["_invoke_lambda_target"]

    async def invoke(
        function: str,
        group: str,
        method: str,
        path: str,
        headers: object,
        body: bytes,
        *values: object,
    ) -> Any:
        if len(body or b"") > _MAX_ALB_BYTES:
            return _page(413, "Request Entity Too Large")
        attributes = {
            item.get("Key"): item.get("Value") for item in _ALB["_tg_attrs"].get(group, [])
        }
        _DOOR.set(_ALB_DOORS[attributes.get("lambda.multi_value_headers.enabled") == "true"])
        try:
            return await stock(function, group, method, path, headers, body, *values)
        except _InsteadError as instead:
            return instead.answer

    _ALB.replace("_invoke_lambda_target", invoke)


def _wrap_url() -> None:
    stock: Handler = _LAMBDA_SVC["handle_function_url_request"]

    async def handle(*values: object, **named: object) -> Any:
        _DOOR.set(_URL_DOOR)
        try:
            status, headers, body = await stock(*values, **named)
        except _InsteadError as instead:
            return instead.answer
        if status == 429 and b'"TooManyRequestsException"' in body:  # noqa: PLR2004
            headers = {**headers, "x-amzn-ErrorType": "TooManyRequestsException"}
        return status, headers, body

    _LAMBDA_SVC.replace("handle_function_url_request", handle)


def _wrap_state_machines() -> None:
    stock = _STATES["_call_lambda"]
    error_type = _STATES["_ExecutionError"]

    def call(function: str, event: object) -> Any:
        try:
            return stock(function, event)
        except error_type as failed:
            # Of all errors only a throttle has no type that ministack finds, and says so.
            if failed.error == "Lambda.Unknown" and '"TooManyRequestsException"' in failed.cause:
                raise error_type("Lambda.TooManyRequestsException", failed.cause) from failed
            raise

    _STATES.replace("_call_lambda", call)
