"""Prove what became of each call, from the ledger, the target's receipts and the dead letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reprise.retry.decision import Reason
from reprise_cli.chaos.call import AnswerKind, CallAnswer, CallState, Receipt
from reprise_cli.chaos.live import live_problems, named
from reprise_cli.chaos.percentile import Percentiles, spread
from reprise_cli.chaos.resubmit import problems_of, tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reprise_cli.chaos.live import LiveEvidence, LiveReport
    from reprise_cli.chaos.resubmit import Repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the proof looks at."""

    calls: int
    """Calls that were to be made."""
    answers: Sequence[CallAnswer]
    standings: Mapping[str, CallState]
    """From the ledger, by id."""
    receipts: Sequence[Receipt]
    letters: frozenset[str]
    """Ids of the captured calls whose dead letters were seen, however the ledger says that they ended."""
    restored_at: datetime
    """When the target was let go."""
    live: LiveEvidence | None = None
    may_refuse: bool = False
    """Whether the invoker itself may be refused; otherwise such a call is a problem."""
    has_nemeses: bool = False
    """Whether nemeses struck: a caller may have got no answer then, and nobody an outcome."""
    repeats: Sequence[Repeat] | None = None
    """Live calls with the keys of captured ones, if there were any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What became of the calls."""

    calls: int
    direct: int
    captured: int
    succeeded: int
    dead_lettered: int
    lost: int
    executed_twice: int
    restore_to_success_s: Percentiles
    wasted_replays: int
    live: LiveReport | None = None
    """What replay cost live traffic, if there was any."""
    refused: Mapping[str, int] | None = None
    """Calls refused at the invoker itself, by Lambda's reason; None where none may be."""
    resubmitted: Mapping[str, int] | None = None
    """How the calls were answered that their callers repeated, if they did."""
    unanswered: int | None = None
    """Calls that were neither answered nor captured, as their callers know; None where none may be."""
    unknown: int | None = None
    """Calls that were given up since nobody learnt whether they ran; None where none may be."""
    problems: tuple[str, ...] = field(default=())
    """What else does not add up, one line each."""

    @property
    def holds(self) -> bool:
        """Tell whether the promise was kept."""
        return not (self.lost or self.executed_twice or self.problems)

    def document(self) -> dict[str, Any]:
        """Return the proof for programs; its keys are a contract."""
        more: dict[str, Any] = {} if self.live is None else {"live": self.live.document()}
        if self.refused is not None:
            more["refused_at_the_invoker"] = dict(self.refused)
        if self.unanswered is not None:
            more |= {"unanswered": self.unanswered, "unknown": self.unknown}
        if self.resubmitted is not None:
            more["resubmitted"] = dict(self.resubmitted)
        if self.problems:
            more["problems"] = list(self.problems)
        return {
            "calls": self.calls,
            "direct": self.direct,
            "captured": self.captured,
            "succeeded": self.succeeded,
            "dead_lettered": self.dead_lettered,
            "lost": self.lost,
            "executed_twice": self.executed_twice,
            "restore_to_success_s": self.restore_to_success_s.document(),
            "wasted_replays": self.wasted_replays,
            **more,
        }


def prove(evidence: Evidence) -> Proof:
    """Return what became of the calls.

    A captured call is lost unless the ledger says that it ended and somebody else confirms it: the
    target by a receipt, or the dead-letter queue by a letter. It has one end: what ran well was not given
    up, what succeeded has no letter, and only calls that were made to fail are given up.
    """
    by_kind = Counter(answer.kind for answer in evidence.answers)
    captured = [answer for answer in evidence.answers if answer.kind is AnswerKind.CAPTURED]
    standings = [evidence.standings.get(answer.call_id or "") for answer in captured]
    runs = _runs(evidence.receipts)
    live_runs = _runs(evidence.live.receipts) if evidence.live is not None else Counter[int]()
    lost = sum(
        not _is_accounted_for(answer, standing, runs, evidence.letters)
        for answer, standing in zip(captured, standings, strict=True)
    )
    known = [standing for standing in standings if standing is not None]
    waits_s = [
        max(0.0, (standing.updated_at - evidence.restored_at).total_seconds())
        for standing in known
        if standing.is_succeeded
    ]
    return Proof(
        calls=evidence.calls,
        direct=by_kind[AnswerKind.DIRECT],
        captured=len(captured),
        succeeded=sum(standing.is_succeeded for standing in known),
        dead_lettered=sum(standing.is_dead_lettered for standing in known),
        lost=lost,
        executed_twice=sum(count > 1 for count in (*runs.values(), *live_runs.values())),
        restore_to_success_s=spread(waits_s),
        wasted_replays=sum(standing.refusals for standing in known),
        refused=_refused(evidence),
        resubmitted=None if evidence.repeats is None else tally(evidence.repeats),
        unanswered=by_kind[AnswerKind.FAILED] if evidence.has_nemeses else None,
        unknown=sum(map(_is_unknown, known)) if evidence.has_nemeses else None,
        problems=(
            *_problems(evidence, captured, runs),
            *_ends_that_differ(evidence, captured, runs),
            *live_problems(evidence.live, live_runs),
            *problems_of(evidence.repeats or ()),
        ),
    )


