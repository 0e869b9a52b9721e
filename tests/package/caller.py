"""What a caller writes, with the types that it may count on; it is checked, and not run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, assert_type

import reprise
from reprise import client as module
from reprise.testing import FakeClient

answer = reprise.invoke(
    "orders",
    '{"order": 1}',
    qualifier="live",
    client_context="e30=",
    tenant_id="t-1",
    idempotency_key="order-1",
    scope="shop",
    not_after=datetime(2030, 1, 1, tzinfo=UTC),
)
assert_type(answer, reprise.CallResult)
assert_type(answer.status_code, int)
assert_type(answer.payload, bytes)
assert_type(answer.function_error, str | None)
assert_type(answer.outcome, reprise.Outcome)
assert_type(answer.outcome.kind, reprise.OutcomeKind)
assert_type(answer.call_id, str | None)
assert_type(answer.status_token, str | None)
assert_type(answer.not_captured, str | None)
assert_type(answer.is_late, bool)
assert_type(module.invoke("orders"), reprise.CallResult)
version: str = reprise.__version__

client = reprise.Client(
    targets=["arn:aws:lambda:eu-west-1:111122223333:function:orders"],
    bucket="bucket",
    mac_secret_arn="arn",
    ledger_table="ledger",
    call_timeout_s=20,
    capture_outcomes={reprise.OutcomeKind.THROTTLED, "transient"},
    capture_log_group="stdout",
)
assert_type(client.invoke("orders", b"{}", qualifier="live"), reprise.CallResult)
assert_type(reprise.Client().invoke("orders"), reprise.CallResult)

status = client.result_of("orders:order-1", answer.status_token)
assert_type(status, reprise.CallStatus | None)
if status is not None:
    assert_type(status.call_id, str)
    assert_type(status.state, reprise.State)
    assert_type(status.target, str)
    assert_type(status.attempts, int)
    assert_type(status.payload, bytes | None)
    assert_type(status.reason, str | None)
    assert_type(status.message, str | None)
    assert_type(status.captured_at, datetime)
    assert_type(status.updated_at, datetime)


@reprise.capture
def handler(event: dict[str, Any], context: object) -> str:
    """Answer as Lambda's handlers do."""
    del context
    return str(event["order"])


@reprise.capture(on=(TimeoutError, ConnectionError))
def choosy(event: dict[str, Any], context: object) -> int:
    """Have some errors captured only."""
    del context
    return len(event)


assert_type(handler({"order": 1}, None), str)
assert_type(choosy({"order": 1}, None), int)


def explain(error: Exception) -> str | None:
    """Tell the errors apart, by whose fault they are."""
    match error:
        case reprise.BadRequestError():
            assert_type(error.status, int)
            return f"{error.field}: {error.message}. {error.next_step}"
        case reprise.StoreError():
            return f"{error.service}.{error.operation}: {error.code}"
        case reprise.SettingsError() | reprise.RepriseError():
            return str(error)
        case _:
            return None


def place(order: int, to: reprise.Client | FakeClient) -> str:
    """Use the client in one's own code, which its tests call with the double."""
    sent = to.invoke("orders", str(order))
    if sent.call_id is not None:
        assert_type(to.result_of(sent.call_id), reprise.CallStatus | None)
    return "later" if sent.status_code == 202 else "now"


double = FakeClient(
    FakeClient.captured("orders:1"),
    statuses=[FakeClient.status("orders:1", reprise.State.SUCCEEDED, payload=b"sold")],
)
assert_type(double.invoke("orders"), reprise.CallResult)
assert_type(double.invoked, list[tuple[str, bytes, dict[str, Any]]])
place(1, FakeClient())
