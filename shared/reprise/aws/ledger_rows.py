"""Write rows as DynamoDB items and read them back, and enter, read and lease many at a time.

Numbers, text and one flag are all that a row needs; the history travels as JSON text, so that one write
replaces it whole. Rows are entered by one PartiQL INSERT each, 25 a request, which fails alone where there is
a row already, and leases are taken so, too, one UPDATE each. DynamoDB bills by item, however many share a
request.

Source: DynamoDB developer guide, "PartiQL insert statements for DynamoDB", "PartiQL update statements for
DynamoDB", "Running batch operations with PartiQL for DynamoDB".
"""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import fields
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.aws.fault import store_errors
from reprise.errors import StoreError
from reprise.instant import format_instant
from reprise.ledger import (
    REDRIVE_KEEPS_S,
    LedgerEvent,
    PastAttempt,
    PastEnd,
    Row,
    State,
    ends_after,
    may_lease,
    result,
    sources,
)
from reprise.ports import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.ports import LeaseRequest, SettleRequest

_log = logging.getLogger(__name__)
_FIELDS: Final = dict.fromkeys(field.name for field in fields(Row))
"""The names, in their order: looked up for every attribute of every row that is read."""


def to_attribute(value: object) -> dict[str, Any]:
    """Return a value as a DynamoDB attribute."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": str(value)}
        case _:
            return {"S": json.dumps(msgspec.to_builtins(value), separators=(",", ":"))}


def to_item(row: Row) -> dict[str, Any]:
    """Return a row as an item; fields that are not set are left out."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return {
        name: to_attribute(value)
        for name, value in values.items()
        if value is not None and value != ()
    }


def from_item(item: Mapping[str, Any]) -> Row:
    """Return the row of an item; attributes of a later version are ignored."""
    values: dict[str, Any] = {}
    for name, attribute in item.items():
        if name not in _FIELDS:
            continue
        ((kind, value),) = attribute.items()
        values[name] = int(value) if kind == "N" else value
    values["state"] = State(values["state"])
    if "history" in values:
        values["history"] = tuple(
            msgspec.convert(json.loads(values["history"]), list[PastAttempt], strict=False)
        )
    if "ends" in values:
        values["ends"] = tuple(msgspec.convert(json.loads(values["ends"]), list[PastEnd]))
    return Row(**values)


