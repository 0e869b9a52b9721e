"""Make calls, and capture those that are refused or fail: a signed line each."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from reprise import metric
from reprise.call.outcome import OutcomeKind
from reprise.call.payload import Payload, digest, pack
from reprise.call.target import RANDOM_BYTES, id_of, new_call_id
from reprise.capturing.line import MAX_LINE_BYTES, may_sign, write_line
from reprise.capturing.record import Record, Source
from reprise.capturing.repeat import DONE, AlreadyCaptured, Owed
from reprise.capturing.status_token import write_status_token
from reprise.errors import BadRequestError, RepriseError, SettingsError, StoreError
from reprise.instant import format_instant, parse_instant
from reprise.ledger import State
from reprise.ports import Reply
from reprise.retry.policy import Policy, captures
from reprise.version import __version__

if TYPE_CHECKING:
    from reprise.call.outcome import Outcome
    from reprise.call.request import CallRequest
    from reprise.call.target import Target
    from reprise.capturing.attach import Ends, Patience
    from reprise.capturing.repeat import Repeats
    from reprise.ledger import Row
    from reprise.ports import (
        Clock,
        Invoker,
        KeySource,
        Ledger,
        LineSink,
        Meter,
        Objects,
        PolicySource,
        RandomBytes,
        ReplyCheck,
    )

_log = logging.getLogger(__name__)
_RECORD_ROOM_BYTES: Final = 32 * 1024
"""Room for everything but the payload: names, key and scope, context (3.6 KB), message and code (15 KB if
all of it is escaped), MAC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A call whose line is written."""

    call_id: str
    status_token: str
    """By which whoever asked for the call may ask for its end."""
    captured_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capturer:
    """Writes capture lines."""

    keys: KeySource
    objects: Objects
    sink: LineSink
    clock: Clock
    random_bytes: RandomBytes
    meter: Meter

    def keyed_id(self, request: CallRequest) -> str | None:
        """Return the id of a call whose caller gave it a key; None if it is to be named at random.

        Raises:
            StoreError, SettingsError: As `capture`: the source's name comes with its secret.
        """
        if request.idempotency_key is None:
            return None
        return id_of(
            request.target,
            source=self.keys.keys().source,
            scope=request.scope,
            key=request.idempotency_key,
        )

    def capture(self, request: CallRequest, outcome: Outcome) -> Captured:
        """Write the capture line of a call that did not succeed.

        Raises:
            StoreError: If the payload or the key cannot be had; the call is not captured.
            SettingsError: If the key document is refused, or the source may not sign for this target: the
                call is not captured.
        """
        now = self.clock()
        call_id = self.keyed_id(request) or new_call_id(
            int(now.timestamp() * 1000), self.random_bytes(RANDOM_BYTES)
        )
        keys = self.keys.keys()
        if not may_sign(keys, request.target.function):
            # Whoever reads the line would refuse it.
            msg = (
                f"source {keys.source!r} may not sign for {request.target.name!r}: make one that may with "
                f"`reprise sources add NAME --targets {request.target.name}`"
            )
            raise SettingsError(msg)
        payload = self._carry(call_id, request)
        token = write_status_token(call_id, payload.sha256, now, keys)
        record = Record(
            id=call_id,
            captured_at=format_instant(now),
            source=Source(name=keys.source, version=__version__),
            target=request.target,
            payload=payload,
            client_context=request.client_context,
            outcome=outcome,
            not_after=request.not_after,
            trace=request.trace,
            idempotency_key=_said(request.idempotency_key),
            scope=_said(request.scope),
            reply_to=_said(request.reply_to),
        )
        self.sink(write_line(record, keys))
        self.meter.count(metric.CAPTURED, target=request.target.function)
        return Captured(call_id=call_id, status_token=token, captured_at=record.captured_at)

    def as_captured(self, row: Row) -> Captured:
        """Return what the caller of a call's capture was told, for one who calls again.

        Raises:
            StoreError, SettingsError: As `capture`.
        """
        captured_at = parse_instant(row.captured_at)
        token = write_status_token(row.id, row.original_sha256, captured_at, self.keys.keys())
        return Captured(call_id=row.id, status_token=token, captured_at=row.captured_at)

    def _carry(self, call_id: str, request: CallRequest) -> Payload:
        """Return the payload as it travels; one that fits no line is kept before the line is written."""
        data = request.payload
        payload = pack(data, MAX_LINE_BYTES - _RECORD_ROOM_BYTES)
        if payload is not None:
            return payload
        sha256 = digest(data)
        # The digest in the key: a repeated key with another payload must not overwrite the first.
        claim_check = self.objects.put(f"payloads/{call_id}/{sha256[:16]}", data)
        self.meter.count(metric.CLAIM_CHECKS, target=request.target.function)
        return Payload(claim_check=claim_check, size_bytes=len(data), sha256=sha256)


def _said[T](value: T | None) -> T | msgspec.UnsetType:
    """Return what a caller said; what it did not say is left out of the line, as in version 0.1.0."""
    return msgspec.UNSET if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller learns."""

    reply: Reply
    """The target's own reply, or how the invocation failed."""
    captured: Captured | None = None
    """Set when the call was captured: it will be replayed."""
    not_captured: str | None = None
    """Set when the call should have been captured and was not: why."""
    refused: BadRequestError | None = None
    """Set beside it when that is the caller's own mistake."""
    late: Captured | None = None
    """Set when the reply is the late result of that captured call, by the same key: nothing ran now."""

    given_up: Row | None = None
    """Set beside it when that call was given up meanwhile: why; the reply is how it failed last."""

    @property
    def is_passed_through(self) -> bool:
        """Tell whether the target's own reply goes straight back."""
        return self.captured is None and self.not_captured is None and self.late is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInvoker:
    """Invokes targets for callers."""

    functions: Invoker
    capturer: Capturer
    capture_outcomes: frozenset[OutcomeKind]
    """What is captured where the target's policy does not say."""
    meter: Meter
    ledger: Ledger | None = None
    """Asked, before a call with a key is captured, whether the key names another payload already. Without
    one the unpacker finds out."""
    repeats: Repeats | None = None
    """Lets a key have one effect, live calls and replays together."""
    policies: PolicySource | None = None
    """Say what is captured of single targets; asked only where a call did not succeed."""
    ends: Ends | None = None
    """Lets callers wait for calls that are kept."""
    replies: ReplyCheck | None = None
    """Knows where late results may go; without one only who delivers them does."""

    def run(self, request: CallRequest) -> Answer:
        """Invoke the target once; capture the call if it ended in an outcome worth a replay.

        A caller that waits has the outcome of the kept call, if there is one in time.

        Raises:
            BadRequestError: If the late result may not go where the caller wants it; nothing was invoked.
        """
        if request.reply_to is not None and self.replies is not None:
            self.replies.check(request.reply_to)
        if self.ends is None or not request.wait_s:
            return self._run(request)
        patience = self.ends.begin(request.wait_s)
        answer = self._run(request, patience)
        if answer.captured is None:
            return answer
        ended = patience.for_end(request, answer.captured)
        if ended is None:
            return answer
        if ended.payload is not None:
            return Answer(reply=Reply(outcome=DONE, payload=ended.payload), late=answer.captured)
        history = ended.row.history
        last = history[-1].outcome if history else answer.reply.outcome
        return Answer(reply=Reply(outcome=last), late=answer.captured, given_up=ended.row)

    def _run(self, request: CallRequest, patience: Patience | None = None) -> Answer:
        """Make a call, and wait for no end.

        A failing capture never hides the target's own error. A key that names another payload already is an
        error at once, where the ledger knows the other call and can be asked. A key whose captured call has
        ended, or will, is told of that, and the target is not invoked (`Repeats`).
        """
        if request.idempotency_key is not None and self.repeats is not None:
            return self._run_once(request, self.repeats, patience)
        return self.finish(request, self._invoke(request))

    def _run_once(
        self, request: CallRequest, repeats: Repeats, patience: Patience | None
    ) -> Answer:
        """Make a call with a key."""
        try:
            begun = repeats.begin(request, self.capturer)
        except RepriseError:
            _log.exception("key is not protected", extra={"target": request.target.function})
            begun = None
        if patience is not None and isinstance(begun, Owed) and begun.is_beside:
            # What the other call comes to is worth more than a line of our own, which there may still be.
            with suppress(RepriseError):
                patience.for_claim(self.capturer.keyed_id(request))
                begun = repeats.begin(request, self.capturer)
        if isinstance(begun, AlreadyCaptured) and not begun.has_ended and request.reply_to:
            # A line of its own, of the same call: its end is told to each that asked for it.
            return self._capture(request, begun.reply)
        if isinstance(begun, AlreadyCaptured):
            late = begun.captured if begun.has_ended else None
            captured = None if begun.has_ended else begun.captured
            return Answer(reply=begun.reply, captured=captured, late=late)
        if isinstance(begun, Owed):
            return self._capture(request, Reply(outcome=begun.outcome))
        reply = self._invoke(request)
        if begun is None:
            repeats.tell(request, reply, self.capturer)
            return self.finish(request, reply)
        repeats.end(begun, reply, self.capturer)
        answer = self.finish(request, reply)
        if reply.outcome.kind is OutcomeKind.UNKNOWN and answer.captured is not None:
            repeats.wait(begun, answer.captured)
        return answer

    def pass_on(self, request: CallRequest) -> Answer:
        """Invoke the target once, and keep nothing, however it ends: the caller has no use for a replay."""
        return Answer(reply=self._invoke(request))

    def _invoke(self, request: CallRequest) -> Reply:
        return self.functions.invoke(request.target, request.payload, request.client_context)

    def finish(self, request: CallRequest, reply: Reply) -> Answer:
        """Capture a call that ended so, if that is worth a replay."""
        if not self.is_captured(request.target, reply.outcome.kind):
            return Answer(reply=reply)
        return self._capture(request, reply)

    def is_captured(self, target: Target, kind: OutcomeKind) -> bool:
        """Tell whether a target's calls that end so are captured: as its policy says, else by default."""
        if kind is OutcomeKind.SUCCEEDED:
            return False
        policy = Policy()
        if self.policies is not None:
            try:
                policy = self.policies.policies().for_target(target.name)
            except RepriseError:
                _log.warning(
                    "policy cannot be read: what is captured is the default", exc_info=True
                )
        return captures(policy, kind, self.capture_outcomes)

    def _capture(self, request: CallRequest, reply: Reply) -> Answer:
        try:
            capturer = self.capturer
            other = self._other_call(capturer.keyed_id(request), request.payload)
            if other is not None and not request.key_covers_payload:
                refused = _key_is_taken()
                return Answer(reply=reply, not_captured=str(refused), refused=refused)
            if other is not None and other.state is State.DEAD_LETTERED:
                # The same call in other bytes, and given up: this try is one of its own.
                request = request.without_key()
            if request.idempotency_key is not None and self.repeats is not None:
                # Before the 202: whoever calls again because of it is to be known.
                self.repeats.open_calls.note(request.target.function)
            return Answer(reply=reply, captured=capturer.capture(request, reply.outcome))
        except RepriseError as error:
            self.meter.count(metric.CAPTURE_FAILED, target=request.target.function)
            _log.exception("call was not captured", extra={"target": request.target.function})
            return Answer(reply=reply, not_captured=str(error))

    def _other_call(self, call_id: str | None, payload: bytes) -> Row | None:
        """Return the row of a call with this id and another payload, if one is known."""
        if call_id is None or self.ledger is None:
            return None
        try:
            row = self.ledger.get(call_id)
        except StoreError:
            _log.warning("ledger cannot be asked: the call is captured", exc_info=True)
            return None
        return None if row is None or row.original_sha256 == digest(payload) else row


def _key_is_taken() -> BadRequestError:
    return BadRequestError(
        "IdempotencyKey",
        "names a captured call with another payload already",
        "Send a key of its own for each payload, or a Scope if the other call is not yours",
        status=409,
    )
