"""Tell a caller how its captured call stands, and its late result, if it proves that the call is its own."""

from __future__ import annotations

import hmac
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.payload import ClaimCheck
from reprise.call.request import check_wait
from reprise.call.target import conflict_id
from reprise.capturing.answer import write_captured, write_status
from reprise.capturing.reopen import is_owed_more
from reprise.capturing.status_token import StatusToken, claimed_by, read_status_token, token_digest
from reprise.capturing.wait import has_ended
from reprise.errors import BadRequestError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.capturing.wait import Waiter
    from reprise.ledger import Row
    from reprise.ports import KeySource, Ledger, Objects, Reply

_log = logging.getLogger(__name__)

INLINE_RESULT_BYTES: Final = 2048
"""Late results up to this length stay in the ledger's row; longer ones go to S3."""


def keep_result(objects: Objects, call_id: str, reply: Reply) -> dict[str, str]:
    """Return what a row says of a late result; failing to keep it does not undo the success."""
    if len(reply.payload) <= INLINE_RESULT_BYTES:
        try:
            return {"result": reply.payload.decode()}
        except UnicodeDecodeError:
            pass
    try:
        return {"result_key": objects.put(result_key(call_id), reply.payload).key}
    except StoreError:
        _log.exception("late result could not be kept", extra={"call_id": call_id})
        return {}


def read_result(objects: Objects, bucket: str, row: Row) -> bytes | None:
    """Return a late result, wherever it is kept; None if there is none.

    Raises:
        ObjectMissingError, StoreError: If it cannot be had, for good or now.
    """
    if row.result_key is not None:
        return objects.get(ClaimCheck(bucket=bucket, key=row.result_key))
    return None if row.result is None else row.result.encode()


def result_key(call_id: str) -> str:
    """Return where a long late result is kept in the stack's bucket."""
    return f"results/{call_id}"


_ID: Final = re.compile(r"[!-~]{1,1024}")
"""Longer than any id of ours; DynamoDB refuses keys of more than 2,048 bytes."""


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request as it arrives."""

    StatusOf: object
    StatusToken: object = None
    WaitSeconds: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReader:
    """Answers those who hold a call's token."""

    keys: KeySource
    """Those of the source that gave the tokens."""
    ledger: Ledger
    objects: Objects
    bucket: str
    waiter: Waiter
    call_timeout_s: int
    """How long a call may take, and whoever answers may run a little longer."""

    def run(self, event: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer to `{"StatusOf": id, "StatusToken": token}`.

        With `WaitSeconds` it comes when the call has ended, or when so much time is over.

        Raises:
            BadRequestError: 400 if the id is none, or nobody may wait so long; 403 if the token is not the
                call's, whether there is such a call or not.
            StoreError: If key, ledger or late result cannot be had now.
        """
        try:
            asked = msgspec.convert(event, _Wire)
        except msgspec.ValidationError as error:
            raise BadRequestError(
                "request", str(error), 'Send {"StatusOf": "...", "StatusToken": "..."}'
            ) from error
        call_id = asked.StatusOf
        if not isinstance(call_id, str) or not _ID.fullmatch(call_id):
            raise BadRequestError(
                "StatusOf",
                "must be 1 to 1,024 printable ASCII characters without blanks",
                "Send the id of the 202",
            )
        wait_s = check_wait(asked.WaitSeconds, self.call_timeout_s)
        token = read_status_token(call_id, asked.StatusToken, self.keys.keys())
        if token is None:
            token = self._of_another_source(call_id, asked.StatusToken, wait_s)
        row = self.waiter.until(
            lambda: find_row(self.ledger, call_id, token), has_ended, timeout_s=wait_s
        )
        if row is None:
            return write_captured(call_id, token.captured_at)
        if row.result_key is None:
            return write_status(row)
        return write_status(row, read_result(self.objects, self.bucket, row))

    def _of_another_source(self, call_id: str, given: object, wait_s: float) -> StatusToken:
        """Return what a token says that the call's row knows, though its source's key is not ours.

        Raises:
            BadRequestError: If it is no such token, or its call's line has not arrived in that time.
        """
        token = claimed_by(given)
        if token is not None:
            digest = token_digest(str(given))
            ids = (call_id, conflict_id(call_id, token.sha256))

            def knows() -> bool:
                rows = (self.ledger.get(each) for each in ids)
                kept = (row.token_digest for row in rows if row is not None and row.token_digest)
                return any(hmac.compare_digest(one, digest) for one in kept)

            if self.waiter.until(knows, bool, timeout_s=wait_s):
                return token
        raise BadRequestError(
            "StatusToken",
            "is not this call's, or the call has not arrived yet",
            "Send the status_token that came with the id, a minute after its capture if it is not the "
            "invoker's own; operators use `reprise status`",
            status=403,
        )


def find_row(ledger: Ledger, call_id: str, token: StatusToken) -> Row | None:
    """Return the row of a token's own capture; None as long as there is none.

    The id may name a call with another payload: then the capture has a row of its own. And it may name one
    that was given up before this capture, which will open it again.
    """
    row = ledger.get(call_id)
    if row is not None and not row.original_sha256.startswith(token.sha256):
        row = ledger.get(conflict_id(call_id, token.sha256))
    if row is None or is_owed_more(row, token.captured_at):
        return None
    return row
