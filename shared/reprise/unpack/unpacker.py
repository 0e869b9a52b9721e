"""Unpack capture objects: expand what targets can take now, and leave the rest folded in S3.

An object is read once to learn whose records it holds. What a target can take soon is entered in the
ledger and sent, one message a call. The rest waits as it is, one message an object: the capture object
itself if all of it is for one target, else a parked object per target. A folded object is not read
again before its target's gate asks for it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.errors import SlowObjectError
from reprise.instant import parse_instant
from reprise.quarantine import Quarantine
from reprise.retry.decision import COUNTED
from reprise.unpack.backlog import is_overdue, overdue_expansion
from reprise.unpack.enqueue import CHUNK
from reprise.unpack.expansion import Expand, Leave
from reprise.unpack.validate import AcceptedRecord, Partitioner

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.ports import Clock, Meter, Objects
    from reprise.unpack.backlog import ExpansionController
    from reprise.unpack.defer import Deferrer
    from reprise.unpack.enqueue import Enqueuer
    from reprise.unpack.notification import Fold, ObjectRef
    from reprise.unpack.validate import RecordValidator, TargetBatch


RESERVE_MS: Final = 40_000
"""Time kept to finish a chunk and hand the rest over: twice that of `reprise.unpack.validate`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacker:
    """Unpacks capture objects."""

    reader: RecordValidator
    enqueuer: Enqueuer
    deferrer: Deferrer
    backlog: ExpansionController
    objects: Objects
    clock: Clock
    meter: Meter
    retention_days: int

    def run(self, ref: ObjectRef, remaining_ms: Callable[[], int]) -> float | None:
        """Unpack one object, or as much of it as time and its targets allow.

        Reading an object again is harmless: calls are told apart by their ids, and parked objects by
        what they hold.

        Returns:
            None if the object's message has served; for a folded object that is to stay so, the
            seconds until it is to be looked at again.

        Raises:
            ObjectMissingError, ObjectDeniedError, StoreError: If it must be tried again.
            SettingsError: If the pipeline's key document is refused.
            SlowObjectError: If there was no time for anything of it.
        """
        if ref.fold is not None:
            return self._look(ref, ref.fold, remaining_ms)
        self._sort(ref, remaining_ms)
        return None

    def _ask(
        self, function: str, records: int, *, is_folded: bool, unrun: int = 0
    ) -> Expand | Leave:
        decision = self.backlog.decide(function, records=records, is_folded=is_folded, unrun=unrun)
        if not decision.is_told:
            self.meter.count(metric.STORE_FAULTS)
        return decision

    # --- An object that was not read before ---

    def _sort(self, ref: ObjectRef, remaining_ms: Callable[[], int]) -> None:
        """Read an object for the first time, and settle what its records do next, part by part."""
        quarantine = Quarantine(ref.url, self.objects, self.meter)
        sorter = Partitioner()
        reached = ref.skip
        try:
            with closing(self.reader.read(ref, quarantine, remaining_ms)) as items:
                for position, entry in items:
                    if entry is not None and not entry.is_foldable:
                        self.enqueuer.enter([entry], ref.source)
                    elif entry is not None:
                        for part in sorter.add(entry):
                            self._settle(part, ref, remaining_ms)
                    reached = position + 1
                    if reached % CHUNK == 0 and remaining_ms() < RESERVE_MS:
                        self._hand_over(sorter, ref, quarantine, reached)
                        return
        except SlowObjectError:
            if reached == ref.skip:
                raise
            self._hand_over(sorter, ref, quarantine, reached)
            return
        # What is in quarantine already must not be met again, as it would be in the object itself.
        is_clean = not ref.skip and not sorter.closed and not quarantine.count
        parts = sorter.rest()
        for part in parts:
            is_whole = is_clean and len(parts) == 1
            self._settle(part, ref, remaining_ms, is_whole=is_whole)
        quarantine.flush()

    def _hand_over(
        self, sorter: Partitioner, ref: ObjectRef, quarantine: Quarantine, position: int
    ) -> None:
        """Park what was read, which takes little time, and leave the rest to a continuation."""
        for part in sorter.rest():
            self.deferrer.park(part, ref, delay_s=0.0, is_counted=False)
        quarantine.flush()
        self.deferrer.send(replace(ref, skip=position))

    def _settle(
        self,
        part: TargetBatch,
        ref: ObjectRef,
        remaining_ms: Callable[[], int],
        *,
        is_whole: bool = False,
    ) -> None:
        """Expand as much of a part as its target can take, and fold the rest.

        `is_whole` says that the object holds no other records, and so may wait as it is.
        """
        unrun = [entry for entry in part.entries if entry.record.outcome.kind not in COUNTED]
        decision = self._ask(part.function, len(part.entries), is_folded=False, unrun=len(unrun))
        expanded: int = 0
        delay_s: float | None
        if isinstance(decision, Leave):
            delay_s, is_counted = decision.delay_s, decision.change is not None
            # They stay in the part as well: whether they lie at its beginning does not matter then.
            self.enqueuer.enter(unrun[: decision.scouts], ref.source)
        else:
            expanded, delay_s = self._expand(part, ref, decision, remaining_ms)
            is_counted = delay_s is not None
        rest = part.after(expanded)
        if rest.entries:
            fold = self.deferrer.fold if is_whole else self.deferrer.park
            fold(rest, ref, delay_s=delay_s or 0.0, is_counted=is_counted)
        self.backlog.confirm(part.function, decision)

    def _expand(
        self,
        part: TargetBatch,
        ref: ObjectRef,
        decision: Expand,
        remaining_ms: Callable[[], int],
    ) -> tuple[int, float | None]:
        """Return how many records were expanded, and the delay of the rest; None if time ran out."""
        for start in range(0, decision.records, CHUNK):
            if start and remaining_ms() < RESERVE_MS:
                return start, None
            chunk = part.entries[start : min(start + CHUNK, decision.records)]
            self.enqueuer.enter(chunk, ref.source, spread_s=decision.spread_s)
        return decision.records, decision.rest_delay_s

    # --- A folded object ---

    def _look(self, ref: ObjectRef, fold: Fold, remaining_ms: Callable[[], int]) -> float | None:
        """Expand as much of a folded object as its target asks for."""
        decision = self._decide(fold)
        if isinstance(decision, Leave):
            self.meter.count(metric.FOLDED_LOOKS)
            if decision.change is None:
                return decision.delay_s
            # The gate counts it now, and must not do so at every look.
            self.deferrer.send(replace(ref, fold=replace(fold, is_counted=True)), decision.delay_s)
        else:
            self._expand_folded(ref, fold, decision, remaining_ms)
        self.backlog.confirm(fold.function, decision)
        return None

    def _expand_folded(
        self, ref: ObjectRef, fold: Fold, decision: Expand, remaining_ms: Callable[[], int]
    ) -> None:
        """Send the first calls of a folded object, and a message for what is left of it."""
        quarantine = Quarantine(ref.url, self.objects, self.meter)
        chunk: list[AcceptedRecord] = []
        expanded = 0
        with closing(self.reader.read(ref, quarantine, remaining_ms)) as items:
            for position, entry in items:
                if entry is not None:
                    chunk.append(entry)
                is_last = expanded + len(chunk) == decision.records
                if len(chunk) < CHUNK and not is_last:
                    continue
                self.enqueuer.enter(chunk, fold.source, spread_s=decision.spread_s)
                expanded += len(chunk)
                chunk.clear()
                if (is_last and expanded < fold.records) or remaining_ms() < RESERVE_MS:
                    quarantine.flush()
                    left = replace(
                        fold, records=max(1, fold.records - expanded), is_counted=is_last
                    )
                    rest = replace(ref, skip=position + 1, fold=left)
                    self.deferrer.send(rest, delay_s=decision.rest_delay_s if is_last else 0.0)
                    return
        self.enqueuer.enter(chunk, fold.source, spread_s=decision.spread_s)
        quarantine.flush()

    def _decide(self, fold: Fold) -> Expand | Leave:
        since = parse_instant(fold.since)
        if not is_overdue(since, now=self.clock(), retention_days=self.retention_days):
            return self._ask(fold.function, fold.records, is_folded=fold.is_counted)
        expansion = overdue_expansion(fold.records)
        self.backlog.gates.update(fold.function, expansion.change)
        return expansion
