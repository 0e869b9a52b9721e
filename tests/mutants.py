"""Mutations of the rules that the promise stands on; `tests/mutate.py` runs the promise's seeds against each.

Those of the double and of the table are apart: half of the seeds run on each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_DOUBLE: Final = "tests/doubles.py"
_ROWS: Final = "shared/reprise/aws/ledger_rows.py"
_TABLE: Final = "shared/reprise/aws/ledger_table.py"
_REPEAT: Final = "shared/reprise/capturing/repeat.py"
_REPLAY: Final = "shared/reprise/replay/batch.py"
_ATTEMPT: Final = "shared/reprise/replay/attempt.py"
_RUNNER: Final = "shared/reprise/replay/runner.py"
_SETTLE: Final = "shared/reprise/replay/finish.py"
_LETTER: Final = "shared/reprise/dead_letter.py"
_RECAPTURE: Final = "shared/reprise/capturing/reopen.py"
_RECONCILE: Final = "shared/reprise/monitor/reconcile.py"
_RENEW: Final = "shared/reprise/replay/message.py"
_RETURNS: Final = "shared/reprise/replay/worker.py"
_INTAKE: Final = "shared/reprise/unpack/consumer.py"
_UNPACK: Final = "shared/reprise/unpack/unpacker.py"
_ENTER: Final = "shared/reprise/unpack/enqueue.py"
_DECISION: Final = "shared/reprise/retry/decision.py"
_ADMIT: Final = "shared/reprise/gate/admit.py"
_LEDGER: Final = "shared/reprise/ledger.py"
_LEASE: Final = "shared/reprise/gate/lease.py"
_REDRIVE: Final = "shared/reprise_letters/redrive.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of the source: `old` must be there exactly once."""

    name: str
    file: str
    old: str
    new: str


