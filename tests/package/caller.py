"""What a caller writes, with the types that it may count on; it is checked, and not run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, assert_type

import reprise
from reprise import client
from reprise.call.outcome import Outcome
from reprise.client import CallResult, Client
from reprise.testing import FakeClient

answer = client.invoke(
    "orders", '{"order": 1}', idempotency_key="order-1", not_after=datetime(2030, 1, 1, tzinfo=UTC)
)
assert_type(answer, CallResult)
assert_type(answer.status_code, int)
assert_type(answer.payload, bytes)
assert_type(answer.outcome, Outcome)
assert_type(answer.call_id, str | None)
assert_type(Client().invoke("orders", b"{}", qualifier="live"), CallResult)
version: str = reprise.__version__


@reprise.capture
def handler(event: dict[str, Any], context: object) -> str:
    """Answer as Lambda's handlers do."""
    del context
    return str(event["order"])


assert_type(handler({"order": 1}, None), str)


def place(order: int, to: Client | FakeClient) -> str:
    """Use the client in one's own code, which its tests call with the double."""
    return "later" if to.invoke("orders", str(order)).status_code == 202 else "now"


assert_type(FakeClient(FakeClient.captured()).invoke("orders"), CallResult)
place(1, FakeClient())