def _is_unknown(standing: CallState) -> bool:
    return standing.is_dead_lettered and standing.reason == Reason.UNKNOWN


def _runs(receipts: Sequence[Receipt]) -> Counter[int]:
    """Return how often each call ran well."""
    return Counter(receipt.call for receipt in receipts if receipt.is_ok)


def _refused(evidence: Evidence) -> Mapping[str, int] | None:
    if not evidence.may_refuse:
        return None
    reasons = [a.problem for a in evidence.answers if a.kind is AnswerKind.REFUSED]
    return dict(sorted(Counter(reasons).items()))


def _is_accounted_for(
    answer: CallAnswer,
    standing: CallState | None,
    runs: Mapping[int, int],
    letters: frozenset[str],
) -> bool:
    if standing is None:
        return False
    if standing.is_succeeded:
        return runs.get(answer.call.number, 0) > 0
    return standing.is_dead_lettered and answer.call_id in letters


def _problems(
    evidence: Evidence, captured: Sequence[CallAnswer], runs: Mapping[int, int]
) -> list[str]:
    """Return what does not add up, one line each, the empty ones left out."""
    answers, answered = evidence.answers, len(evidence.answers)
    failures = {AnswerKind.FAILED} if not evidence.has_nemeses else set()
    failures |= {AnswerKind.REFUSED} if not evidence.may_refuse else set()
    failed = [answer for answer in answers if answer.kind in failures]
    ids = {answer.call_id for answer in captured}
    standings = [evidence.standings.get(answer.call_id or "") for answer in captured]
    unknown = standings.count(None)
    unended = sum(standing is not None and not standing.is_ended for standing in standings)
    silent = sum(
        answer.kind is AnswerKind.DIRECT
        and not answer.call.is_poison
        and not runs.get(answer.call.number)
        for answer in answers
    )
    alive = sum(
        answer.call.is_poison and answer.call_id not in evidence.letters for answer in captured
    )
    refused = {answer.call.number for answer in answers if answer.kind is AnswerKind.REFUSED}
    strangers = len(set(runs) - set(range(1, evidence.calls + 1)))
    found = {
        f"{answered} of {evidence.calls} calls were made": answered != evidence.calls,
        f"{len(failed)} calls were neither answered nor captured, the first because: "
        f"{failed[0].problem if failed else ''}": bool(failed),
        f"{len(captured)} captured calls share {len(ids)} ids": len(ids) != len(captured),
        f"{unknown} captured calls have no row in the ledger: look at the capture queue, "
        "its dead-letter queue and the unpacker's log": unknown > 0,
        f"{unended} captured calls have not ended in time: look at `reprise status` and "
        "at the replayer's log": unended > 0,
        f"{silent} calls were answered, but the target wrote no receipt": silent > 0,
        f"{alive} poison calls are not in the dead-letter queue": alive > 0,
        f"{len(refused & set(runs))} calls were refused at the invoker, and ran all the same": not (
            refused.isdisjoint(runs)
        ),
        f"{strangers} receipts are of calls that nobody made": strangers > 0,
    }
    return [problem for problem, is_found in found.items() if is_found]


def _ends_that_differ(
    evidence: Evidence, captured: Sequence[CallAnswer], runs: Mapping[int, int]
) -> list[str]:
    """Return which calls ended in a way that they should not, or in two."""
    healthy, well, twice = [], [], []
    for answer in captured:
        call_id = answer.call_id or ""
        standing = evidence.standings.get(call_id)
        if standing is not None and standing.is_dead_lettered:
            if evidence.has_nemeses and _is_unknown(standing):
                continue
            healthy += [call_id] * (not answer.call.is_poison)
            well += [call_id] * (runs.get(answer.call.number, 0) > 0)
        elif standing is not None and standing.is_succeeded:
            twice += [call_id] * (call_id in evidence.letters)
    found = (
        (healthy, "calls that were not made to fail were given up", ". See `reprise dlq show ID`"),
        (well, "calls ran well and were given up", ""),
        (twice, "calls succeeded and have a dead letter, too", ""),
    )
    return [named(ids, what) + step for ids, what, step in found if ids]
