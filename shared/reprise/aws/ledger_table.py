"""The ledger in DynamoDB: every change is a conditional write, its states from the table of states.

Source: DynamoDB developer guide, "Condition expressions" and `ReturnValuesOnConditionCheckFailure`,
which gives the row that stood in the way without another read. Rows are entered in batches, one PartiQL
INSERT each, which fails alone where there is a row already, and leases taken so, too, one UPDATE each:
"PartiQL insert statements for DynamoDB", "PartiQL update statements for DynamoDB", "Running batch operations
with PartiQL for DynamoDB".
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise.aws.clients import is_failed_condition, store_errors
from reprise.aws.ledger_item import from_item, to_attribute, to_item
from reprise.errors import StoreError
from reprise.instant import format_instant
from reprise.ledger import REDRIVE_KEEPS_S, LedgerEvent, State, may_lease, result, sources
from reprise.ports import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.ledger import Identity, Row
    from reprise.ports import LeaseRequest

_log = logging.getLogger(__name__)
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


class LedgerTable:
    """The ledger's table."""

    __slots__ = ("_client", "_table", "_wait")

    def __init__(
        self, client: DynamoDBClient, table: str, wait: Callable[[int], None] = _wait
    ) -> None:
        """Use this table; `wait` lets some time pass after so many rounds."""
        self._client = client
        self._table = table
        self._wait = wait

    def record(self, row: Row) -> Row | None:
        """Write a new row, or return the one that is there already."""
        with store_errors("dynamodb", "PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(row),
                    ConditionExpression="attribute_not_exists(#id)",
                    ExpressionAttributeNames={"#id": "id"},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                return self._in_the_way(error, row.id)
        return None

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
            for batch in batched(left, MAX_STATEMENTS):
                codes = self._insert(batch)
                told |= {row.id: None for row, code in codes if code is None}
                there += [row.id for row, code in codes if code == "DuplicateItem"]
                again += [row for row, code in codes if code in _PASSING]
            try:
                told |= self.get_all(there)
            except StoreError as error:
                _log.warning("rows could not be read now", extra={"code": error.code})
            left = again
            if not left:
                break
        return told

    def _insert(self, rows: Sequence[Row]) -> list[tuple[Row, str | None]]:
        """Write at most 25 rows; return each with the code of its error, None where it was written.

        No row is returned if the request failed: the SDK has tried it several times.
        """
        statements: Any = []
        for row in rows:
            item = to_item(row)
            text = _insert_of(self._table, tuple(item))
            statements.append({"Statement": text, "Parameters": list(item.values())})
        try:
            with store_errors("dynamodb", "BatchExecuteStatement"):
                response = self._client.batch_execute_statement(Statements=statements)
        except StoreError as error:
            _log.warning("rows were not written now", extra={"rows": len(rows), "code": error.code})
            return []
        codes = [each.get("Error", {}).get("Code") for each in response["Responses"]]
        failed = sorted({str(code) for code in codes if code not in {None, "DuplicateItem"}})
        if failed:
            _log.warning("some rows were not written now", extra={"codes": failed})
        return list(zip(rows, codes, strict=True))

    def get_all(self, call_ids: Sequence[str]) -> dict[str, Row]:
        """Return the rows that there are, as they are now, 100 a request.

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
                asked: Any = {"Keys": [_key(call_id) for call_id in batch], "ConsistentRead": True}
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

    def get(self, call_id: str) -> Row | None:
        """Return a row as it is now."""
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=_key(call_id), ConsistentRead=True
            )
        item = response.get("Item")
        return from_item(item) if item and "state" in item else None

    def lease(
        self,
        call_id: str,
        *,
        owner: str,
        now: datetime,
        until_ms: int,
        of: Identity | None = None,
    ) -> Lease:
        """Take a call for one attempt, if it is due and has not ended, and no other owner's lease runs.

        With `of` only the call that this is: the same id may not name another one.
        """
        values: dict[str, object] = {
            "leased": result(LedgerEvent.LEASE).value,
            "owner": owner,
            "until": until_ms,
            "now": format_instant(now),
            "now_ms": int(now.timestamp() * 1000),
        }
        open_states = sources(LedgerEvent.LEASE)
        held_states = sources(LedgerEvent.TAKE_OVER)
        values |= {f"open{i}": state.value for i, state in enumerate(open_states)}
        values |= {f"held{i}": state.value for i, state in enumerate(held_states)}
        condition = (
            f"(#state IN ({_names('open', len(open_states))}) AND "
            "(attribute_not_exists(#due) OR #due <= :now_ms)) OR "
            f"(#state IN ({_names('held', len(held_states))}) AND #until < :now_ms)"
        )
        names = {
            "#state": "state",
            "#from": "lease_from",
            "#owner": "lease_owner",
            "#until": "lease_until_ms",
            "#updated": "updated_at",
            "#due": "due_at_ms",
        }
        if of is not None:
            condition = f"({condition}) AND #target = :target AND #sha256 = :sha256"
            values |= of._asdict()
            names |= {f"#{name}": name for name in of._fields}
        with store_errors("dynamodb", "UpdateItem"):
            try:
                response = self._client.update_item(
                    TableName=self._table,
                    Key=_key(call_id),
                    # Right-hand sides see the row as it was: `lease_from` keeps its former state.
                    UpdateExpression="SET #from = #state, #state = :leased, #owner = :owner, "
                    "#until = :until, #updated = :now",
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=_values(values),
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                return self._refused(error, call_id, owner)
        return Lease(granted=True, before=from_item(response["Attributes"]))

    def lease_all(
        self, wanted: Sequence[LeaseRequest], *, now: datetime, until_ms: int
    ) -> dict[str, Lease]:
        """Take calls for one attempt each, two requests for up to 25; return by owner what was granted.

        Each row is read, judged here, and taken if it still is as it was read. What is left out may be had
        all the same, and is asked for alone: a second delivery of a call, a row that was changed meanwhile,
        or one whose answer was lost.

        Raises:
            StoreError: If the rows cannot be read.
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
        statements: Any = []
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
            text = _update_of(self._table, tuple(after), tuple(before))
            parameters = [to_attribute(value) for value in (*after.values(), *before.values())]
            statements.append({"Statement": text, "Parameters": parameters})
        try:
            with store_errors("dynamodb", "BatchExecuteStatement"):
                response = self._client.batch_execute_statement(Statements=statements)
        except StoreError as error:
            _log.warning("leases are taken one by one", extra={"code": error.code})
            return {}
        return {
            request.owner: Lease(granted=True, before=row)
            for (request, row), answer in zip(batch, response["Responses"], strict=True)
            if "Error" not in answer
        }

    def settle(
        self, call_id: str, *, owner: str, event: LedgerEvent, changes: Mapping[str, object]
    ) -> bool:
        """End a lease by an event; False if it is not ours any more.

        Telling it again is harmless: a settled row is not leased, and so does not change twice.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        allowed = sources(event)
        values: dict[str, object] = {
            **given,
            "after": result(event).value,
            "mine": owner,
            **{f"from{i}": state.value for i, state in enumerate(allowed)},
        }
        assignments = ", ".join(["#state = :after", *(f"#{name} = :{name}" for name in given)])
        with store_errors("dynamodb", "UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(call_id),
                    UpdateExpression=f"SET {assignments}",
                    ConditionExpression=f"#state IN ({_names('from', len(allowed))}) "
                    "AND #lease_owner = :mine",
                    ExpressionAttributeNames={
                        "#state": "state",
                        "#lease_owner": "lease_owner",
                        **{f"#{name}": name for name in given},
                    },
                    ExpressionAttributeValues=_values(values),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                return self._is_told(call_id, owner, event)
        return True

    def mark_letter_sent(self, call_id: str, *, opened_at: str) -> None:
        """Note that the dead letter is in its queue.

        Nothing is noted for a row that has reached its end of life, or that was redriven since: its next
        dead letter is another one.
        """
        with store_errors("dynamodb", "UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(call_id),
                    UpdateExpression="SET #sent = :yes",
                    ConditionExpression="#state = :dead AND #opened = :opened",
                    ExpressionAttributeNames={
                        "#sent": "letter_sent",
                        "#state": "state",
                        "#opened": "opened_at",
                    },
                    ExpressionAttributeValues=_values(
                        {
                            "yes": True,
                            "dead": result(LedgerEvent.DEAD_LETTER).value,
                            "opened": opened_at,
                        }
                    ),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise

    def redrive(
        self, call_id: str, *, opened_at: str, now: datetime, sha256: str | None = None
    ) -> bool:
        """Open a dead-lettered call again, its attempts at zero; False if its row is another by now.

        A request that arrives when the call has been opened and has ended once more opens nothing: nobody
        would send a message for it.
        """
        (source,) = sources(LedgerEvent.REDRIVE)
        values: dict[str, object] = {
            "after": result(LedgerEvent.REDRIVE).value,
            "dead": source.value,
            "now": format_instant(now),
            "opened": opened_at,
            "zero": 0,
            "no": False,
            "keep": REDRIVE_KEEPS_S,
        }
        edit = ""
        if sha256 is not None:
            # Right-hand sides see the row as it was.
            edit = ", captured_sha256 = if_not_exists(captured_sha256, sha256), sha256 = :sha256"
            values["sha256"] = sha256
        with store_errors("dynamodb", "UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(call_id),
                    UpdateExpression="SET #state = :after, opened_at = :now, updated_at = :now, "
                    "attempts = :zero, refusals = :zero, due_at_ms = :zero, letter_sent = :no, "
                    f"expires_at_s = expires_at_s + :keep{edit} "
                    "REMOVE #reason, #message, may_have_run",
                    ConditionExpression="#state = :dead AND opened_at = :opened",
                    ExpressionAttributeNames={
                        "#state": "state",
                        "#reason": "reason",
                        "#message": "message",
                    },
                    ExpressionAttributeValues=_values(values),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                return self._is_redriven(call_id, now)
        return True

    def recapture(self, dead: Row, after: Row) -> bool:
        """Write what a later capture makes of a dead-lettered call; False if its row is another by now."""
        values = {
            "state": dead.state,
            "opened": dead.opened_at,
            "updated": dead.updated_at,
            "may": dead.may_have_run,
        }
        with store_errors("dynamodb", "PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(after),
                    # Rows of version 0.1.0 say nothing of `may_have_run`.
                    ConditionExpression="#state = :state AND opened_at = :opened "
                    "AND updated_at = :updated "
                    "AND (attribute_not_exists(may_have_run) OR may_have_run = :may)",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues=_values(values),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                # Our own row stands in the way when the SDK repeated an answered write.
                return self._in_the_way(error, dead.id) == after
        return True

    def release(self, call_id: str, *, owner: str) -> bool:
        """Delete the row that a live call began, as if it had not been; False if it is another's by now."""
        with store_errors("dynamodb", "DeleteItem"):
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key=_key(call_id),
                    # No row: the SDK repeated an answered delete.
                    ConditionExpression="attribute_not_exists(#state) OR "
                    "(#state = :held AND lease_owner = :mine)",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues=_values({"held": State.LEASED, "mine": owner}),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                return False
        return True

    def mark_may_have_run(self, call_id: str) -> bool:
        """Note that another try of a call may have run; False if the call has succeeded, or is not known."""
        values = {"yes": True, "succeeded": State.SUCCEEDED}
        with store_errors("dynamodb", "UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(call_id),
                    UpdateExpression="SET may_have_run = :yes",
                    ConditionExpression="attribute_exists(#state) AND #state <> :succeeded",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues=_values(values),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                return False
        return True

    def _refused(self, error: ClientError, call_id: str, owner: str) -> Lease:
        """Return the refusal of a lease, unless the lease is ours already.

        That is so when the SDK repeated a write whose answer was lost; `lease_from` then tells what
        the row was before.
        """
        row = self._in_the_way(error, call_id)
        if row is None or row.state is not State.LEASED or row.lease_owner != owner:
            return Lease(granted=False, before=row)
        return Lease(granted=True, before=replace(row, state=State(row.lease_from)))

    def _in_the_way(self, error: ClientError, call_id: str) -> Row | None:
        """Return the row that failed a condition; any other error goes on."""
        if not is_failed_condition(error):
            raise error
        item: Any = error.response.get("Item")
        return from_item(item) if item else self.get(call_id)

    def _is_told(self, call_id: str, owner: str, event: LedgerEvent) -> bool:
        """Tell whether the row already says what we came to say: the SDK repeated an answered write."""
        row = self.get(call_id)
        return row is not None and row.lease_owner == owner and row.state is result(event)

    def _is_redriven(self, call_id: str, now: datetime) -> bool:
        """Tell whether this very redrive opened the row: the SDK repeated an answered write."""
        row = self.get(call_id)
        if row is None or row.opened_at != format_instant(now):
            return False
        return row.state is result(LedgerEvent.REDRIVE)


@lru_cache(maxsize=64)
def _insert_of(table: str, names: tuple[str, ...]) -> str:
    """Return the statement that inserts an item of these attributes."""
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


@lru_cache(maxsize=64)
def _update_of(table: str, after: tuple[str, ...], before: tuple[str, ...]) -> str:
    """Return the statement that sets attributes of an item if others, its key among them, are as given."""
    sets = " ".join(f'SET "{name}" = ?' for name in after)
    conditions = " AND ".join(f'"{name}" = ?' for name in before)
    return f'UPDATE "{table}" {sets} WHERE {conditions}'


def _key(call_id: str) -> dict[str, Any]:
    return {"id": {"S": call_id}}


def _names(stem: str, count: int) -> str:
    return ", ".join(f":{stem}{i}" for i in range(count))


def _values(values: Mapping[str, object]) -> dict[str, Any]:
    return {f":{name}": to_attribute(value) for name, value in values.items()}
