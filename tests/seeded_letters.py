"""Dead letters of a deployed stack, put where its replayer puts them: signed, with their rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from reprise.aws.keys import SecretKeys, secret_name
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.sqs import SqsQueue
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import pack
from reprise.call.target import Target
from reprise.capturing.line import sign_record
from reprise.dead_letter import dead_letter
from reprise.instant import format_instant, utc_now
from reprise.ledger import PastAttempt, State, new_row
from reprise.ports import OutMessage
from strategies import make_record

if TYPE_CHECKING:
    from reprise_cli.stack import Stack

_SOURCE = "invoker"
_KEPT_DAYS = 14


def seed_letters(
    stack: Stack, clients: Any, function_arn: str, run: str, count: int, **payload: object
) -> list[str]:
    """Put so many letters of a target that writes receipts, its calls numbered from 1; return their ids.

    Args:
        stack: The stack.
        clients: Has clients of services as `sqs`, `dynamodb` and `secrets`.
        function_arn: The target.
        run: Name of the receipts.
        count: Letters.
        payload: What the target is told beside run and number.
    """
    keys = SecretKeys(clients.secrets, secret_name(stack.name, _SOURCE)).keys()
    ledger = LedgerTable(clients.dynamodb, stack.ledger_table)
    queue = SqsQueue(clients.sqs, stack.dead_letter_queue_url)
    now = utc_now()
    template = make_record(
        target=Target(function=function_arn), captured_at=format_instant(now - timedelta(hours=1))
    )
    failed = Outcome(kind=OutcomeKind.FUNCTION_ERROR, code="Poison", status=200)
    failed_at = format_instant(now - timedelta(minutes=30))
    history = (PastAttempt(at=failed_at, outcome=failed),) * 3
    ids = [f"{run}-{number}" for number in range(1, count + 1)]
    for some in batched(range(1, count + 1), 100):
        rows, letters = [], []
        for number in some:
            body = {"run": run, "call": number, "behaviour": "ok", **payload}
            packed = pack(json.dumps(body).encode(), 200_000)
            record = msgspec.structs.replace(template, id=ids[number - 1], payload=packed)
            signed = sign_record(record, keys)
            row = replace(
                new_row(signed, None, now, _KEPT_DAYS),
                state=State.DEAD_LETTERED,
                attempts=3,
                reason="exhausted",
                message="3 attempts failed",
                # As the replayer leaves it: what fails again after a redrive says nothing new of its target.
                history=history,
                letter_sent=True,
            )
            rows.append(row)
            letters.append(OutMessage(body=dead_letter(signed, row, now=now)))
        told = ledger.record_all(rows)
        assert len(told) == len(rows)
        queue.send(letters)
    return ids
