"""What a caller is told of a call that was kept, in the shape that Lambda gives a function's error.

For the doors through which a caller invokes its target by the target's own name, and that so cannot answer in
a shape of their own: code that knows nothing of us must not take it for the target's reply.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import OutcomeKind
from reprise.capturing.answer import fill_status_url, write_outcome

if TYPE_CHECKING:
    from reprise.call.outcome import Outcome
    from reprise.capturing.invoker import Captured

ERROR_TYPE: Final = "Reprise.Captured"
FUNCTION_ERROR: Final = "Captured"
"""Value of `X-Amz-Function-Error`; the target's own are `Handled` and `Unhandled`."""
EXCEPTION: Final = "CallCapturedException"
"""Error code where an exception is wanted: one that no SDK tries again."""
ID_HEADER: Final = "x-reprise-id"
TOKEN_HEADER: Final = "x-reprise-status-token"  # noqa: S105 - a name
NOT_CAPTURED_HEADER: Final = "x-reprise-not-captured"
LATE_HEADER: Final = "x-reprise-late-result"


def what_happened(outcome: Outcome) -> str:
    """Return one clause of how a call failed; never what a target says, for this may be public."""
    why = " ".join(str(part) for part in (outcome.status, outcome.reason or outcome.code) if part)
    match outcome.kind:
        case OutcomeKind.THROTTLED if outcome.status is None:
            return f"not called again ({why})"
        case OutcomeKind.THROTTLED:
            return f"refused by Lambda ({why})"
        case OutcomeKind.FUNCTION_ERROR:
            return f"failed in its function ({outcome.code})"
        case OutcomeKind.UNKNOWN:
            return f"not answered ({why})"
        case _:
            return f"failed on its way ({why})"


def kept_message(outcome: Outcome, call_id: str) -> str:
    """Return in a sentence what became of a call that was kept, and what to do next."""
    # It may have run: only a policy that says `idempotent` lets it run again.
    then = "will be replayed"
    if outcome.kind is OutcomeKind.UNKNOWN:
        then = "will be replayed if its policy says idempotent"
    return f"{what_happened(outcome)}, kept as {call_id}, {then}; reprise status {call_id}"


def write_kept(captured: Captured, outcome: Outcome, status_url: str) -> bytes:
    """Return the payload of the answer, an error document of Lambda's shape.

    Args:
        captured: The call.
        outcome: How its invocation ended.
        status_url: With `{id}`, and if need be `{token}`, where the call's own go.
    """
    document = {
        "errorType": ERROR_TYPE,
        "errorMessage": kept_message(outcome, captured.call_id),
        "reprise": {
            "id": captured.call_id,
            "outcome": write_outcome(outcome),
            "status_token": captured.status_token,
            "status_url": fill_status_url(status_url, captured),
        },
    }
    return json.dumps(document).encode()
