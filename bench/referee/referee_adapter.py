r"""Run the product's own gate and backlog rule in an independent simulator of replay policies.

The simulator is not part of this repository: give its folder in `REPLAY_SIM`. Its policies see a batch at a
time, keep what they know in a metered store, and answer with delays, so this module only translates.

    REPLAY_SIM=<folder> PYTHONPATH=bench/referee:shared \
        python <folder>/referee.py --policy referee_adapter:Ours --suite quick
"""

# ruff: noqa: ANN401, D102, D107, SLF001 - the simulator's interface is untyped, and documented there

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

sys.path.insert(0, os.environ["REPLAY_SIM"])

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.errors import StoreError
from reprise.gate.fallback import LocalGate
from reprise.gate.parameters import GateParameters
from reprise.gate.samples import Sample
from reprise.gate.session import GateSession, Permit
from reprise.gate.state import Change, GateState, Updated
from reprise.retry.decision import AttemptCounts, DeadLetter, RetryLater, decide, policy_backoff_s
from reprise.retry.policy import Policy as TargetPolicy
from reprise.unpack.backlog import ExpansionController
from reprise.unpack.expansion import Expand, Leave

api: Any = importlib.import_module("replaysim.api")

START_MS: Final = 1_000_000_000
START_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
BELIEVED_S: Final = 0.2
"""As in `aws/gate_table.py`, at the simulator's scale: how long a gate is believed unasked."""
LEASE_MARGIN_S: Final = 25
"""From a call's timeout to its replayer's, as in the template."""
DEFAULTS: Final[dict[str, Any]] = {field.name: field.default for field in fields(GateState)}
POLICY: Final = TargetPolicy(max_age_s=14 * 86_400)
KINDS: Final = {
    api.OK: OutcomeKind.SUCCEEDED,
    api.THROTTLE: OutcomeKind.THROTTLED,
    api.ERROR: OutcomeKind.FUNCTION_ERROR,
}


class SimulatedItems:
    """The simulator's store as the gates' port, for one instance."""

    def __init__(self, policy: Ours, known: dict[str, tuple[float, GateState]]) -> None:
        self._policy = policy
        self._known = known

    def read(self, function: str) -> GateState:
        now_s = self._policy.now_s
        read_at_s, image = self._known.get(function, (-1e9, GateState()))
        if now_s - read_at_s < BELIEVED_S:
            return image
        try:
            return self._learn(function, self._policy.ctx.store.get(function))
        except (api.StoreUnavailable, api.StoreThrottled) as error:
            raise StoreError("simulated", "read", type(error).__name__, "") from error

    def update(self, function: str, change: Change) -> Updated:
        def holds(item: dict[str, Any]) -> bool:
            image = _image(item)
            return all(condition.holds(image) for condition in change.when)

        # The simulator's ADD starts a missing attribute from 0, ours from its default.
        there = self._policy.ctx.store._items.get(function, {})
        add = {
            name: amount + (0 if name in there else DEFAULTS[name])
            for name, amount in change.add.items()
        }
        try:
            applied, item = self._policy.ctx.store.update(
                function, set=dict(change.put), add=add, cond=holds
            )
        except (api.StoreUnavailable, api.StoreThrottled) as error:
            raise StoreError("simulated", "update", type(error).__name__, "") from error
        return Updated(applied=applied, image=self._learn(function, item))

    def _learn(self, function: str, item: dict[str, Any]) -> GateState:
        image = _image(item)
        self._known[function] = (self._policy.now_s, image)
        return image


@dataclass(slots=True)
class Group:
    """The calls of one target in one batch."""

    visit: GateSession
    permits: dict[int, Permit] = field(default_factory=dict)
    """By message."""


