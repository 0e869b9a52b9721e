"""What both implementations of the capture line's contract agree on: this package, and endpoint/ in Go.

    .venv/bin/python tests/contract_vectors.py        writes tests/events/contract-vectors.json anew

tests/unit/capturing/test_contract_vectors.py holds this package to that file, and Go's tests its code.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from reprise.call.outcome import (
    KIND_BY_CODE,
    Outcome,
    OutcomeKind,
    classify_error,
    classify_reply,
    never_sent,
    no_answer,
    shorten,
)
from reprise.call.payload import ClaimCheck, Payload, digest, pack
from reprise.call.reply_to import ReplyTo
from reprise.call.said import HEADERS, read_said
from reprise.call.target import Target, id_of, new_call_id, resolve_target
from reprise.capturing.invoker import Captured
from reprise.capturing.kept import write_kept
from reprise.capturing.line import write_line
from reprise.capturing.record import Record, Source
from reprise.capturing.repeat import (
    ALREADY_CAPTURED,
    CLAIM_EXPIRED,
    IN_PROGRESS,
    LEDGER_AWAY,
)
from reprise.capturing.signature import MacKeys, canonical
from reprise.capturing.status_token import write_status_token
from reprise.errors import BadRequestError
from reprise.instant import format_instant

VECTORS: Final = Path(__file__).parent / "events" / "contract-vectors.json"
ARN: Final = "arn:aws:lambda:eu-west-1:123456789012:function:"
KEY_DOCUMENT: Final = json.dumps(
    {"current": "k2", "k1": "0" * 32, "k2": "schlüssel-" + "ß" * 32, "targets": ["*"]}
)
KEYS: Final = MacKeys.from_secret(KEY_DOCUMENT, "web-shop")
AT: Final = datetime(2026, 11, 29, 12, 0, 0, 123456, tzinfo=UTC)
ODD_TEXT: Final = 'ü€😀\x00\x1f\x7f\x80\u2028"\\/<>&\b\f\n\r\t'


def make() -> dict[str, Any]:
    """Return the vectors, as this package answers them."""
    return {
        "canonical": [
            {"content": content, "canonical": canonical(content).decode()}
            for content in _contents()
        ],
        "macs": [_mac(content) for content in _contents()],
        "ids": [_id(*parts) for parts in _ids()],
        "uuids": [
            {
                "now_ms": now_ms,
                "random": random.hex(),
                "id": new_call_id(now_ms, random),
            }
            for now_ms, random in (
                (0, bytes(10)),
                (1_795_953_600_123, bytes(range(10))),
                (2**48 - 1, b"\xff" * 10),
            )
        ],
        "kind_by_code": {code: kind.value for code, kind in KIND_BY_CODE.items()},
        "errors": [_error(*parts) for parts in _errors()],
        "replies": [_reply(*parts) for parts in _replies()],
        "not_answered": {
            "never_sent": msgspec.to_builtins(never_sent("ConnectTimeoutError", ODD_TEXT)),
            "no_answer": msgspec.to_builtins(no_answer("ReadTimeoutError", "x" * 2000)),
        },
        "shortened": [{"text": text, "short": shorten(text)} for text in _texts()],
        "payloads": [_payload(*parts) for parts in _payloads()],
        "tokens": [
            {
                "call_id": call_id,
                "sha256": digest(b"1"),
                "captured_at_us": (AT - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400_000_000
                + 43_200_123_456,
                "token": write_status_token(call_id, digest(b"1"), AT, KEYS),
            }
            for call_id in ("orders:order-1~" + "0" * 32, "ü")
        ],
        "targets": [_target(*parts) for parts in _targets()],
        "kept": [_kept(outcome) for outcome in _outcomes()],
        "said": [_said(*parts) for parts in _sayings()],
        "signatures": [_signature(*parts) for parts in _requests()],
        "key_document": KEY_DOCUMENT,
        "source": KEYS.source,
        "lines": [
            {"record": msgspec.to_builtins(record), "line": write_line(record, KEYS)}
            for record in _records()
        ],
    }


def _contents() -> list[dict[str, Any]]:
    return [
        {},
        {
            "b": 1,
            "a": {"z": None, "y": True},
            "B": False,
            "ü": [],
            "😀": [1, "2", {"b": 1, "a": 2}],
        },
        {"text": ODD_TEXT, ODD_TEXT: "text"},
        {
            "floats": [
                0.0,
                1.0,
                0.1,
                30.0,
                1.5,
                123456.789,
                1e15,
                1e16,
                1e22,
                0.0001,
                0.00001,
                43200.0,
            ]
        },
        {"integers": [0, -1, 6_291_456, 1_795_953_600_123_456]},
    ]


def _mac(content: dict[str, Any]) -> dict[str, Any]:
    mac = KEYS.sign(content)
    return {"content": content, "key_id": mac.key_id, "value": mac.value}


def _ids() -> list[tuple[Target, str, str | None, str]]:
    orders = Target(function=ARN + "orders")
    live = Target(function=ARN + "orders", qualifier="live")
    latest = Target(function=ARN + "orders", qualifier="$LATEST")
    tenant = Target(function=ARN + "orders", tenant_id="tenant 1")
    sdk = "sdk:59c11fb7-78d4-49fb-9390-7efdcdcd3fe5"
    return [
        (orders, "web-shop", None, "order-1"),
        (latest, "web-shop", None, "order-1"),
        (live, "web-shop", None, "order-1"),
        (tenant, "web-shop", None, "order-1"),
        (orders, "other", None, "order-1"),
        (orders, "web-shop", "scope-1", "order-1"),
        (orders, "web-shop", None, sdk),
        (orders, "web-shop", None, '!"\\~' + "x" * 252),
    ]


def _id(target: Target, source: str, scope: str | None, key: str) -> dict[str, Any]:
    call_id = id_of(target, source=source, scope=scope, key=key)
    return {
        "target": msgspec.to_builtins(target),
        "source": source,
        "scope": scope,
        "key": key,
        "id": call_id,
    }


def _errors() -> list[tuple[str, int | None, str]]:
    return [
        *((code, 429, "as Lambda says it") for code in KIND_BY_CODE),
        ("NeverHeardOf", 429, "m"),
        ("NeverHeardOf", 500, "m"),
        ("NeverHeardOf", 503, "m"),
        ("NeverHeardOf", 400, "m"),
        ("NeverHeardOf", 403, "Signature expired"),
        ("NeverHeardOf", None, ODD_TEXT),
        (ODD_TEXT * 30, 503, "m"),
    ]


def _error(code: str, status: int | None, message: str) -> dict[str, Any]:
    outcome = classify_error(code, status, message)
    return {
        "code": code,
        "status": status,
        "message": message,
        "outcome": msgspec.to_builtins(outcome),
    }


def _replies() -> list[tuple[int, str | None, bytes]]:
    return [
        (200, None, b'"fine"'),
        (200, None, b'{"errorType": "no error"}'),
        (200, "Unhandled", b'{"errorType": "ValueError", "errorMessage": "bad\\nline"}'),
        (200, "Handled", b'{"errorMessage": "no type"}'),
        (200, "Unhandled", b'{"errorType": "' + b"T" * 300 + b'"}'),
        (200, "Unhandled", b'{"errorType": 5, "errorMessage": {"a": 1}}'),
        (200, "Unhandled", b"no document"),
        (200, "Unhandled", b"[1]"),
        (200, "Unhandled", b""),
    ]


def _reply(status: int, function_error: str | None, payload: bytes) -> dict[str, Any]:
    outcome = classify_reply(status, function_error, payload, "request-1")
    return {
        "status": status,
        "function_error": function_error,
        "request_id": "request-1",
        "payload": payload.decode(),
        "outcome": msgspec.to_builtins(outcome),
    }


def _texts() -> list[str]:
    return [
        "",
        "  two\twords\r\n on\x1cone\x85line\xa0 ",
        ODD_TEXT,
        "\x1b[31mred\x1b[0m \u202e\u200b\ue000\U000e0001",
        "é" * 1024,
        "é" * 1025,
    ]


def _payloads() -> list[tuple[str, bytes, int, int]]:
    """Return name, bytes, how often they are repeated, and the budget."""
    return [
        ("nothing", b"", 1, 1000),
        ("text", b'{"order": 1}', 1, 1000),
        ("odd text", ODD_TEXT.encode(), 1, 1000),
        ("just inline", b"x", 998, 1000),
        ("just not inline", b"x", 999, 1000),
        ("escapes count", "é".encode(), 166, 1000),
        ("one escape too many", "é".encode(), 167, 1000),
        ("bytes", b"\xff\x00", 100, 1000),
        ("a lone surrogate's bytes", b"\xed\xa0\x80", 1, 1000),
        ("as long as a line takes", b"x", 200 * 1024 - 32 * 1024 - 2, 200 * 1024 - 32 * 1024),
        ("no room", b"\xff", 1, 10),
    ]


def _payload(name: str, once: bytes, times: int, budget_bytes: int) -> dict[str, Any]:
    data = once * times
    packed = pack(data, budget_bytes)
    how = "claim_check"
    if packed is not None:
        how = "inline" if packed.inline is not None else "gzip_base64"
    return {
        "name": name,
        "once": base64.b64encode(once).decode(),
        "times": times,
        "budget_bytes": budget_bytes,
        "how": how,
        "size_bytes": len(data),
        "sha256": digest(data),
    }


def _targets() -> list[tuple[str, str | None, list[str]]]:
    allowed = [ARN + "orders", ARN + "pay*", "arn:aws:lambda:eu-west-1:210987654321:function:mail"]
    return [
        ("orders", None, allowed),
        ("orders:live", None, allowed),
        ("orders", "7", allowed),
        ("orders:live", "live", allowed),
        ("orders:live", "7", allowed),
        ("orders:$LATEST", None, allowed),
        ("payments", None, allowed),
        ("123456789012:function:orders", None, allowed),
        ("210987654321:function:orders", None, allowed),
        ("210987654321:function:mail:live", None, allowed),
        (ARN + "orders", None, allowed),
        (ARN + "orders:live", None, allowed),
        (ARN + "other", None, allowed),
        ("other", None, allowed),
        ("", None, allowed),
        ("no name", None, allowed),
        ("orders", "no qualifier", allowed),
        ("orders", None, ["arn:aws:lambda:*"]),
        (ARN + "orders", None, ["arn:aws:lambda:*"]),
    ]


def _target(name: str, qualifier: str | None, allowed: list[str]) -> dict[str, Any]:
    asked = {"function_name": name, "qualifier": qualifier, "allowed": allowed}
    try:
        found = resolve_target(name, tuple(allowed), qualifier=qualifier)
    except BadRequestError:
        return asked | {"target": None}
    return asked | {"target": msgspec.to_builtins(found)}


def _records() -> list[Record]:
    orders = Target(function=ARN + "orders")
    throttled = classify_error(
        "TooManyRequestsException",
        429,
        "Rate Exceeded.",
        reason="ReservedFunctionConcurrentInvocationLimitExceeded",
        retry_after_s=30.0,
        request_id="request-1",
    )
    text = pack('{"ü": "😀"}'.encode(), 1000)
    assert text is not None
    plain = Record(
        id="01a00000-0000-7000-8000-000000000000",
        captured_at=format_instant(AT),
        source=Source(name="web-shop", version="0.1.0"),
        target=orders,
        payload=text,
        outcome=throttled,
    )
    key = "sdk:59c11fb7-78d4-49fb-9390-7efdcdcd3fe5"
    full = Record(
        id=id_of(
            Target(function=ARN + "orders", qualifier="live", tenant_id="t 1"),
            source="web-shop",
            scope="scope-1",
            key=key,
        ),
        captured_at=format_instant(AT),
        source=Source(name="web-shop", version="0.1.0"),
        target=Target(function=ARN + "orders", qualifier="live", tenant_id="t 1"),
        payload=Payload(
            claim_check=ClaimCheck(bucket="bucket", key="payloads/x", version_id="v1"),
            size_bytes=6_291_456,
            sha256=digest(b"x"),
        ),
        client_context="e30=",
        outcome=Outcome(
            kind=OutcomeKind.FUNCTION_ERROR,
            code="ValueError",
            status=200,
            message=shorten(ODD_TEXT),
            retry_after_s=0.25,
            function_error="Unhandled",
        ),
        not_after="2026-11-30T00:00:00.000000Z",
        trace="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        idempotency_key=key,
        scope="scope-1",
    )
    address = 'https://hooks.example.com/reprise/?a=1&b="2"'
    return [plain, full, msgspec.structs.replace(plain, reply_to=ReplyTo(webhook=address))]


def _outcomes() -> list[Outcome]:
    """Return outcomes of every kind that is kept."""
    reason = "ConcurrentInvocationLimitExceeded"
    return [
        classify_error("TooManyRequestsException", 429, "m", reason=reason, retry_after_s=1.5),
        classify_error("TooManyRequestsException", 429, "m"),
        classify_error("ServiceException", 500, "m", request_id="r"),
        classify_reply(200, "Unhandled", b'{"errorType": "ValueError"}', "r"),
        never_sent("ConnectTimeoutError", "m"),
        no_answer("ReadTimeoutError", "m"),
        ALREADY_CAPTURED,
        IN_PROGRESS,
        CLAIM_EXPIRED,
        LEDGER_AWAY,
    ]


def _kept(outcome: Outcome) -> dict[str, Any]:
    call_id, url = "orders:a/b?c&d#e%~00!00", "https://status.example/{id}?t={token}"
    captured = Captured(call_id=call_id, status_token="token", captured_at=format_instant(AT))
    return {
        "outcome": msgspec.to_builtins(outcome),
        "status_url": url,
        "document": json.loads(write_kept(captured, outcome, url)),
    }


def _sayings() -> list[tuple[dict[str, str], object]]:
    """Return headers, by what they say, and the client context's JSON."""
    here = "2026-12-01T00:00:00+01:00"
    return [
        ({}, None),
        ({"idempotency_key": "k", "scope": "s", "not_after": here}, None),
        ({"not_after": "2026-12-01T00:00:00.25z"}, None),
        ({}, {"custom": {"reprise": {"idempotency_key": "k", "scope": "s", "not_after": here}}}),
        ({"idempotency_key": "h"}, {"custom": {"reprise": {"idempotency_key": "k"}}}),
        ({}, {"custom": {"reprise": {"idempotency_key": None}}}),
        ({}, {"custom": {"reprise": None}}),
        ({}, {"custom": {"other": {}}}),
        ({}, {"custom": []}),
        ({}, []),
        ({"idempotency_key": "two words"}, None),
        ({"idempotency_key": ""}, None),
        ({"not_after": "2026-12-01T00:00Z"}, None),
        ({"not_after": "20261201T000000.5+0100"}, None),
        ({"not_after": "0000-06-01T00:00:00Z"}, None),
        ({"not_after": "0001-01-01T00:00:00+01:00"}, None),
        ({"not_after": "9999-12-31T23:59:59-01:00"}, None),
        ({"not_after": "tomorrow"}, None),
        ({"not_after": "2026-12-01T00:00:00"}, None),
        ({}, {"custom": {"reprise": {"idempotency_key": 1}}}),
        ({}, {"custom": {"reprise": {"scope": "ü"}}}),
        ({}, {"custom": {"reprise": {"not_after": "x"}}}),
        ({}, {"custom": {"reprise": "text"}}),
    ]


