"""What lies in a dead-letter queue, read and chosen: pure rules."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from reprise.call.target import conflict_id
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError
from reprise.instant import parse_instant
from reprise.replay.message import read_message
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.capturing.record import Record


class LetterKind(StrEnum):
    """What a message in a dead-letter queue is."""

    DEAD_LETTER = "dead_letter"
    """A call that was given up."""
    REPLAY_MESSAGE = "replay_message"
    """A call that SQS moved here by itself: received too often, or too old, before it had ended."""
    CAPTURE_NOTICE = "capture_notice"
    """A capture object that could not be unpacked."""
    UNREADABLE = "unreadable"
    """None of these: only shown, never touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message of a dead-letter queue."""

    message_id: str
    body: str
    kind: LetterKind
    id: str
    """The call's id; for what is no call, the message's."""
    at: datetime
    """When it was given up, or sent."""
    target: str = ""
    """Bare function name."""
    reason: str = ""
    message: str = ""
    error: str = ""
    """How its last try ended: error type and message; empty if no try is known."""
    attempts: int = 0
    record: Record | None = None
    capture_object: str | None = None
    is_settlement: bool = False
    """A replay message by which only the ledger is owed something."""

    @property
    def is_redrivable(self) -> bool:
        """Tell whether there is a way back: the key of a conflict names another call."""
        return self.kind is not LetterKind.UNREADABLE and self.reason != Reason.KEY_CONFLICT


def read_letter(message: Mapping[str, Any], *, is_capture: bool = False) -> Letter:
    """Return what a received SQS message is; never fails.

    Args:
        message: As ReceiveMessage gives it, with all attributes.
        is_capture: Whether it comes from the capture queue's dead-letter queue.
    """
    message_id, body = message["MessageId"], message["Body"]
    sent_ms = int(message.get("Attributes", {}).get("SentTimestamp", "0"))
    sent_at = datetime.fromtimestamp(sent_ms / 1000, UTC)
    base: dict[str, Any] = {
        "message_id": message_id,
        "body": body,
        "id": message_id,
        "at": sent_at,
        "reason": _attribute(message, "reason"),
    }
    if is_capture:
        return Letter(**base, kind=LetterKind.CAPTURE_NOTICE, message=" ".join(body.split())[:200])
    try:
        return Letter(**base | _dead_letter(body))
    except (ValueError, KeyError, TypeError, RecursionError, BadRecordError):
        pass
    try:
        replay = read_message(body)
    except BadRecordError as error:
        return Letter(**base | {"kind": LetterKind.UNREADABLE, "message": str(error)})
    return Letter(
        **base
        | {
            "kind": LetterKind.REPLAY_MESSAGE,
            "id": replay.record.id,
            "target": replay.record.target.name,
            "reason": Reason.UNDELIVERABLE.value,
            "message": "SQS moved it here: received too often, or too old, before the call had ended",
            "record": replay.record,
            "capture_object": replay.object,
            "is_settlement": replay.settlement is not None,
        }
    )


def _dead_letter(body: str) -> dict[str, Any]:
    document = json.loads(body)
    block = document["reprise"]
    record, reason = decode_record(block["record"]), str(block["reason"])
    is_conflict = reason == Reason.KEY_CONFLICT
    return {
        "kind": LetterKind.DEAD_LETTER,
        "id": conflict_id(record.id, record.payload.sha256) if is_conflict else record.id,
        "at": parse_instant(document["timestamp"]),
        "target": record.target.name,
        "reason": reason,
        "message": str(block.get("message") or ""),
        "error": _last_error(block.get("history"), record),
        "attempts": int(block.get("attempts") or 0),
        "record": record,
        "capture_object": block.get("object"),
    }


def _last_error(history: object, record: Record) -> str:
    last = history[-1].get("outcome") if isinstance(history, list) and history else None
    outcome = last or {"code": record.outcome.code, "message": record.outcome.message}
    return ": ".join(str(outcome[name]) for name in ("code", "message") if outcome.get(name))


def _attribute(message: Mapping[str, Any], name: str) -> str:
    attributes = message.get("MessageAttributes") or {}
    return str(attributes.get(name, {}).get("StringValue", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which letters are meant: those that meet every condition that is set."""

    ids: frozenset[str] = frozenset()
    reason: str | None = None
    target: str | None = None
    """Bare name or ARN of the function."""
    error: re.Pattern[str] | None = None
    """Is found in the last error, or in the message."""
    older_than_s: float | None = None
    newer_than_s: float | None = None
    is_all: bool = False
    """Whether no condition means every letter, rather than none."""
    max_count: int | None = None
    """Of those that meet the conditions only so many, the oldest; no condition of its own."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was said."""
        said = (self.reason, self.target, self.error, self.older_than_s, self.newer_than_s)
        return not self.ids and not self.is_all and all(value is None for value in said)

    def takes(self, letter: Letter, now: datetime) -> bool:
        """Tell whether a letter is meant."""
        if self.is_empty:
            return False
        target = self.target.rpartition(":")[2] if self.target else None
        age_s = (now - letter.at).total_seconds()
        return (
            (not self.ids or letter.id in self.ids or letter.message_id in self.ids)
            and (self.reason is None or letter.reason == self.reason)
            and (target is None or letter.target == target)
            and (self.error is None or self._has_error(letter, self.error))
            and (self.older_than_s is None or age_s >= self.older_than_s)
            and (self.newer_than_s is None or age_s <= self.newer_than_s)
        )

    @staticmethod
    def _has_error(letter: Letter, error: re.Pattern[str]) -> bool:
        return any(error.search(text) for text in (letter.error, letter.message))


def error_pattern(text: str) -> re.Pattern[str]:
    """Return what finds an error text, in either case: words as they are, `/.../` as a regular expression.

    Raises:
        ValueError: If the regular expression is none.
    """
    is_regex = len(text) > 2 and text.startswith("/") and text.endswith("/")  # noqa: PLR2004 - both slashes
    try:
        return re.compile(text[1:-1] if is_regex else re.escape(text), re.IGNORECASE)
    except re.error as error:
        msg = f"{text} is no regular expression: {error}"
        raise ValueError(msg) from error


def select(letters: Sequence[Letter], selection: Selection, now: datetime) -> list[Letter]:
    """Return the letters that are meant, in their order."""
    return [letter for letter in letters if selection.takes(letter, now)]
