"""docs/reference/errors.md: how calls end, why they are given up, and what each answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.call.outcome import KIND_BY_CODE, OutcomeKind
from reprise.capturing import kept
from reprise.dead_letter import CONDITIONS
from reprise.ledger import State
from reprise.retry.decision import Reason
from reprise_reference.markdown import notes, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """# Outcomes, errors and reasons

Written by `make reference` from the code. The command's exit codes are in [the command](command.md#exit-codes), the library's
exceptions in [the library](library.md), what lies in quarantine in [its runbook](../runbooks/quarantine.md).

## What a caller of a kept call gets

| way in | a call that was kept | one that should have been, and was not |
|---|---|---|
| local endpoint, boto3 plugin | status 202, `FunctionError` `{function_error}`, `errorType` `{error_type}`; with `REPRISE_ON_CAPTURE=exception` status 424, `{exception}` | the target's own answer, and the header `{not_captured}` |
| the invoker | `StatusCode` 202, `reprise.id`, `reprise.status_token` | the target's own answer, and `not_captured` with the reason |
| a front door | as its sender can be told: [API Gateway](../howto/api-gateway.md), [load balancers](../howto/alb.md), [Step Functions and others](../howto/step-functions.md) | `errorType` `Reprise.NotCaptured`, or 503, 504 or 502 |
| the library | `CallResult.status_code` 202, `call_id`, `status_token` | `not_captured` |

A request that cannot be served is refused before anything is invoked: `StatusCode` 400, with field and next step; 409 where an
idempotency key names another payload; at a front door `errorType` `Reprise.BadRequest`.
"""


def errors_page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.format(
        function_error=kept.FUNCTION_ERROR,
        error_type=kept.ERROR_TYPE,
        exception=kept.EXCEPTION,
        not_captured=kept.NOT_CAPTURED_HEADER,
    )
    yield "## Outcomes of an attempt\n"
    rows = []
    for name, _, text in notes(OutcomeKind):
        kind = OutcomeKind[name]
        codes = sorted(code for code, found in KIND_BY_CODE.items() if found is kind)
        rows.append((f"`{kind}`", text, ", ".join(f"`{code}`" for code in codes)))
    yield from table(["outcome", "", "AWS's error codes"], rows)
    yield "A code that is not named goes by its status: 429 is `throttled`, 5xx `transient`, the rest `permanent`.\n"
    yield "## States of a captured call\n"
    yield from table(["state", ""], [(f"`{State[name]}`", text) for name, _, text in notes(State)])
    yield "## Why a call was given up\n"
    given_up = [
        (f"`{Reason[name]}`", text, f"`{CONDITIONS[Reason[name]]}`")
        for name, _, text in notes(Reason)
    ]
    yield from table(["reason", "", "`condition` in dead letter and event"], given_up)
    yield "What to do about each: [the runbook of dead letters](../runbooks/dead-letters.md).\n"
