"""Hypothesis strategies of the project's values, and plain values for example-based tests."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from doubles import FakeKeys
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import digest, pack
from reprise.call.reply_to import ReplyTo
from reprise.call.target import RANDOM_BYTES, Target, id_of, new_call_id
from reprise.capturing.line import Verifier, sign_record
from reprise.capturing.record import Record, Source
from reprise.capturing.signature import MacKeys
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError
from reprise.instant import format_instant
from reprise.ledger import Row, State
from reprise.retry.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
ACCOUNT = "123456789012"
ARN_PREFIX = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:"
ORDERS = f"{ARN_PREFIX}orders"
KEY = "a key for tests, of enough characters"
KEYS = MacKeys("invoker", "k1", {"k1": KEY}, ("*",))
PIPELINE_KEYS = MacKeys("pipeline", "k1", {"k1": f"{KEY} and the pipeline's"}, ("arn:aws:batch:*",))
KEYRING = FakeKeys(PIPELINE_KEYS, (KEYS,))
TRUSTED = Verifier(keys=KEYRING, targets=(f"{ARN_PREFIX}*",))
LOG_GROUP = "/reprise/reprise/capture"


def make_record(**changes: Any) -> Record:
    """Return an ordinary record with some fields changed."""
    payload = pack(b'{"order":1}', 200_000)
    assert payload is not None
    fields: dict[str, Any] = {
        "id": "orders:order-1",
        "captured_at": format_instant(NOW),
        "source": Source(name="invoker", version="0.1.0"),
        "target": Target(function=ORDERS),
        "payload": payload,
        "outcome": Outcome(kind=OutcomeKind.THROTTLED, code="TooManyRequestsException", status=429),
    }
    return Record(**(fields | changes))


def signed(record: Record | None = None, keys: MacKeys = KEYS) -> Record:
    """Return a record as its source signs it."""
    return sign_record(record if record is not None else make_record(), keys)


def signed_document(document: dict[str, Any], keys: MacKeys = KEYS) -> dict[str, Any]:
    """Return a capture line's JSON as a holder of these keys could sign it, as it should be or not."""
    unsigned = {name: value for name, value in document.items() if name != "mac"}
    try:
        content = msgspec.to_builtins(decode_record(unsigned))
    except BadRecordError:
        content = dict(unsigned)
    content.pop("mac", None)
    return {**unsigned, "mac": msgspec.to_builtins(keys.sign(content))}


def make_row(**changes: Any) -> Row:
    """Return an ordinary row with some fields changed."""
    at = format_instant(NOW)
    row = Row(
        id="orders:order-1",
        state=State.CAPTURED,
        target=ORDERS,
        sha256=digest(b'{"order":1}'),
        captured_at=at,
        opened_at=at,
        updated_at=at,
    )
    return replace(row, **changes)


def log_event(message: str, event_id: str = "1") -> dict[str, Any]:
    """Return one event as CloudWatch Logs writes it."""
    return {"id": event_id, "timestamp": NOW_MS, "message": message}


def envelope(messages: Sequence[str]) -> bytes:
    """Return a DATA_MESSAGE of CloudWatch Logs (F§1), not compressed."""
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": LOG_GROUP,
        "logStream": "2026/11/21/[$LATEST]0123",
        "subscriptionFilters": ["capture"],
        "logEvents": [log_event(message, str(i)) for i, message in enumerate(messages)],
    }
    return json.dumps(document, separators=(",", ":")).encode()


CONTROL = json.dumps(
    {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [
            {
                "id": "",
                "timestamp": NOW_MS,
                "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose.",
            }
        ],
    }
).encode()


def zipped(data: bytes) -> bytes:
    """Return a gzip member; always the same for the same data."""
    return gzip.compress(data, compresslevel=6, mtime=0)


# What UTF-8 can carry: lone surrogates are no text.
texts = st.text(st.characters(codec="utf-8"), max_size=30)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
function_names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
qualifiers = st.from_regex(r"\$LATEST(\.PUBLISHED)?|[A-Za-z0-9_-]{1,20}", fullmatch=True)
targets = st.builds(
    Target,
    function=function_names.map(lambda name: f"{ARN_PREFIX}{name}"),
    qualifier=st.none() | qualifiers,
    tenant_id=st.none() | texts,
)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware next
    lambda instant: instant.replace(tzinfo=UTC)
)
payload_bytes = (
    st.binary(max_size=400)
    | texts.map(str.encode)
    | json_values.map(lambda value: json.dumps(value).encode())
)
outcomes = st.builds(
    Outcome,
    kind=st.sampled_from(OutcomeKind),
    code=st.none() | texts,
    reason=st.none() | texts,
    status=st.none() | st.integers(100, 599),
    message=st.none() | texts,
    retry_after_s=st.none() | st.floats(0, 1e6),
    request_id=st.none() | texts,
    function_error=st.none() | texts,
)
keys = st.from_regex(r"[!-~]{1,256}", fullmatch=True)
"""What may be an idempotency key, or a scope."""
random_ids = st.builds(
    new_call_id, st.integers(0, 2**48 - 1), st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
)


def keyed(record: Record, key: str, scope: str | None = None) -> Record:
    """Return a record of a call whose caller gave it a key."""
    call_id = id_of(record.target, source=record.source.name, scope=scope, key=key)
    return msgspec.structs.replace(record, id=call_id, idempotency_key=key, scope=scope)


_unkeyed_records = st.builds(
    make_record,
    id=random_ids,
    captured_at=instants.map(format_instant),
    source=st.builds(Source, name=st.just("invoker"), version=texts),
    target=targets,
    payload=payload_bytes.map(lambda data: pack(data, 10**6)),
    client_context=st.none() | texts,
    outcome=outcomes,
    not_after=st.none() | instants.map(format_instant),
    trace=st.none() | texts,
)
reply_tos = st.one_of(
    st.builds(ReplyTo, queue=texts),
    st.builds(ReplyTo, event=st.just(value=True) | texts),
    st.builds(ReplyTo, task_token=texts),
    st.builds(ReplyTo, callback_id=texts),
    st.builds(ReplyTo, webhook=texts),
)


def replied_to(record: Record, reply_to: ReplyTo) -> Record:
    return msgspec.structs.replace(record, reply_to=reply_to)


_keyed_records = st.builds(keyed, _unkeyed_records, keys, st.none() | keys)
records = _unkeyed_records | _keyed_records | st.builds(replied_to, _unkeyed_records, reply_tos)
waits_s = st.floats(0, 43_200)
policies = st.builds(
    lambda waits, **fields: Policy(
        initial_interval_s=min(waits), maximum_interval_s=max(waits), **fields
    ),
    waits=st.tuples(waits_s, waits_s),
    maximum_attempts=st.integers(1, 100),
    max_age_s=st.integers(60, 14 * 86_400),
    backoff_coefficient=st.floats(1, 10),
    replay_on=st.frozensets(st.sampled_from(OutcomeKind)),
    non_retryable_error_types=st.frozensets(texts, max_size=3),
    idempotent=st.booleans(),
    capture_on=st.none() | st.frozensets(st.sampled_from([*OutcomeKind][1:])),
)
