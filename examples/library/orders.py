"""Place orders through the library: an order that the target cannot take now is kept, and asked for later.

Runs in any process that has what `reprise sources add` prints in its environment; see
docs/howto/add-a-source.md.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import reprise

if TYPE_CHECKING:
    from reprise.testing import FakeClient


def place(order: dict[str, Any], client: reprise.Client | FakeClient) -> dict[str, Any]:
    """Return the receipt of an order, or the ticket that fetches it later.

    Raises:
        RuntimeError: If the order was neither taken nor kept.
    """
    # The key is the order's own name: whoever places it twice has placed it once.
    result = client.invoke("orders", json.dumps(order), idempotency_key=order["id"])
    match result.status_code:
        case 200 if result.function_error is None:
            receipt: dict[str, Any] = json.loads(result.payload)
            return receipt
        case 202:
            return {"ticket": result.call_id, "token": result.status_token}
        case _:
            raise RuntimeError(result.outcome.message or result.outcome.code)


def fetch(ticket: dict[str, str], client: reprise.Client | FakeClient) -> dict[str, Any] | None:
    """Return the receipt of an order that was kept; None as long as it waits.

    Raises:
        RuntimeError: If it was given up.
    """
    status = client.result_of(ticket["ticket"], ticket["token"])
    if status is None or status.state not in (reprise.State.SUCCEEDED, reprise.State.DEAD_LETTERED):
        return None
    if status.state is reprise.State.DEAD_LETTERED or status.payload is None:
        raise RuntimeError(status.message or status.reason or "its reply was not kept")
    receipt: dict[str, Any] = json.loads(status.payload)
    return receipt


if __name__ == "__main__":
    try:
        print(json.dumps(place(json.load(sys.stdin), reprise.Client())))  # noqa: T201 - the output
    except reprise.RepriseError as error:
        sys.exit(f"error: {error}")