def _said(headers: dict[str, str], context: object) -> dict[str, Any]:
    text = None if context is None else base64.b64encode(json.dumps(context).encode()).decode()
    asked: dict[str, Any] = {
        "headers": {HEADERS[name]: value for name, value in headers.items()},
        "client_context": text,
    }
    try:
        found = read_said(headers, text)
    except BadRequestError as error:
        return asked | {"refused": error.field}
    return asked | {"said": asdict(found)}


def _requests() -> list[tuple[str, str, str, dict[str, str], str]]:
    """Return method, path, query, headers and body."""
    arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders"
    invocations = f"/2015-03-31/functions/{arn}/invocations"
    return [
        ("POST", "/2015-03-31/functions/orders/invocations", "", {}, '{"n": 1}'),
        ("POST", invocations, "Qualifier=%24LATEST", {"X-Amz-Client-Context": "e30="}, ""),
        ("POST", invocations, "", {"X-Amz-Log-Type": " Tail  now ", "Content-Type": "a/b"}, "ü"),
        ("GET", "/2015-03-31/functions/", "MaxItems=1&Marker=a%2Fb%20c&empty=", {}, ""),
        ("DELETE", f"/2017-03-31/tags/{arn}", "tagKeys=b&tagKeys=a", {}, ""),
        ("GET", "/2015-03-31/functions/", "a-b=1&a=2&a.b=0&a=1", {}, ""),
    ]


def _signature(
    method: str, path: str, query: str, header: dict[str, str], body: str
) -> dict[str, Any]:
    """Return a request and its signature by botocore's own signer."""
    host, stamp = "lambda.eu-west-1.amazonaws.com", "20261129T120000Z"
    url = f"https://{host}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, headers=header, data=body.encode())
    signer = SigV4Auth(Credentials("AKID", "secret", "token"), "lambda", "eu-west-1")
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    request.headers["X-Amz-Security-Token"] = "token"
    asked = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, asked), request)
    listed = signer.signed_headers(signer.headers_to_sign(request))
    return {
        "method": method,
        "host": host,
        "path": path,
        "query": query,
        "header": header,
        "body": body,
        "service": "lambda",
        "region": "eu-west-1",
        "stamp": stamp,
        "authorization": f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={listed}, Signature={signature}",
    }


def text_of(vectors: dict[str, Any]) -> str:
    """Return the vectors' file."""
    return json.dumps(vectors, indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text_of(make()))
    sys.stdout.write(f"{VECTORS}\n")