MAX_STATEMENTS: Final = 25
"""DynamoDB API reference, BatchExecuteStatement."""
MAX_KEYS: Final = 100
"""DynamoDB API reference, BatchGetItem."""
_ROUNDS: Final = 4
_WAIT_S: Final = 0.1
"""Before the second round, drawn from the upper half; twice as long before each further one."""
_PASSING: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""Codes of a statement that may be tried again (DynamoDB API reference, BatchStatementError)."""


def _wait(round_: int) -> None:
    time.sleep(_WAIT_S * 2 ** (round_ - 1) * random.uniform(0.5, 1))  # noqa: S311 - spread, no secret


class LedgerRows:
    """The rows of the ledger's table, many at a time."""

    __slots__ = ("_client", "_table", "_wait")

    def __init__(
        self, client: DynamoDBClient, table: str, wait: Callable[[int], None] = _wait
    ) -> None:
        """Use this table; `wait` lets some time pass after so many rounds."""
        self._client = client
        self._table = table
        self._wait = wait

    def record_all(self, rows: Sequence[Row]) -> dict[str, Row | None]:
        """Write new rows, 25 a request; return by id what was there already, None where nothing was.

        Each has a verdict of its own: what is left out could not be told, and must be asked again.
        """
        told: dict[str, Row | None] = {}
        first: dict[str, Row] = {}
        for row in rows:
            first.setdefault(row.id, row)
        left = list(first.values())
        for round_ in range(_ROUNDS):
            if round_:
                self._wait(round_)
            there: list[str] = []
            again: list[Row] = []
            try:
                for batch in batched(left, MAX_STATEMENTS):
                    codes = self._insert(batch)
                    told |= {row.id: None for row, code in codes if code is None}
                    there += [row.id for row, code in codes if code == "DuplicateItem"]
                    again += [row for row, code in codes if code in _PASSING]
                told |= self.get_all(there)
            except StoreError as error:
                # The SDK has tried for most of a minute: the other requests would take as long.
                code, operation = error.code, error.operation
                _log.warning("no more rows now", extra={"code": code, "operation": operation})
                break
            left = again
            if not left:
                break
        return told

    def _insert(self, rows: Sequence[Row]) -> list[tuple[Row, str | None]]:
        """Write at most 25 rows; return each with the code of its error, None where it was written."""
        statements: Any = []
        for row in rows:
            item = to_item(row)
            text = _insert_of(self._table, tuple(item))
            statements.append({"Statement": text, "Parameters": list(item.values())})
        with store_errors("dynamodb", "BatchExecuteStatement"):
            response = self._client.batch_execute_statement(Statements=statements)
        codes = [each.get("Error", {}).get("Code") for each in response["Responses"]]
        failed = sorted({str(code) for code in codes if code not in {None, "DuplicateItem"}})
        if failed:
            _log.warning("some rows were not written now", extra={"codes": failed})
        return list(zip(rows, codes, strict=True))

    def get_all(self, call_ids: Sequence[str], *, is_late: bool = False) -> dict[str, Row]:
        """Return the rows that there are, 100 a request: as they are now, or as of late, at half the price.

        Raises:
            StoreError: If any of them cannot be read.
        """
        found: dict[str, Row] = {}
        left = list(dict.fromkeys(call_ids))
        for round_ in range(_ROUNDS):
            if round_:
                self._wait(round_)
            again: list[str] = []
            for batch in batched(left, MAX_KEYS):
                asked: Any = {
                    "Keys": [key_of(call_id) for call_id in batch],
                    "ConsistentRead": not is_late,
                }
                with store_errors("dynamodb", "BatchGetItem"):
                    response = self._client.batch_get_item(RequestItems={self._table: asked})
                items = response["Responses"].get(self._table, [])
                found |= {
                    str(item["id"]["S"]): from_item(item) for item in items if "state" in item
                }
                unread: Any = response.get("UnprocessedKeys", {}).get(self._table, {})
                again += [key["id"]["S"] for key in unread.get("Keys", [])]
            left = again
            if not left:
                return found
        raise StoreError("dynamodb", "BatchGetItem", "Unprocessed", f"{len(left)} rows are missing")

    def lease_all(
        self, wanted: Sequence[LeaseRequest], *, now: datetime, until_ms: int
    ) -> dict[str, Lease]:
        """Take calls for one attempt each, two requests for up to 25; return by owner what was granted.

        Each row is read, judged here, and taken if it still is as it was read. What is left out may be had
        all the same, and is asked for alone: a second delivery of a call, a row that was changed meanwhile,
        or one whose answer was lost.

        Raises:
            StoreError: If the rows cannot be read, or a request failed whole: any may be ours.
        """
        first: dict[str, LeaseRequest] = {}
        for each in wanted:
            first.setdefault(each.call_id, each)
        rows, now_ms = self.get_all(list(first)), int(now.timestamp() * 1000)
        may_have = [
            (request, row)
            for call_id, request in first.items()
            if (row := rows.get(call_id)) and may_lease(row, now_ms=now_ms, of=request.of)
        ]
        leases: dict[str, Lease] = {}
        for batch in batched(may_have, MAX_STATEMENTS):
            leases |= self._take(batch, format_instant(now), until_ms)
        return leases

    def _take(
        self, batch: Sequence[tuple[LeaseRequest, Row]], now: str, until_ms: int
    ) -> dict[str, Lease]:
        """Write at most 25 leases of rows that are as they were read; return those that were written."""
        statements: list[dict[str, Any]] = []
        for request, row in batch:
            after = {
                "state": result(LedgerEvent.LEASE),
                "lease_from": row.state,
                "lease_owner": request.owner,
                "lease_until_ms": until_ms,
                "updated_at": now,
            }
            # Whatever changes a row changes the one or the other of these.
            before = {
                "id": row.id,
                "state": row.state,
                "updated_at": row.updated_at,
                "may_have_run": row.may_have_run,
            }
            statements.append(self._update(after, before))
        return {
            request.owner: Lease(granted=True, before=row)
            for (request, row), is_done in zip(batch, self._execute(statements), strict=True)
            if is_done
        }

    def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
        """End leases, 25 a request; return the owners of those that were ended by this.

        What is left out may have been ended all the same, by an answer that was lost.

        Raises:
            StoreError: If a request failed whole: nothing is known of any.
        """
        told: set[str] = set()
        for batch in batched(wanted, MAX_STATEMENTS):
            statements: list[dict[str, Any]] = []
            for request in batch:
                (held,) = sources(request.event)
                given = {
                    name: value for name, value in request.changes.items() if value is not None
                }
                after = {**given, "state": result(request.event)}
                before = {"id": request.call_id, "state": held, "lease_owner": request.owner}
                statements.append(self._update(after, before))
            done = zip(batch, self._execute(statements), strict=True)
            told |= {request.owner for request, is_done in done if is_done}
        return frozenset(told)

    def redrive_all(self, dead: Sequence[Row], *, now: datetime) -> frozenset[str]:
        """Open dead-lettered calls again, 25 a request; return the ids of those that were opened by this.

        What is left out may have been opened all the same, by an answer that was lost.

        Raises:
            StoreError: If a request failed whole: nothing is known of any.
        """
        (source,) = sources(LedgerEvent.REDRIVE)
        at, opened = format_instant(now), set[str]()
        for batch in batched(dead, MAX_STATEMENTS):
            statements: list[dict[str, Any]] = []
            for row in batch:
                after = {
                    "state": result(LedgerEvent.REDRIVE),
                    "opened_at": at,
                    "updated_at": at,
                    "ends": ends_after(row, LedgerEvent.REDRIVE),
                    "attempts": 0,
                    "refusals": 0,
                    "due_at_ms": 0,
                    "letter_sent": False,
                    "may_have_run": False,
                    "expires_at_s": row.expires_at_s + REDRIVE_KEEPS_S,
                }
                before = {"id": row.id, "state": source, "opened_at": row.opened_at}
                statements.append(
                    self._update(after, before, without=("reason", "message", "note", "claimed_by"))
                )
            done = zip(batch, self._execute(statements), strict=True)
            opened |= {row.id for row, is_done in done if is_done}
        return frozenset(opened)

    def _update(
        self,
        after: Mapping[str, object],
        before: Mapping[str, object],
        *,
        without: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Return the statement that changes a row, its id among what must be so before."""
        text = _update_of(self._table, tuple(after), tuple(before), without)
        parameters = [to_attribute(value) for value in (*after.values(), *before.values())]
        return {"Statement": text, "Parameters": parameters}

    def _execute(self, statements: Any) -> list[bool]:  # noqa: ANN401 - typed by the client's stubs
        """Run at most 25 statements that change rows; tell of each whether it did."""
        with store_errors("dynamodb", "BatchExecuteStatement"):
            response = self._client.batch_execute_statement(Statements=statements)
        return ["Error" not in answer for answer in response["Responses"]]


@lru_cache(maxsize=64)
def _insert_of(table: str, names: tuple[str, ...]) -> str:
    """Return the statement that inserts an item of these attributes."""
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


@lru_cache(maxsize=64)
def _update_of(
    table: str, after: tuple[str, ...], before: tuple[str, ...], without: tuple[str, ...]
) -> str:
    """Return the statement that sets attributes of an item, and takes some away.

    It does so if others, the item's key among them, are as given.
    """
    sets = " ".join(
        [*(f'SET "{name}" = ?' for name in after), *(f'REMOVE "{name}"' for name in without)]
    )
    conditions = " AND ".join(f'"{name}" = ?' for name in before)
    return f'UPDATE "{table}" {sets} WHERE {conditions}'


def key_of(call_id: str) -> dict[str, Any]:
    """Return the key of a call's row."""
    return {"id": {"S": call_id}}
