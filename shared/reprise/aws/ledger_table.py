"""The ledger in DynamoDB: every change is a conditional write, its states from the table of states.

Source: DynamoDB developer guide, "Condition expressions" and `ReturnValuesOnConditionCheckFailure`,
which gives the row that stood in the way without another read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from reprise.aws.fault import is_failed_condition, store_errors
from reprise.aws.ledger_rows import LedgerRows, from_item, key_of, to_attribute, to_item
from reprise.instant import format_instant
from reprise.ledger import (
    CANCELLED,
    REDRIVE_KEEPS_S,
    LedgerEvent,
    State,
    ends_after,
    is_cancelled,
    result,
    sources,
)
from reprise.ports import Lease
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reprise.ledger import Identity, Row


class LedgerTable(LedgerRows):
    """The ledger's table."""

    __slots__ = ()

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

    def get(self, call_id: str) -> Row | None:
        """Return a row as it is now."""
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=key_of(call_id), ConsistentRead=True
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
            "(attribute_not_exists(#due) OR #due <= :now_ms) AND "
            "(attribute_not_exists(#claimed) OR #claimed <= :now_ms)) OR "
            f"(#state IN ({_names('held', len(held_states))}) AND #until < :now_ms)"
        )
        names = {
            "#state": "state",
            "#from": "lease_from",
            "#owner": "lease_owner",
            "#until": "lease_until_ms",
            "#updated": "updated_at",
            "#due": "due_at_ms",
            "#claimed": "claimed_until_ms",
        }
        if of is not None:
            condition = f"({condition}) AND #target = :target AND #sha256 = :sha256"
            values |= of._asdict()
            names |= {f"#{name}": name for name in of._fields}
        with store_errors("dynamodb", "UpdateItem"):
            try:
                response = self._client.update_item(
                    TableName=self._table,
                    Key=key_of(call_id),
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
        is_ended = self._change(
            call_id,
            values,
            UpdateExpression=f"SET {assignments}",
            ConditionExpression=f"#state IN ({_names('from', len(allowed))}) "
            "AND #lease_owner = :mine",
            ExpressionAttributeNames={
                "#state": "state",
                "#lease_owner": "lease_owner",
                **{f"#{name}": name for name in given},
            },
        )
        return is_ended or self._is_told(call_id, owner, event)

    def mark_letter_sent(self, call_id: str, *, opened_at: str) -> None:
        """Note that the dead letter is in its queue.

        Nothing is noted for a row that has reached its end of life, or that was redriven since: its next
        dead letter is another one.
        """
        self._change(
            call_id,
            {
                "yes": True,
                "dead": result(LedgerEvent.DEAD_LETTER).value,
                "opened": opened_at,
            },
            UpdateExpression="SET #sent = :yes",
            ConditionExpression="#state = :dead AND #opened = :opened",
            ExpressionAttributeNames={
                "#sent": "letter_sent",
                "#state": "state",
                "#opened": "opened_at",
            },
        )

    def redrive(self, dead: Row, *, now: datetime, sha256: str | None = None) -> bool:
        """Open a dead-lettered call again, its attempts at zero; False if its row is another by now.

        A request that arrives when the call has been opened and has ended once more opens nothing: nobody
        would send a message for it.
        """
        (source,) = sources(LedgerEvent.REDRIVE)
        values: dict[str, object] = {
            "ends": ends_after(dead, LedgerEvent.REDRIVE),
            "after": result(LedgerEvent.REDRIVE).value,
            "dead": source.value,
            "now": format_instant(now),
            # What a life ended by changes with this, but for a discard's note: one has the letter in hand.
            "opened": dead.opened_at,
            "zero": 0,
            "no": False,
            "keep": REDRIVE_KEEPS_S,
        }
        edit = ""
        if sha256 is not None:
            # Right-hand sides see the row as it was.
            edit = ", captured_sha256 = if_not_exists(captured_sha256, sha256), sha256 = :sha256"
            values["sha256"] = sha256
        is_opened = self._change(
            dead.id,
            values,
            UpdateExpression="SET #state = :after, opened_at = :now, updated_at = :now, "
            "ends = :ends, attempts = :zero, refusals = :zero, due_at_ms = :zero, letter_sent = :no, "
            # `claimed_until_ms` stays: a live call may run.
            f"may_have_run = :no, expires_at_s = expires_at_s + :keep{edit} "
            "REMOVE #reason, #message, #note, claimed_by",
            ConditionExpression="#state = :dead AND opened_at = :opened",
            ExpressionAttributeNames={
                "#state": "state",
                "#reason": "reason",
                "#message": "message",
                "#note": "note",
            },
        )
        return is_opened or self._is_redriven(dead.id, now)

    def discard(self, call_id: str, *, opened_at: str, note: str) -> bool:
        """Note why a dead-lettered call's letter was discarded; False if its row is another by now.

        Its end stays when it was: captures that came since are owed what they were owed before.
        """
        return self._change(
            call_id,
            {"note": note, "dead": result(LedgerEvent.DEAD_LETTER), "opened": opened_at},
            UpdateExpression="SET #note = :note",
            ConditionExpression="#state = :dead AND opened_at = :opened",
            ExpressionAttributeNames={"#state": "state", "#note": "note"},
        )

    def cancel(self, call_id: str, *, opened_at: str, now: datetime, note: str) -> bool:
        """End a call that nobody works on, for an operator; False if its row is another by now.

        It is noted as if its letter were sent: nobody has to bring it back.
        """
        allowed = sources(LedgerEvent.CANCEL)
        values: dict[str, object] = {
            "after": result(LedgerEvent.CANCEL),
            "opened": opened_at,
            "now": format_instant(now),
            "reason": Reason.CANCELLED,
            "message": CANCELLED,
            "note": note,
            "yes": True,
            **{f"from{i}": state.value for i, state in enumerate(allowed)},
        }
        is_ended = self._change(
            call_id,
            values,
            UpdateExpression="SET #state = :after, #reason = :reason, #message = :message, "
            "#note = :note, letter_sent = :yes, updated_at = :now",
            ConditionExpression=f"#state IN ({_names('from', len(allowed))}) AND opened_at = :opened",
            ExpressionAttributeNames={
                "#state": "state",
                "#reason": "reason",
                "#message": "message",
                "#note": "note",
            },
        )
        if is_ended:
            return True
        # The SDK may have repeated an answered write.
        row = self.get(call_id)
        return row is not None and is_cancelled(row) and row.note == note

    def recapture(self, dead: Row, after: Row) -> bool:
        """Write what a later capture makes of a dead-lettered call; False if its row is another by now."""
        values = {
            "state": dead.state,
            "opened": dead.opened_at,
            "updated": dead.updated_at,
            "may": dead.may_have_run,
            "claim": dead.claimed_by or "",
        }
        unclaimed = "" if dead.claimed_by else "attribute_not_exists(claimed_by) OR "
        with store_errors("dynamodb", "PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(after),
                    # Rows of version 0.1.0 say nothing of `may_have_run`.
                    ConditionExpression="#state = :state AND opened_at = :opened "
                    "AND updated_at = :updated "
                    "AND (attribute_not_exists(may_have_run) OR may_have_run = :may) "
                    # A live call that claims it, or lets go of it, changes nothing else.
                    f"AND ({unclaimed}claimed_by = :claim)",
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
                    Key=key_of(call_id),
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

    def claim(self, dead: Row, *, owner: str, until_ms: int) -> bool:
        """Let a live call alone run over the end of a call that was given up.

        False if its row is another by now, or another live call has claimed it and not said how it ended.
        """
        values: dict[str, object] = {
            "owner": owner,
            "until": until_ms,
            "dead": State.DEAD_LETTERED,
            "opened": dead.opened_at,
            "updated": dead.updated_at,
            "nobody": "",
        }
        is_claimed = self._change(
            dead.id,
            values,
            UpdateExpression="SET claimed_by = :owner, claimed_until_ms = :until",
            ConditionExpression="#state = :dead AND opened_at = :opened AND updated_at = :updated "
            "AND (attribute_not_exists(claimed_by) OR claimed_by = :nobody)",
            ExpressionAttributeNames={"#state": "state"},
        )
        if is_claimed:
            return True
        # The SDK may have repeated an answered write.
        row = self.get(dead.id)
        return row is not None and row.claimed_by == owner

    def unclaim(self, call_id: str, *, owner: str) -> bool:
        """Let go of such a claim; False if it is not there any more."""
        return self._change(
            call_id,
            {"mine": owner},
            UpdateExpression="REMOVE claimed_by, claimed_until_ms",
            ConditionExpression="claimed_by = :mine",
        )

    def mark_may_have_run(self, call_id: str) -> bool:
        """Note that another try of a call may have run; False if the call has succeeded, or is not known."""
        return self._change(
            call_id,
            {"yes": True, "succeeded": State.SUCCEEDED},
            UpdateExpression="SET may_have_run = :yes",
            ConditionExpression="attribute_exists(#state) AND #state <> :succeeded",
            ExpressionAttributeNames={"#state": "state"},
        )

    def _change(self, call_id: str, values: Mapping[str, object], **expressions: Any) -> bool:  # noqa: ANN401 - UpdateItem's own
        """Change a row if a condition holds of it; False if it does not."""
        with store_errors("dynamodb", "UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=key_of(call_id),
                    ExpressionAttributeValues=_values(values),
                    **expressions,
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


def _names(stem: str, count: int) -> str:
    return ", ".join(f":{stem}{i}" for i in range(count))


def _values(values: Mapping[str, object]) -> dict[str, Any]:
    return {f":{name}": to_attribute(value) for name, value in values.items()}