class Ours(api.Policy):  # type: ignore[misc]
    """The product's gate as a policy of the simulator."""

    def __init__(self, **parameters: float) -> None:
        self.parameters = GateParameters(**parameters)  # type: ignore[arg-type]
        self.name = "ours"
        self.now_s = 0.0

    # --- captured objects -------------------------------------------------------------------------

    def on_ingest(self, now: float, inst: Any, target: str, msgs: list[Any]) -> Any:
        decision = self._decide(now, inst, target, len(msgs), is_folded=False)
        if isinstance(decision, Leave):
            return api.fold(decision.delay_s, 0)
        if decision.records < len(msgs):
            # The simulator sends both parts with one delay: the rest waits for its own when it comes.
            sent_after_s = min(decision.spread_s, decision.rest_delay_s)
            msgs[decision.records].meta = decision.rest_delay_s - sent_after_s
            return api.fold(sent_after_s, decision.records)
        return [self.ctx.rng.random() * decision.spread_s for _ in msgs]

    def _bundle(self, now: float, inst: Any, bundle: Any) -> Any:
        first = bundle.recs[0]
        if first.meta:
            rest_delay_s, first.meta = first.meta, None
            return api.defer(rest_delay_s)
        decision = self._decide(now, inst, bundle.target, bundle.size, is_folded=True)
        if isinstance(decision, Leave):
            return api.defer(decision.delay_s)
        # The simulator cannot expand a part of an object: scouts bring the rest with them.
        if rest := bundle.size - decision.records:
            self._count_rest(inst, bundle.target, rest)
        return api.unfold(0, decision.spread_s)

    def _count_rest(self, inst: Any, target: str, records: int) -> None:
        add = {"waiting": records, "folded_records": -records, "folded_objects": -1}
        with suppress(StoreError):
            self._items(inst).update(target, Change(add=add))

    def _decide(
        self, now: float, inst: Any, target: str, records: int, *, is_folded: bool
    ) -> Expand | Leave:
        self.now_s = now
        keeper = inst.local.setdefault(
            "keeper",
            ExpansionController(
                gates=self._items(inst),
                depth=self.ctx.queue_depth,
                clock=lambda: datetime.fromtimestamp(self._now_ms() / 1000, UTC),
                draw=self.ctx.rng.random,
            ),
        )
        decision: Expand | Leave = keeper.decide(target, records=records, is_folded=is_folded)
        keeper.confirm(target, decision)
        return decision

    # --- batches ----------------------------------------------------------------------------------

    def on_receive(self, now: float, inst: Any, items: list[Any]) -> list[Any]:
        self.now_s = now
        decisions: list[Any] = [None] * len(items)
        by_target: dict[str, list[int]] = {}
        for number, item in enumerate(items):
            if item.is_bundle:
                decisions[number] = self._bundle(now, inst, item)
            else:
                by_target.setdefault(item.target, []).append(number)
        inst.local["groups"] = {}
        for target, numbers in by_target.items():
            group = Group(self._visit(inst, target))
            inst.local["groups"][target] = group
            numbers, wanted = _candidates(group.visit, numbers, items)  # noqa: PLW2901 - in their order
            entry = group.visit.enter(wanted)
            waiting = len(entry.permits) + entry.room
            wait_s = group.visit.wait_s(self.ctx.rng.random())
            for place, number in enumerate(numbers):
                if place < len(entry.permits):
                    group.permits[items[number].id] = entry.permits[place]
                    decisions[number] = api.invoke()
                else:
                    decisions[number] = api.hold() if place < waiting else api.defer(wait_s)
        return decisions

    def on_outcome(self, now: float, inst: Any, msg: Any, outcome: int, latency: float) -> Any:
        self.now_s = now
        group: Group = inst.local["groups"][msg.target]
        is_suspect = msg.charged > 0
        decision = self._settle(msg, outcome)
        held = next((other for other in inst._held if other.target == msg.target), None)
        meeting = Sample(
            kind=KINDS[outcome],
            busy_ms=int(latency * 1000),
            # Once: at its end, or when its first backoff begins.
            has_left=not is_suspect and decision is not None,
            is_suspect=is_suspect,
        )
        permit = group.visit.leave(group.permits.pop(msg.id), meeting, is_wanted=held is not None)
        if permit is not None and held is not None:
            group.permits[held.id] = permit
            inst.extra.append((held, api.invoke()))
        if decision is not None:
            return decision
        return api.defer(group.visit.wait_s(self.ctx.rng.random()))

    def on_hold(self, now: float, inst: Any, held: list[Any]) -> list[Any]:
        self.now_s = now
        settled = []
        for target, group in inst.local["groups"].items():
            if not group.permits or not group.visit.is_room_open():
                wait_s = group.visit.wait_s(self.ctx.rng.random())
                settled += [(msg, api.defer(wait_s)) for msg in held if msg.target == target]
        return settled

    def _settle(self, msg: Any, outcome: int) -> Any:
        """Return what the product's policy decides; None where the gate says when."""
        if outcome == api.OK:
            return api.done()
        if outcome == api.THROTTLE:
            return None
        msg.charged += 1
        standing = AttemptCounts(
            attempts=msg.charged, refusals=0, expires_at=START_AT + timedelta(days=14)
        )
        decision = decide(
            Outcome(kind=OutcomeKind.FUNCTION_ERROR),
            standing,
            POLICY,
            now=START_AT,
            draw=self.ctx.rng.random(),
        )
        match decision:
            case DeadLetter():
                return api.dlq()
            case RetryLater(after_s=after_s):
                return api.defer(after_s)
            case _:
                return None

    # --- what an instance knows -------------------------------------------------------------------

    def _visit(self, inst: Any, target: str) -> GateSession:
        return GateSession(
            gates=self._items(inst),
            memory=inst.local.setdefault("memory", LocalGate()),
            function=target,
            owner=f"{inst.id}/{self.now_s}",
            now_ms=self._now_ms,
            draw=self.ctx.rng.random,
            lease_ms=round((self.ctx.call_timeout(target) + LEASE_MARGIN_S) * 1000),
            parameters=self.parameters,
        )

    def _items(self, inst: Any) -> SimulatedItems:
        return SimulatedItems(self, inst.local.setdefault("known", {}))

    def _now_ms(self) -> int:
        return START_MS + round(self.now_s * 1000)


def _candidates(visit: GateSession, numbers: list[int], items: list[Any]) -> tuple[list[int], int]:
    """Return a batch's calls and how many may go, as the product's replayer chooses its probes."""
    if not visit.is_choosy():
        return numbers, len(numbers)
    for number in sorted(numbers, key=lambda number: items[number].charged):
        failures = items[number].charged
        with suppress(StoreError):
            if visit.may_probe(failures, policy_backoff_s(max(1, failures), POLICY)):
                return [number, *(other for other in numbers if other != number)], len(numbers)
    return numbers, 0


def _image(item: dict[str, Any]) -> GateState:
    return GateState(**{**DEFAULTS, **item})