MUTANTS: Final = (
    # --- the lease ---
    Mutant(
        name="lease: a running one is taken over, one that ran out is not (double, batch)",
        file=_LEDGER,
        old="sources(LedgerEvent.TAKE_OVER) and row.lease_until_ms < now_ms",
        new="sources(LedgerEvent.TAKE_OVER) and row.lease_until_ms > now_ms",
    ),
    Mutant(
        name="lease: a running one is taken over, one that ran out is not (table)",
        file=_TABLE,
        old="AND #until < :now_ms)",
        new="AND #until > :now_ms)",
    ),
    Mutant(
        name="lease: granted for calls that have ended (double, batch)",
        file=_LEDGER,
        old="if row.state in sources(LedgerEvent.LEASE):",
        new="if row.state is not State.LEASED:",
    ),
    Mutant(
        name="lease: granted for calls that have ended (table)",
        file=_TABLE,
        old="open_states = sources(LedgerEvent.LEASE)",
        new="open_states = tuple(set(State) - {State.LEASED})",
    ),
    Mutant(
        name="lease: granted before the call is due (double, batch)",
        file=_LEDGER,
        old="return row.free_at_ms <= now_ms",
        new="return True",
    ),
    Mutant(
        name="lease: granted before the call is due (table)",
        file=_TABLE,
        old="OR #due <= :now_ms)",
        new="OR #due <= :until)",
    ),
    Mutant(
        name="lease: ends at once",
        file=_REPLAY,
        old=" + worker.remaining_ms() + 1000",
        new="",
    ),
    Mutant(
        name="lease: ends while its process may run",
        file=_REPLAY,
        old=" + worker.remaining_ms() + 1000",
        new=" + worker.remaining_ms() // 2",
    ),
    Mutant(
        name="lease: one owner for a whole batch",
        file=_REPLAY,
        old='return f"{worker.owner}/{digest(delivery.receipt_handle.encode())[:16]}"',
        new="return worker.owner",
    ),
    Mutant(
        name="lease: one owner for both copies of a message in a batch",
        file=_REPLAY,
        old='return f"{worker.owner}/{digest(delivery.receipt_handle.encode())[:16]}"',
        new='return f"{worker.owner}/{delivery.message_id}"',
    ),
    Mutant(
        name="lease: one that the SDK repeats is refused (double)",
        file=_DOUBLE,
        old="if is_ours and before.lease_until_ms >= now_ms:",
        new="if is_ours and before.lease_until_ms < 0:",
    ),
    Mutant(
        name="lease: one that the SDK repeats is refused (table)",
        file=_TABLE,
        old="if row is None or row.state is not State.LEASED or row.lease_owner != owner:",
        new="if row is None or row.id:",
    ),
    Mutant(
        name="lease: one that the SDK repeats passes for a dead owner's (double)",
        file=_DOUBLE,
        old="before=replace(before, state=State(before.lease_from))",
        new="before=before",
    ),
    Mutant(
        name="lease: one that the SDK repeats passes for a dead owner's (table)",
        file=_TABLE,
        old="before=replace(row, state=State(row.lease_from))",
        new="before=row",
    ),
    Mutant(
        name="rows: a lease or an end of a batch that failed is believed",
        file=_ROWS,
        old='return ["Error" not in answer for answer in response["Responses"]]',
        new='return [answer is not None for answer in response["Responses"]]',
    ),
    # --- the attempt ---
    Mutant(
        name="attempt: what may have run is replayed whatever the policy says",
        file=_DECISION,
        old="if kind is OutcomeKind.UNKNOWN and not policy.idempotent:",
        new="if kind is OutcomeKind.UNKNOWN and not policy.idempotent and policy.maximum_attempts < 0:",
    ),
    Mutant(
        name="attempt: a dead owner's passes for one that did not run",
        file=_RUNNER,
        old='    kind=OutcomeKind.UNKNOWN,\n    code="LeaseExpired",',
        new='    kind=OutcomeKind.TRANSIENT,\n    code="LeaseExpired",',
    ),
    Mutant(
        name="attempt: the captured outcome is not decided on",
        file=_ATTEMPT,
        old="    is_first_look = not row.attempts and row.opened_at == row.captured_at\n",
        new="    is_first_look = row.attempts < 0\n",
    ),
    Mutant(
        name="attempt: what a dead owner did not decide on is not decided on",
        file=_RUNNER,
        old="return self._end_tried(held, may_have_run=True) or self._conclude(held, LEASE_EXPIRED)",
        new="return self._conclude(held, LEASE_EXPIRED)",
    ),
    Mutant(
        name="attempt: failed executions are not counted",
        file=_ATTEMPT,
        old="attempts=attempts + int(outcome.kind in COUNTED)",
        new="attempts=attempts",
    ),
    Mutant(
        name="attempt: begins without the time for it",
        file=_REPLAY,
        old="return worker.remaining_ms() >= self.call_timeout_s * 1000 + MARGIN_MS",
        new="return worker.remaining_ms() >= MARGIN_MS",
    ),
    Mutant(
        name="attempt: a policy that is not enabled is taken for one that is",
        file=_REPLAY,
        old="if calls and not policy.enabled:",
        new="if calls and policy.maximum_attempts < 0:",
    ),
    # --- its end ---
    Mutant(
        name="settle: whoever says so ends a lease (double)",
        file=_DOUBLE,
        old="if row is None or row.lease_owner != owner:",
        new="if row is None:",
    ),
    Mutant(
        name="settle: whoever says so ends a lease (table)",
        file=_TABLE,
        old='"AND #lease_owner = :mine"',
        new='"AND (#lease_owner = :mine OR attribute_exists(#lease_owner))"',
    ),
    Mutant(
        name="settle: whatever the row's state (double)",
        file=_DOUBLE,
        old="            if row.state not in sources(event):\n"
        "                return row.state is result(event)\n",
        new="",
    ),
    Mutant(
        name="settle: whatever the row's state (table)",
        file=_TABLE,
        old="ConditionExpression=f\"#state IN ({_names('from', len(allowed))}) \"",
        new='ConditionExpression=f"(attribute_exists(#state) OR "\n'
        "f\"#state IN ({_names('from', len(allowed))})) \"",
    ),
    Mutant(
        name="settle: the letter is noted before it is sent",
        file=_LETTER,
        old="        self.dead_letters.send([OutMessage(body=letter, attributes=attributes)])\n"
        "        self.ledger.mark_letter_sent(row.id, opened_at=row.opened_at)\n",
        new="        self.ledger.mark_letter_sent(row.id, opened_at=row.opened_at)\n"
        "        self.dead_letters.send([OutMessage(body=letter, attributes=attributes)])\n",
    ),
    Mutant(
        name="settle: a letter that was not sent is not sent again",
        file=_RUNNER,
        old="if row.state is State.DEAD_LETTERED and not row.letter_sent:",
        new="if row.state is State.DEAD_LETTERED and row.letter_sent is None:",
    ),
    Mutant(
        name="settle: the message goes where the lease was lost",
        file=_SETTLE,
        old="            return Nack(wait_s=STORE_WAIT_S, sample=disposition.sample)",
        new="            return Ack(sample=disposition.sample)",
    ),
    Mutant(
        name="settle: what the ledger is owed is dropped",
        file=_SETTLE,
        old="            self._queue(owed, delay_s=STORE_WAIT_S)\n",
        new="            del owed\n",
    ),
    Mutant(
        name="settle: the call is not queued again after what the ledger was owed",
        file=_SETTLE,
        old="if not ours or owed.event is not LedgerEvent.SUCCEED:",
        new="if not ours and owed.event is not LedgerEvent.SUCCEED:",
    ),
    Mutant(
        name="settle: nor where the lease is not ours any more",
        file=_SETTLE,
        old="if not ours or owed.event is not LedgerEvent.SUCCEED:",
        new="if ours and owed.event is not LedgerEvent.SUCCEED:",
    ),
    # --- the gate ---
    Mutant(
        name="gate: a probe that died has no successor",
        file=_ADMIT,
        old="if now_ms < gate.probe_at_ms or not request.wanted:",
        new="if now_ms < gate.probe_at_ms or gate.mode == Mode.PROBING or not request.wanted:",
    ),
    Mutant(
        name="gate: a probe goes at once",
        file=_ADMIT,
        old="if now_ms < gate.probe_at_ms or not request.wanted:",
        new="if not request.wanted:",
    ),
    Mutant(
        name="gate: the cap is not asked for",
        file=_ADMIT,
        old="    cap, put, when = most or 0,",
        new="    cap, put, when = 0,",
    ),
    Mutant(
        name="gate: permits of the dead never come back",
        file=_LEASE,
        old="if gate.epoch in {epoch, epoch + 1}:",
        new="if gate.epoch:",
    ),
    Mutant(
        name="gate: a pause never ends",
        file=_ADMIT,
        old="change = resume(gate, now_ms, parameters) if request.wanted else None",
        new="change = None",
    ),
    # --- the backlog ---
    Mutant(
        name="fold: an object goes when a look at it fails",
        file=_INTAKE,
        old="            return self._wait(notice, wait_s)\n",
        new="            return None\n",
    ),
    Mutant(
        name="fold: the rest of a folded object is never sent",
        file=_UNPACK,
        old="self.deferrer.send(rest, delay_s=decision.rest_delay_s if is_last else 0.0)\n",
        new="del rest\n",
    ),
    Mutant(
        name="fold: the rest begins one call late",
        file=_UNPACK,
        old="rest = replace(ref, skip=position + 1, fold=left)",
        new="rest = replace(ref, skip=position + 2, fold=left)",
    ),
    Mutant(
        name="fold: the first call of what is parked is passed over",
        file=_UNPACK,
        old="rest = part.after(expanded)",
        new="rest = part.after(expanded + 1)",
    ),
    Mutant(
        name="fold: a folded object's message is not renewed",
        file=_INTAKE,
        old="            if notice.receive_count < RENEW_RECEIVES:\n                return slot_wait_s(",
        new="            if notice.receive_count:\n                return slot_wait_s(",
    ),
    Mutant(
        name="enter: calls that have ended are sent again",
        file=_ENTER,
        old="return row.state not in TERMINAL or reopens(row, record)",
        new="return True",
    ),
    Mutant(
        name="enter: a capture of a call that was given up opens nothing",
        file=_ENTER,
        old="return row.state not in TERMINAL or reopens(row, record)",
        new="return row.state not in TERMINAL",
    ),
    # --- renewals ---
    Mutant(
        name="renew: never by receives",
        file=_RENEW,
        old="return is_old or delivery.receive_count >= RENEW_RECEIVES",
        new="return is_old",
    ),
    Mutant(
        name="renew: never by age",
        file=_RENEW,
        old="return is_old or delivery.receive_count >= RENEW_RECEIVES",
        new="return delivery.receive_count >= RENEW_RECEIVES",
    ),
    Mutant(
        name="renew: the old one goes, and no new one is sent",
        file=_RETURNS,
        old="self._queue.send([renewed(delivery, self._groups.get(handle), wait_s)])",
        new="self._queue.send([])",
    ),
    Mutant(
        name="renew: the old one stays beside the new one",
        file=_RETURNS,
        old="                del kept[handle]\n",
        new="                pass\n",
    ),
    Mutant(
        name="renew: the old one goes where no new one could be sent",
        file=_RETURNS,
        old="            except StoreError:\n                _log.exception(",
        new="            except StoreError:\n"
        "                del kept[handle]\n"
        "                _log.exception(",
    ),
    # --- the operator ---
    Mutant(
        name="redrive: the letter goes, and no message was sent",
        file=_REDRIVE,
        old="                for letter in sent\n            ]\n"
        "        return self._delete(sent, Action.REDRIVEN)",
        new="                for letter in sent[:0]\n            ] + self._delete(sent, Action.FAILED)\n"
        "        return self._delete(sent, Action.REDRIVEN)",
    ),
    Mutant(
        name="redrive: the ledger is not told",
        file=_REDRIVE,
        old="dead = row if row.state is State.DEAD_LETTERED else None",
        new="dead = None",
    ),
    Mutant(
        name="redrive: attempts are not given back (double)",
        file=_DOUBLE,
        old="                attempts=0,\n                refusals=0,\n",
        new="                refusals=0,\n",
    ),
    Mutant(
        name="redrive: attempts are not given back (table)",
        file=_TABLE,
        old="attempts = :zero, refusals = :zero, ",
        new="refusals = :zero, ",
    ),
    Mutant(
        name="redrive: attempts are not given back (together)",
        file=_ROWS,
        old='                    "attempts": 0,\n',
        new="",
    ),
    Mutant(
        name="redrive: of whatever the row is by now (together)",
        file=_ROWS,
        old='"state": source, "opened_at": row.opened_at}',
        new="}",
    ),
    Mutant(
        name="cancel: of a call that runs",
        file=_LEDGER,
        old="    (State.WAITING, LedgerEvent.CANCEL): State.DEAD_LETTERED,\n",
        new="    (State.WAITING, LedgerEvent.CANCEL): State.DEAD_LETTERED,\n"
        "    (State.LEASED, LedgerEvent.CANCEL): State.DEAD_LETTERED,\n",
    ),
    Mutant(
        name="redrive: of whatever the row is by now (double)",
        file=_DOUBLE,
        old="            if row is None or row.state is not State.DEAD_LETTERED:\n"
        "                if row is None or row.opened_at != format_instant(now):\n"
        "                    return False\n"
        "                return row.state is result(LedgerEvent.REDRIVE)  # repeated by an SDK, else False\n"
        "            if row.opened_at != dead.opened_at:\n",
        new="            if row is None:\n",
    ),
    Mutant(
        name="redrive: of whatever the row is by now (table)",
        file=_TABLE,
        old='claimed_by",\n            ConditionExpression="#state = :dead AND opened_at = :opened",\n',
        new='claimed_by",\n            ConditionExpression="#state = :dead OR opened_at = :opened "\n'
        '            "OR attribute_exists(#state)",\n',
    ),
    # --- captures under one key ---
    Mutant(
        name="recapture: never",
        file=_RECAPTURE,
        old="return row.reason == Reason.EXPIRED or captured_at >= parse_instant(row.updated_at)",
        new="return row.reason == Reason.EXPIRED",
    ),
    Mutant(
        name="recapture: it is forgotten that the call may have run",
        file=_RECAPTURE,
        old="may_have_run = dead.may_have_run or dead.reason == Reason.UNKNOWN or capture.may_have_run",
        new="may_have_run = capture.may_have_run",
    ),
    Mutant(
        name="recapture: another try that may have run is not noted",
        file=_ENTER,
        old="if is_another_try and record.outcome.kind is OutcomeKind.UNKNOWN:",
        new="if is_another_try and record.outcome.kind is None:",
    ),
    # --- lost notifications ---
    Mutant(
        name="reconcile: what is missed is not sent",
        file=_RECONCILE,
        old="        self._send(lost[:MAX_SENT], at_s)\n",
        new="",
    ),
    # --- one effect a key, live calls and replays together ---
    Mutant(
        name="repeat: a live call runs without its key's claim",
        file=_REPEAT,
        old="if not self.open_calls.may_be(function) or",
        new="if self.open_calls.may_be(function) or",
    ),
    Mutant(
        name="repeat: a key whose call waits or runs is run again",
        file=_REPEAT,
        old="return existing\n        owner, until_ms",
        new=(
            "return existing if existing.state is State.SUCCEEDED else Claim(row=existing)\n"
            "        owner, until_ms"
        ),
    ),
    Mutant(
        name="repeat: a key whose call has succeeded is run again",
        file=_REPEAT,
        old="return existing\n        owner, until_ms",
        new=(
            "return Claim(row=existing) if existing.state is State.SUCCEEDED else existing\n"
            "        owner, until_ms"
        ),
    ),
    Mutant(
        name="repeat: a live success is not told",
        file=_REPEAT,
        old="            self._settle(row, LedgerEvent.SUCCEED, result)",
        new="            self.ledger.release(row.id, owner=row.lease_owner or str())",
    ),
    Mutant(
        name="repeat: a claim that ran out is one that still runs",
        file=_REPEAT,
        old="return Owed(outcome=CLAIM_EXPIRED if has_expired else IN_PROGRESS)",
        new="return None",
    ),
    Mutant(
        name="repeat: a ledger that is away stops no live call",
        file=_REPEAT,
        old="            return Owed(outcome=LEDGER_AWAY)",
        new="            return None",
    ),
    Mutant(
        name="repeat: a claim ends before its call may have",
        file=_REPEAT,
        old="(self.call_timeout_s + LEASE_MARGIN_S) * 1000",
        new="1",
    ),
    Mutant(
        name="repeat: a success over a given-up call is not told",
        file=_REPEAT,
        old="if self.ledger.recapture(row, after):",
        new="if after:",
    ),
    # --- replies ---
    Mutant(
        name="replies: a call that is found ended is told to nobody",
        file=_RUNNER,
        old="        return self.finisher.send_reply(message, _LEFT if _leaves_now(row) else NOT_ASKED)",
        new="        return Ack()",
    ),
    Mutant(
        name="replies: a call that had ended before its line was read is told to nobody",
        file=_ENTER,
        old="        if wants_reply(record):",
        new="        if None:",
    ),
    Mutant(
        name="repeat: a key is forgotten within a minute",
        file="shared/reprise/capturing/open_calls.py",
        old="KNOWN_FOR_MS: Final = 3 * 3_600_000",
        new="KNOWN_FOR_MS: Final = 60_000",
    ),
)
